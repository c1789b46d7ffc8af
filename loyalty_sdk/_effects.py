"""What the clients take from outside: time, pauses and randomness. Everything else of the SDK gets these passed in."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Effects"]


def _now() -> datetime:
    return datetime.now(UTC)


def _fraction() -> float:
    """Return a number from 0 up to 1; the module `random` would cost a tenth of the SDK's import."""
    return int.from_bytes(os.urandom(6), "big") / 2**48


async def _sleep_async(seconds: float) -> None:
    # Imported here because a POS without an event loop never needs it.
    import asyncio

    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """The outside as functions, so that a test can replace it."""

    now: Callable[[], datetime] = _now
    monotonic_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = _sleep_async
    fraction: Callable[[], float] = _fraction
    random_bytes: Callable[[int], bytes] = os.urandom
