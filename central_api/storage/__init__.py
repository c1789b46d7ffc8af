"""The database: its tables, its two kinds, and how rows are read and written. Judges nothing."""
