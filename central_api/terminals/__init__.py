"""Terminals: made, enrolled, known, revoked, last heard of."""
