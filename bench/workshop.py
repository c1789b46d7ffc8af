"""What every subject is given: where it works, how long, and whom it tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.rows import Row

__all__ = ["Subject", "Workshop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """`directory` lies on a real disk. `begin(what, steps)` and `advance(steps)` tell the progress bar."""

    directory: Path
    rounds: int
    operations: int
    entries: int
    begin: Callable[[str, int], None]
    advance: Callable[[int], None]

    def step(self) -> None:
        """One round is done."""
        self.advance(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured in one go: the names of its rows, and the function that measures them.

    `needs_peers` says that libraries of requirements-bench.txt are on the other side.
    """

    names: tuple[str, ...]
    measure: Callable[[Workshop], Iterator[Row]]
    needs_peers: bool = False
