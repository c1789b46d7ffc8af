"""Time as the drivers see it, injected so that tests own it. Does not sleep: waiting is done on events."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Where the drivers read time."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never run backwards; for pauses and deadlines."""
        ...

    def now(self) -> datetime:
        """The time of day with its offset; for what people read."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC).astimezone()
