"""One scan that a scanner sent more than once. Does no I/O and reads no clock."""

from __future__ import annotations

__all__ = ["DuplicateFilter"]

_REMEMBERED_MAX = 16


class DuplicateFilter:
    """Lets a code through unless it was seen within the window before.

    The window runs from the last sighting: a card that lies in view of a scanner which repeats itself is
    one scan however long it lies there. A different code always passes. With two codes in view each is
    remembered.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen_s: dict[bytes, float] = {}

    def is_new(self, code: bytes, at_s: float) -> bool:
        """Say whether `code` is a scan of its own, and remember that it was seen at `at_s` (seconds)."""
        last_s = self._seen_s.pop(code, None)
        self._seen_s[code] = at_s
        if len(self._seen_s) > _REMEMBERED_MAX:
            # Popped and put back at each sighting: the first key is the one unseen for longest.
            del self._seen_s[next(iter(self._seen_s))]
        return last_s is None or at_s - last_s >= self._window_s
