"""Tests of several parts together, on real sockets, pseudo-terminals, processes and databases."""
