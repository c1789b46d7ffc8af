"""What the machine gives: the clock and randomness. Injected everywhere, so that a simulator can own both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from loyalty_sdk.ids import uuid7

__all__ = ["Host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """`now()` gives an aware datetime, `random_bytes(n)` gives n bytes (`os.urandom` in programs)."""

    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]

    def new_id(self) -> str:
        """Return a fresh UUIDv7."""
        return uuid7(self.now(), self.random_bytes)
