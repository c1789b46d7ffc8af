"""Tests of what a newcomer is promised: the demo, the replay and the documented first steps."""
