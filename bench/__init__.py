"""Benchmarks: every figure is a ratio of two sides that take turns in one run. Not packaged, no test with a time.

`make bench` runs them; docs/benchmarks.md says how they measure and what they gave.
"""
