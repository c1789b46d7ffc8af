"""The one error of a database that cannot be used; below everything, so that each kind of database can raise it."""

from __future__ import annotations

__all__ = ["DatabaseUnusable"]


class DatabaseUnusable(Exception):
    """The database's address, file or server cannot be used; the text names the remedy."""
