"""The herd: thousands of terminals that come back at once, each with the real machine of the exchange, simulated.

`python -m tests.herd` (or `make herd`) runs it with 10,000 terminals and writes docs/herd.md with its plot.
"""
