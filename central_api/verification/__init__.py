"""Verification: everything that is stored, computed again."""
