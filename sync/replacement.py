"""Putting a new database in the place of a damaged one, so that a kill at any moment loses nothing of either.

1. The new file is built beside the old one as `….building…`; whatever a kill left of it is thrown away.
2. Once it is whole it is renamed to `….replacement-TIME…`: from here on the replacement will be finished.
3. The old file goes aside under `….damaged-TIME…`: first the companions, so that no write-ahead log is ever left
   beside a file that it does not belong to. Then the new file takes its name. Every start finishes what was begun.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

__all__ = ["Replacement", "finish_replacements"]

COMPANIONS = ("-shm", "-wal", "-journal", "")


@dataclass(frozen=True, slots=True)
class Replacement:
    """One replacement of the database at `path`; `stamp` names when the damage was found."""

    path: Path
    stamp: str

    @classmethod
    def begun(cls, path: Path, now: datetime) -> Replacement:
        """Begin one, with nothing of an earlier attempt in the way."""
        replacement = cls(path, _free_stamp(path, now.strftime("%Y%m%dT%H%M%S")))
        for companion in COMPANIONS:
            _beside(replacement.building, companion).unlink(missing_ok=True)
        return replacement

    @property
    def building(self) -> Path:
        """Where the new file is built."""
        return self.path.with_name(f"{self.path.stem}.building{self.path.suffix}")

    @property
    def aside(self) -> Path:
        """Where the damaged file goes, and stays."""
        return self.path.with_name(f"{self.path.stem}.damaged-{self.stamp}{self.path.suffix}")

    @property
    def _ready(self) -> Path:
        return self.path.with_name(f"{self.path.stem}.replacement-{self.stamp}{self.path.suffix}")

    def finish(self) -> None:
        """Put the new file, which is whole and closed, into its place."""
        self.building.rename(self._ready)
        _sync_names(self.path)
        finish_replacements(self.path)


def finish_replacements(path: Path) -> None:
    """Finish what a kill interrupted, and what `Replacement.finish` began."""
    prefix = f"{path.stem}.replacement-"
    for ready in sorted(path.parent.glob(f"{prefix}*{path.suffix}")):
        replacement = Replacement(path, ready.stem.removeprefix(prefix))
        for companion in COMPANIONS:
            if _beside(path, companion).exists():
                _beside(path, companion).rename(_beside(replacement.aside, companion))
        _sync_names(path)
        ready.rename(path)
        _sync_names(path)


def _free_stamp(path: Path, time: str) -> str:
    """The time, with a number where that name is taken: a till whose clock starts anew finds the same time again."""
    stamps = (time if number == 1 else f"{time}-{number}" for number in itertools.count(1))
    return next(stamp for stamp in stamps if not Replacement(path, stamp).aside.exists())


def _beside(path: Path, companion: str) -> Path:
    return path.with_name(path.name + companion)


def _sync_names(path: Path) -> None:
    """Make renames durable: they live in the directory, not in the files."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
