"""A cache of rows by key for one transaction: many keys are fetched with few queries, then judged in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

__all__ = ["KEYS_PER_QUERY_MAX", "Shelf"]

KEYS_PER_QUERY_MAX = 500

K = TypeVar("K")
V = TypeVar("V")


class Shelf(Generic[K, V]):
    """Rows by key. `load` is asked once for each key, for at most KEYS_PER_QUERY_MAX keys at a time."""

    def __init__(self, load: Callable[[Sequence[K]], Mapping[K, V]]) -> None:
        self._load = load
        self._held: dict[K, V | None] = {}

    def fetch(self, keys: Iterable[K]) -> None:
        """Load the keys that were not loaded yet."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._held]
        for start in range(0, len(missing), KEYS_PER_QUERY_MAX):
            part = missing[start : start + KEYS_PER_QUERY_MAX]
            found = self._load(part)
            self._held.update((key, found.get(key)) for key in part)

    def get(self, key: K) -> V | None:
        """Return the row of a key, loading it where it was not fetched."""
        if key not in self._held:
            self.fetch((key,))
        return self._held[key]

    def put(self, key: K, value: V) -> None:
        """Set a row that this transaction makes."""
        self._held[key] = value

    def items(self) -> list[tuple[K, V]]:
        """Return all rows that are there."""
        return [(key, value) for key, value in self._held.items() if value is not None]
