"""Scans and device states on their way to the POS: from the devices' threads to server-sent events.

A register's events go to whoever listens for it. Nobody listening means the event is dropped and counted: a scan that
was kept would end up with the next customer. A listener that does not read loses its oldest events.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Literal

from starlette.responses import StreamingResponse

from loyalty_sdk.codec import dumps
from loyalty_sdk.model import Scan, ScannerStatus

__all__ = ["EventHub", "event_stream"]

EventName = Literal["scan", "scanner_status"]
QUEUE_MAX = 100
LISTENERS_MAX = 200
KEEP_ALIVE_S = 15


class _Listener:
    """The events that wait for one listener."""

    def __init__(self, register: str) -> None:
        self.register = register
        self.waiting: deque[bytes] = deque(maxlen=QUEUE_MAX)
        self.ready = asyncio.Event()


class EventHub:
    """Hands events from any thread to the listeners in the event loop, where all of its state lives."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[_Listener] = set()
        self._statuses: dict[str, tuple[str, ScannerStatus]] = {}
        self._closing = False
        self.dropped_scans = 0

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the listeners live in; before it, events are dropped."""
        self._loop = loop

    def scanned(self, register: str, scan: Scan) -> None:
        """Tell a scan; from any thread. An empty register means every one."""
        self._publish("scan", register, scan)

    def scanner_changed(self, register: str, status: ScannerStatus) -> None:
        """Tell that a scanner went online or offline; who listens later hears the latest state too."""
        self._publish("scanner_status", register, status)

    def scanner_statuses(self) -> tuple[ScannerStatus, ...]:
        """Return the latest state of every scanner."""
        return tuple(status for _, status in self._statuses.values())

    async def listen(self, register: str) -> AsyncIterator[bytes]:
        """Give the events of a register as they come, with a keep-alive comment now and then."""
        listener = _Listener(register)
        for name, status in list(self._statuses.values()):
            if name in ("", register):
                listener.waiting.append(_encode("scanner_status", status))
        self._listeners.add(listener)
        try:
            yield b": listening\n\n"
            while not self._closing:
                listener.ready.clear()  # Before the events: what comes while they are sent wakes us again.
                while listener.waiting:
                    yield listener.waiting.popleft()
                try:
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        await listener.ready.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream, so that the agent can; in the loop's thread."""
        self._closing = True
        for listener in self._listeners:
            listener.ready.set()

    @property
    def is_full(self) -> bool:
        """Whether no further listener is taken."""
        return len(self._listeners) >= LISTENERS_MAX

    def _publish(self, name: EventName, register: str, event: Scan | ScannerStatus) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._deliver, name, register, event)

    def _deliver(self, name: EventName, register: str, event: Scan | ScannerStatus) -> None:
        if isinstance(event, ScannerStatus):
            self._statuses[event.scanner] = (register, event)
        data = _encode(name, event)
        heard = False
        for listener in self._listeners:
            if register in ("", listener.register):
                listener.waiting.append(data)
                listener.ready.set()
                heard = True
        if name == "scan" and not heard:
            self.dropped_scans += 1


def event_stream(hub: EventHub, register: str) -> StreamingResponse:
    """Return the response that streams a register's events."""
    return StreamingResponse(
        hub.listen(register), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def _encode(name: EventName, event: Scan | ScannerStatus) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dumps(event) + b"\n\n"
