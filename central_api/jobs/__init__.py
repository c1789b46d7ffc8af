"""What central does by itself, and which process does it (docs/jobs.md)."""
