"""Serial scanners: bytes in, one event for each scan out. Knows symbologies, not cards."""
