"""Pauses between attempts to reach a device.

Does not wait and does not count attempts: a till waits for its devices for as long as it runs, and what is
bounded is the pause.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Doubling pauses with jitter, from `first_s` to `limit_s` seconds.

    `random` returns a number in [0, 1), as `random.random` does. A pause is between half of the step and
    the whole of it, so that many tills which lost one printer do not knock at the same moment.
    """

    def __init__(self, *, first_s: float, limit_s: float, random: Callable[[], float]) -> None:
        if not 0 < first_s <= limit_s:
            raise ValueError(f"first_s must be above 0 and at most limit_s; got {first_s} and {limit_s}")
        self._first_s = first_s
        self._limit_s = limit_s
        self._random = random
        self._step_s = first_s

    def next_s(self) -> float:
        """Seconds to wait before the next attempt; the step after it is twice as long, up to the limit."""
        step_s = self._step_s
        self._step_s = min(step_s * 2, self._limit_s)
        return step_s * (0.5 + 0.5 * self._random())

    def reset(self) -> None:
        """Begin again with the shortest pause: the device worked."""
        self._step_s = self._first_s
