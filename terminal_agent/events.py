"""Scans, device states and print jobs on their way to the POS: from the devices' threads to server-sent events.

A register's events go to whoever listens for it. Nobody listening means the event is dropped and counted: a scan that
was kept would end up with the next customer. A listener that does not read loses its oldest events, and scans that it
left waiting for long. Who listens next is told how many were dropped.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from starlette.responses import StreamingResponse

from drivers.clock import SystemClock
from loyalty_sdk.codec import dumps
from loyalty_sdk.model import PrinterStatus, PrintJob, Progress, Scan, ScannerStatus

__all__ = ["TOPICS", "EventHub", "Topic", "event_stream"]

EventName = Literal["clock", "scan", "scanner_status", "printer_status", "print_job", "progress"]
Topic = Literal["devices", "progress"]
Event = Scan | ScannerStatus | PrinterStatus | PrintJob | Progress
TOPICS: tuple[Topic, ...] = get_args(Topic)
QUEUE_MAX = 100
LISTENERS_MAX = 200
KEEP_ALIVE_S = 15
SCAN_AGE_S_MAX = 5.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event that waits since `at_s` of the loop's time; `scanner` is set for a scan."""

    data: bytes
    at_s: float
    scanner: str | None = None


class _Listener:
    """The events that wait for one listener."""

    def __init__(self, register: str, topic: Topic) -> None:
        self.register = register
        self.topic = topic
        self.waiting: deque[_Waiting] = deque(maxlen=QUEUE_MAX)
        self.ready = asyncio.Event()


class EventHub:
    """Hands events from any thread to the listeners in the event loop, where all of its state lives."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        """`now` is the agent's clock, the machine's own where it is left out."""
        self._now = now or SystemClock().now
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[_Listener] = set()
        self._latest: dict[tuple[str, str], tuple[tuple[str, ...], EventName, ScannerStatus | PrinterStatus]] = {}
        self._closing = False
        self._unheard: Counter[str] = Counter()
        self._progress: Progress | None = None
        self.dropped_scans = 0

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the listeners live in; before it, events are dropped."""
        self._loop = loop

    def scanned(self, register: str, scan: Scan) -> None:
        """Tell a scan; from any thread. An empty register means every one."""
        self._publish("scan", (register,) if register else (), scan)

    def scanner_changed(self, register: str, status: ScannerStatus) -> None:
        """Tell that a scanner went online or offline; who listens later hears the latest state too."""
        self._publish("scanner_status", (register,) if register else (), status)

    def printer_changed(self, registers: tuple[str, ...], status: PrinterStatus) -> None:
        """Tell that power, cover or paper of a printer changed; no registers means every one. From any thread."""
        self._publish("printer_status", registers, status)

    def print_job_ended(self, registers: tuple[str, ...], job: PrintJob) -> None:
        """Tell what became of a print job; who listens later asks for the jobs instead. From any thread."""
        self._publish("print_job", registers, job)

    def progressed(self, progress: Progress) -> None:
        """Tell how far the journal is sent; who listens later hears the latest too. From any thread."""
        self._publish("progress", (), progress)

    def scanner_statuses(self) -> tuple[ScannerStatus, ...]:
        """Return the latest state of every scanner."""
        return tuple(status for _, _, status in self._latest.values() if isinstance(status, ScannerStatus))

    def printer_statuses(self) -> tuple[PrinterStatus, ...]:
        """Return the latest power, cover and paper of every printer that reports them."""
        return tuple(status for _, _, status in self._latest.values() if isinstance(status, PrinterStatus))

    async def listen(self, register: str, topic: Topic = "devices") -> AsyncIterator[bytes]:
        """Give the events of a register's devices, or the progress, with a keep-alive comment now and then.

        Who listens for the progress is no POS at its scanner: scans are not for it, and not heard by it.
        """
        listener = _Listener(register, topic)
        self._tell_latest(listener)
        self._listeners.add(listener)
        try:
            yield b": listening\n\n" + self._clock()
            while not self._closing:
                listener.ready.clear()  # Before the events: what comes while they are sent wakes us again.
                while listener.waiting:
                    yield self._fresh(listener.waiting.popleft())
                try:
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        await listener.ready.wait()
                except TimeoutError:
                    yield b": still here\n\n" + self._clock()
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream, so that the agent can; in the loop's thread."""
        self._closing = True
        for listener in self._listeners:
            listener.ready.set()

    def _time_s(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    def _clock(self) -> bytes:
        """The agent's time, by which the SDK tells how long a scan waited for its POS."""
        return _encode("clock", {"now": self._now()})

    def _tell_latest(self, listener: _Listener) -> None:
        if listener.topic == "progress":
            if self._progress is not None:
                listener.waiting.append(_Waiting(_encode("progress", self._progress), self._time_s()))
            return
        for registers, name, status in list(self._latest.values()):
            if not registers or listener.register in registers:
                listener.waiting.append(_Waiting(_encode(name, self._with_unheard(status)), self._time_s()))

    def _fresh(self, waiting: _Waiting) -> bytes:
        """Return the event, or in place of a scan that waited too long that it was dropped."""
        if waiting.scanner is None or self._time_s() - waiting.at_s <= SCAN_AGE_S_MAX:
            return waiting.data
        self._drop(waiting.scanner)
        return _encode("scanner_status", self._with_unheard(ScannerStatus(scanner=waiting.scanner, state="online")))

    def _drop(self, scanner: str) -> None:
        self.dropped_scans += 1
        self._unheard[scanner] += 1

    def _with_unheard(self, status: ScannerStatus | PrinterStatus) -> ScannerStatus | PrinterStatus:
        """Say once how many scans nobody heard."""
        count = self._unheard.pop(status.scanner, 0) if isinstance(status, ScannerStatus) else 0
        told = f"dropped scans that came while no POS listened: {count}; scan again"
        return replace(status, reason=f"{status.reason}; {told}" if status.reason else told) if count else status

    @property
    def is_full(self) -> bool:
        """Whether no further listener is taken."""
        return len(self._listeners) >= LISTENERS_MAX

    def _publish(self, name: EventName, registers: tuple[str, ...], event: Event) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._deliver, name, registers, event)

    def _deliver(self, name: EventName, registers: tuple[str, ...], event: Event) -> None:
        if isinstance(event, ScannerStatus):
            self._latest["scanner", event.scanner] = (registers, name, event)
        elif isinstance(event, PrinterStatus):
            part = event.status.partition("_")[0]  # Power, cover and receipt paper change each for itself.
            self._latest[part, event.printer] = (registers, name, event)
        elif isinstance(event, Progress):
            self._progress = event
        scanner = event.scanner if isinstance(event, Scan) else None
        waiting = _Waiting(_encode(name, event), self._time_s(), scanner)
        topic: Topic = "progress" if isinstance(event, Progress) else "devices"
        heard = False
        for listener in self._listeners:
            if listener.topic == topic and (not registers or listener.register in registers):
                listener.waiting.append(waiting)
                listener.ready.set()
                heard = True
        if scanner is not None and not heard:
            self._drop(scanner)


def event_stream(hub: EventHub, register: str, topic: Topic = "devices") -> StreamingResponse:
    """Return the response that streams the events of a register's devices, or the progress."""
    return StreamingResponse(
        hub.listen(register, topic), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def _encode(name: EventName, event: Event | dict[str, datetime]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dumps(event) + b"\n\n"
