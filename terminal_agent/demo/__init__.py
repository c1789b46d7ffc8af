"""The demo: a day at a shop through the whole chain, and the honest check that it shares with the replay."""
