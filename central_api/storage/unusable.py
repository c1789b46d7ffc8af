"""The errors of a database that cannot be used; below everything, so that each kind of database can raise them."""

from __future__ import annotations

__all__ = ["CommitUnknown", "DatabaseUnusable"]


class DatabaseUnusable(Exception):
    """The database's address, file or server cannot be used; the text names the remedy."""


class CommitUnknown(DatabaseUnusable):
    """The database went away while it committed: the work is done as a whole, or not at all."""
