"""Scans on their way to the POS: who hears them, who does not, and what a listener costs."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import pytest

from loyalty_sdk._events import EventDecoder, TillEvent, till_event
from loyalty_sdk._freshness import AgentClock
from loyalty_sdk.model import PrinterStatus, PrintJob, Scan, ScannerStatus
from terminal_agent import events
from terminal_agent.events import EventHub

ONLINE = ScannerStatus(scanner="counter", state="online")
OFFLINE = ScannerStatus(scanner="counter", state="offline", reason="plug it in")


class Listener:
    """A POS that reads its stream."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._decoder = EventDecoder()
        self.comments = 0
        self.clocks: list[datetime] = []
        self.heard: list[TillEvent] = []

    async def read(self) -> None:
        chunk = await anext(self._stream)
        self.comments += chunk.startswith(b":")
        found = [till_event(event) for event in self._decoder.feed(chunk)]
        self.clocks += [event.now for event in found if isinstance(event, AgentClock)]
        self.heard += [event for event in found if event is not None and not isinstance(event, AgentClock)]


@asynccontextmanager
async def listening(hub: EventHub, register: str) -> AsyncIterator[Listener]:
    stream = hub.listen(register)
    async with aclosing(stream):  # type: ignore[type-var]  # An async generator behind its iterator's type.
        listener = Listener(stream)
        await listener.read()
        yield listener


async def settle() -> None:
    """Let what was called from another thread come through."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.fixture
async def hub() -> EventHub:
    hub = EventHub()
    hub.attach(asyncio.get_running_loop())
    return hub


async def test_a_scan_reaches_its_register_only(hub: EventHub) -> None:
    async with listening(hub, "1") as one, listening(hub, "2") as two:
        hub.scanned("1", Scan(data="A", raw=b"A\xff"))
        hub.scanned("", Scan(data="B"))
        await settle()
        await one.read()
        await one.read()
        await two.read()
        assert one.heard == [Scan(data="A", raw=b"A\xff"), Scan(data="B")]
        assert two.heard == [Scan(data="B")]
    assert hub.dropped_scans == 0


async def test_a_scan_that_nobody_hears_is_dropped_and_counted(hub: EventHub) -> None:
    hub.scanned("1", Scan(data="A"))
    async with listening(hub, "2"):
        hub.scanned("1", Scan(data="B"))
        await settle()
    hub.scanned("2", Scan(data="C"))
    await settle()
    assert hub.dropped_scans == 3
    async with listening(hub, "1") as late:
        hub.scanned("1", Scan(data="D"))
        await settle()
        await late.read()
        assert late.heard == [Scan(data="D")], "what was dropped never reaches the next customer"


async def test_a_new_listener_hears_the_latest_state_of_its_scanners(hub: EventHub) -> None:
    hub.scanner_changed("1", ONLINE)
    hub.scanner_changed("1", OFFLINE)
    hub.scanner_changed("2", ScannerStatus(scanner="other", state="online"))
    await settle()
    assert set(hub.scanner_statuses()) == {OFFLINE, ScannerStatus(scanner="other", state="online")}
    async with listening(hub, "1") as listener:
        await listener.read()
        assert listener.heard == [OFFLINE]


async def test_a_printer_reaches_the_registers_that_it_serves(hub: EventHub) -> None:
    job = PrintJob(job_id="front:1", state="printed")
    async with listening(hub, "1") as one, listening(hub, "3") as three:
        hub.printer_changed(("1", "2"), PrinterStatus.of("front", "cover_open", "close it"))
        hub.print_job_ended((), job)
        await settle()
        await one.read()
        await one.read()
        await three.read()
        assert one.heard == [PrinterStatus(printer="front", status="cover_open", code=11, reason="close it"), job]
        assert three.heard == [job]


async def test_a_new_listener_hears_power_cover_and_paper_of_its_printers_but_no_old_jobs(hub: EventHub) -> None:
    for status in ("power_offline", "cover_open", "rec_nearempty", "rec_empty", "cover_ok", "power_online"):
        hub.printer_changed(("1",), PrinterStatus.of("front", status))
    hub.printer_changed((), PrinterStatus.of("back", "power_offline", "switch it on"))
    hub.print_job_ended(("1",), PrintJob(job_id="front:1", state="printed"))
    await settle()
    latest = {
        PrinterStatus.of("front", "power_online"),
        PrinterStatus.of("front", "cover_ok"),
        PrinterStatus.of("front", "rec_empty"),
        PrinterStatus.of("back", "power_offline", "switch it on"),
    }
    assert set(hub.printer_statuses()) == latest
    assert hub.scanner_statuses() == ()
    async with listening(hub, "1") as listener:
        for _ in latest:
            await listener.read()
        assert set(listener.heard) == latest
    assert hub.dropped_scans == 0, "a status that nobody hears is no lost scan"


async def test_a_listener_that_does_not_read_loses_its_oldest_events(hub: EventHub) -> None:
    async with listening(hub, "1") as slow:
        for number in range(events.QUEUE_MAX + 5):
            hub.scanned("1", Scan(data=str(number)))
        await settle()
        for _ in range(events.QUEUE_MAX):
            await slow.read()
        heard = [event.data for event in slow.heard if isinstance(event, Scan)]
        assert heard == [str(number) for number in range(5, events.QUEUE_MAX + 5)]


async def test_events_come_from_any_thread_while_the_listener_waits(hub: EventHub) -> None:
    async with listening(hub, "1") as listener:
        waiting = asyncio.create_task(listener.read())
        await asyncio.sleep(0)
        thread = threading.Thread(target=hub.scanned, args=("1", Scan(data="A")))
        thread.start()
        await waiting
        thread.join()
        assert listener.heard == [Scan(data="A")]


async def test_a_silent_stream_is_kept_alive(hub: EventHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.001)
    async with listening(hub, "1") as listener:
        await listener.read()
        await listener.read()
        assert (listener.comments, listener.heard) == (3, [])


async def test_a_listener_that_goes_is_forgotten(hub: EventHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LISTENERS_MAX", 1)
    async with listening(hub, "1"):
        assert hub.is_full
    assert not hub.is_full


async def test_closing_ends_every_stream_after_what_waits(hub: EventHub) -> None:
    async with listening(hub, "1") as idle, listening(hub, "2") as busy:
        waiting = asyncio.create_task(idle.read())
        await asyncio.sleep(0)
        hub.scanned("2", Scan(data="A"))
        await settle()
        await busy.read()
        hub.close()
        with pytest.raises(StopAsyncIteration):
            await waiting
        with pytest.raises(StopAsyncIteration):
            await busy.read()


def test_without_a_loop_events_are_dropped() -> None:
    hub = EventHub()
    hub.scanned("1", Scan(data="A"))
    loop = asyncio.new_event_loop()
    hub.attach(loop)
    loop.close()
    hub.scanned("1", Scan(data="A"))
    assert hub.dropped_scans == 0


async def test_a_listener_hears_the_clock_of_the_agent_at_once_and_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.001)
    at = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    async with listening(EventHub(lambda: at), "1") as listener:
        await listener.read()
        assert listener.clocks == [at, at]


async def test_a_scan_that_a_listener_left_waiting_is_dropped_by_its_age_and_told(
    hub: EventHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(hub, "1") as slow:
        hub.scanned("1", Scan(data="A", scanner="counter"))
        hub.scanner_changed("1", OFFLINE)
        await settle()
        monkeypatch.setattr(events, "SCAN_AGE_S_MAX", -1.0)
        await slow.read()
        await slow.read()
        told, status = slow.heard
        assert isinstance(told, ScannerStatus)
        assert (told.scanner, told.state) == ("counter", "online")
        assert "no POS listened: 1" in told.reason
        assert status == OFFLINE
    assert hub.dropped_scans == 1


async def test_who_listens_next_is_told_once_how_many_scans_nobody_heard(hub: EventHub) -> None:
    hub.scanner_changed("1", ONLINE)
    for code in ("A", "B"):
        hub.scanned("1", Scan(data=code, scanner="counter"))
    await settle()
    async with listening(hub, "1") as first:
        await first.read()
        (told,) = first.heard
        assert isinstance(told, ScannerStatus)
        assert "no POS listened: 2" in told.reason
    async with listening(hub, "1") as second:
        await second.read()
        assert second.heard == [ONLINE]
