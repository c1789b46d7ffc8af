"""A reserve of disk space: a file of ballast that is given up when the disk is full.

On a full disk SQLite can write nothing at all, not even an acknowledgement, and the queue could never drain. With the
ballast gone there is room for what frees space or ends something: acknowledgements, releases, closes, pruning.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["RESERVE_BYTES", "Reserve"]

RESERVE_BYTES = 16 * 1024 * 1024


class Reserve:
    """The ballast beside one database file."""

    def __init__(self, path: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def fill(self) -> bool:
        """Make the ballast whole, if the disk has room for twice its size; say whether it is whole."""
        try:
            present = self._path.stat().st_blocks * 512 if self._path.exists() else 0
            if present >= self._size_bytes:
                return True
            if shutil.disk_usage(self._path.parent).free < 2 * self._size_bytes:
                return False
            self._allocate()
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> bool:
        """Free the ballast's space; say whether there was any to free."""
        try:
            self._path.unlink()
        except OSError:  # A read-only file system frees nothing; the caller reports what it could not write.
            return False
        return True

    def _allocate(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        finally:
            os.close(descriptor)
