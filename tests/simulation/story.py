"""The story of a simulation: who did what, when, and what the network made of it; and a digest to compare stories."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

__all__ = ["Story"]


class Story:
    """Lines in order. `now_ms` gives the simulated time."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms: Callable[[], int] | None = now_ms
        self._lines: list[tuple[int, str, str]] = []

    def tell(self, who: str, what: str) -> None:
        """Add a line."""
        if self._now_ms is not None:
            self._lines.append((self._now_ms(), who, what))

    def digest(self) -> str:
        """Return a digest of the whole story in hexadecimal."""
        whole = hashlib.sha256()
        for line in self.lines():
            whole.update(line.encode() + b"\n")
        return whole.hexdigest()

    def forget(self) -> None:
        """End it and drop the lines: a thousand stories would fill the memory."""
        self._now_ms = None
        self._lines.clear()

    def lines(self) -> Iterable[str]:
        """Return the lines as they are printed: hours, minutes, seconds, who, what."""
        for at_ms, who, what in self._lines:
            minutes, rest_ms = divmod(at_ms, 60_000)
            yield f"{minutes // 60:03}:{minutes % 60:02}:{rest_ms / 1000:06.3f}  {who:<12} {what}"
