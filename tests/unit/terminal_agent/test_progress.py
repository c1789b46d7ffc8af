"""Entries left, rate and time left, from watermarks; and that a change is told."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk._events import EventDecoder, till_event
from loyalty_sdk.model import Progress, Scan
from terminal_agent.events import EventHub
from terminal_agent.progress import SAMPLE_MS, WINDOW_MS, ProgressMeter, tell_progress


class Clock:
    def __init__(self) -> None:
        self.now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


def measured(*samples: tuple[int, int], head: int) -> Progress:
    """What the meter says after (second, watermark) by (second, watermark)."""
    clock = Clock()
    meter = ProgressMeter(clock)
    progress = Progress(entries_left=-1)
    for second, watermark in samples:
        clock.now_ms = second * 1_000
        progress = meter.measure(watermark, head - watermark)
    return progress


def test_a_steady_drain() -> None:
    progress = measured((0, 0), (1, 100), (2, 200), (3, 300), head=1_000)
    assert progress == Progress(entries_left=700, entries_per_s=Decimal("100.0"), time_left_s=7)


def test_the_rate_forgets_what_is_older_than_the_window() -> None:
    fast = [(second, 1_000 * second) for second in range(11)]
    slow = [(second, 10_000 + 10 * (second - 10)) for second in range(11, 60)]
    assert measured(*fast, *slow, head=20_000).entries_per_s == Decimal("10.0")


def test_the_time_before_the_drain_began_does_not_count() -> None:
    waiting = [(second, 0) for second in range(25)]
    assert measured(*waiting, (25, 200), (26, 400), head=1_000).entries_per_s == Decimal("200.0")


def test_nothing_moves() -> None:
    still = [(second, 50) for second in range(40)]
    assert measured(*still, head=60) == Progress(entries_left=10, entries_per_s=Decimal(0), time_left_s=None)
    assert measured(*still, head=50) == Progress(entries_left=0, entries_per_s=Decimal(0), time_left_s=0)


def test_a_slow_drain_is_told_in_tenths() -> None:
    assert measured((0, 0), (10, 3), head=6) == Progress(entries_left=3, entries_per_s=Decimal("0.3"), time_left_s=10)


def test_another_journal_counts_anew() -> None:
    assert measured((0, 900), (1, 1_000), (2, 0), (3, 10), head=20).entries_per_s == Decimal("10.0")


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 2_000)), min_size=1, max_size=60))
def test_any_pace_gives_a_rate_that_was_reached(steps: list[tuple[int, int]]) -> None:
    clock, watermark, fastest = Clock(), 0, 0
    meter = ProgressMeter(clock)
    meter.measure(0, 1_000)
    for pause_ms, moved in steps:
        clock.now_ms += SAMPLE_MS + pause_ms
        watermark += moved
        fastest = max(fastest, 10_000 * moved // (SAMPLE_MS + pause_ms))
        progress = meter.measure(watermark, 1_000)
        assert 0 <= progress.entries_per_s * 10 <= fastest + 1
        assert (progress.time_left_s is None) == (progress.entries_per_s == 0)
    assert len(meter._samples) <= WINDOW_MS // SAMPLE_MS + 2


async def heard(stream: Any, wanted: Callable[[Progress], bool]) -> Progress:
    decoder = EventDecoder()
    async with asyncio.timeout(60):
        async for chunk in stream:
            for event in decoder.feed(chunk):
                found = till_event(event)
                if isinstance(found, Progress) and wanted(found):
                    return found
    raise AssertionError("the stream ended")


async def test_who_listens_for_progress_hears_no_scan_and_counts_as_no_pos() -> None:
    hub = EventHub()
    hub.attach(asyncio.get_running_loop())
    progress, devices = hub.listen("1", "progress"), hub.listen("2")
    await anext(progress), await anext(devices)
    hub.scanned("1", Scan(data="A"))
    hub.progressed(Progress(entries_left=7))
    assert (await heard(progress, lambda told: True)).entries_left == 7
    assert hub.dropped_scans == 1
    hub.scanned("2", Scan(data="B"))
    chunk = await anext(devices)
    assert b"event: scan" in chunk
    for stream in (progress, devices):
        await stream.aclose()  # type: ignore[attr-defined]  # an async generator behind its iterator's type


async def test_who_listens_is_told_at_once_and_again_when_something_changed() -> None:
    hub, exchange = EventHub(), SimpleNamespace(watermark=0, entries_left=5)
    hub.attach(asyncio.get_running_loop())
    telling = asyncio.create_task(tell_progress(ProgressMeter(Clock()), exchange, hub))  # type: ignore[arg-type]
    stream = hub.listen("1", "progress")
    assert (await heard(stream, lambda progress: True)).entries_left == 5
    exchange.watermark, exchange.entries_left = 5, 0
    assert (await heard(stream, lambda progress: progress.entries_left == 0)).time_left_s == 0
    telling.cancel()
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator behind its iterator's type
