"""Tests of one module each, without processes or sockets where that can be."""
