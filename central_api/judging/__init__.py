"""Judgement: what becomes of each entry (Law 6)."""
