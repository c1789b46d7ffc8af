"""Scans on their way to the POS: who hears them, who does not, and what a listener costs."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from loyalty_sdk._events import EventDecoder, till_event
from loyalty_sdk.model import Scan, ScannerStatus
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
        self.heard: list[Scan | ScannerStatus] = []

    async def read(self) -> None:
        chunk = await anext(self._stream)
        self.comments += chunk.startswith(b":")
        self.heard += [found for event in self._decoder.feed(chunk) if (found := till_event(event)) is not None]


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
