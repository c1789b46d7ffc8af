"""Power cuts and kills: the journal under everything that can end a machine. See docs/decisions/0007."""
