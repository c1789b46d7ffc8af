"""How fast the journal drains to central: watermarks in, entries left, rate and time left out. Reads nothing itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from decimal import Decimal

from loyalty_sdk.model import Progress
from sync.exchange import Exchange
from terminal_agent.events import EventHub

__all__ = ["ProgressMeter", "tell_progress"]

WINDOW_MS = 30_000
SAMPLE_MS = 1_000
SAMPLES_MAX = WINDOW_MS // SAMPLE_MS + 2


class ProgressMeter:
    """Measures over the last half minute, or since the drain began. For one thread, the event loop's."""

    def __init__(self, monotonic_ms: Callable[[], int]) -> None:
        self._now_ms = monotonic_ms
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES_MAX)

    def measure(self, watermark: int, entries_left: int) -> Progress:
        """Take note of how far central holds the journal now, and return the progress."""
        now_ms = self._now_ms()
        self._forget(now_ms, watermark)
        tenths_per_s = self._tenths_per_s(now_ms, watermark)
        if not self._samples or now_ms - self._samples[-1][0] >= SAMPLE_MS:
            self._samples.append((now_ms, watermark))
        time_left_s = None if entries_left and not tenths_per_s else -(-10 * entries_left // max(1, tenths_per_s))
        return Progress(
            entries_left=entries_left, entries_per_s=Decimal(tenths_per_s).scaleb(-1), time_left_s=time_left_s
        )

    def _forget(self, now_ms: int, watermark: int) -> None:
        """Drop what is too old, what stood still before the drain began, and another journal's samples."""
        samples = self._samples
        if samples and samples[-1][1] > watermark:
            samples.clear()
        while samples and now_ms - samples[0][0] > WINDOW_MS:
            samples.popleft()
        while len(samples) > 1 and samples[0][1] == samples[1][1]:
            samples.popleft()

    def _tenths_per_s(self, now_ms: int, watermark: int) -> int:
        if not self._samples:
            return 0
        start_ms, start = self._samples[0]
        return 10_000 * (watermark - start) // max(now_ms - start_ms, SAMPLE_MS)


async def tell_progress(meter: ProgressMeter, exchange: Exchange, hub: EventHub) -> None:
    """Measure once a second for ever, and tell who listens whenever something changed."""
    told: Progress | None = None
    while True:
        progress = meter.measure(exchange.watermark, exchange.entries_left)
        if progress != told:
            hub.progressed(progress)
            told = progress
        await asyncio.sleep(SAMPLE_MS / 1000)
