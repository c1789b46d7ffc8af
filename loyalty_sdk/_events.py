"""Scans as they arrive: the decoder of server-sent events and the flow that keeps listening. No I/O.

Server-sent events are those of the HTML standard, section 9.2.6: UTF-8 lines that end in LF, CR or CRLF, fields
`event` and `data`, an empty line after each event, and comment lines that only keep the connection open.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime

from loyalty_sdk._answers import Answer, AnswerHead, read_answer
from loyalty_sdk._flow import Failure, Pause, RetryPolicy
from loyalty_sdk._freshness import AgentClock, Freshness
from loyalty_sdk._peer import Peer
from loyalty_sdk.codec import CodecError, decode_tolerant, loads
from loyalty_sdk.errors import AgentFailure, Busy, JournalUnavailable
from loyalty_sdk.model import PrinterStatus, PrintJob, Progress, Scan, ScannerStatus

__all__ = [
    "Deliver",
    "EventDecoder",
    "Listen",
    "Read",
    "ScanFlow",
    "ServerEvent",
    "TillEvent",
    "listen",
    "till_event",
]

EVENT_BYTES_MAX = 65_536
_EVENT_STREAM = "text/event-stream"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

TillEvent = Scan | ScannerStatus | PrinterStatus | PrintJob | Progress
_EVENTS: dict[str, type[TillEvent | AgentClock]] = {
    "clock": AgentClock,
    "scan": Scan,
    "scanner_status": ScannerStatus,
    "printer_status": PrinterStatus,
    "print_job": PrintJob,
    "progress": Progress,
}


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name (`message` where it has none) and its data, lines joined by LF."""

    name: str
    data: str


class EventDecoder:
    """Bytes in, events out, wherever the bytes are cut. Raises CodecError for an event above EVENT_BYTES_MAX."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = b""
        self._data: list[bytes] = []
        self._length = 0
        self._at_start = True

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Take the next bytes and return the events that they complete."""
        found = [event for line in self._lines(chunk) if (event := self._take(line)) is not None]
        if len(self._rest) + self._length > EVENT_BYTES_MAX:
            raise CodecError(f"an event exceeds {EVENT_BYTES_MAX} bytes")
        return found

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        text = self._without_mark(self._rest + chunk)
        # A CR at the end may be half of a CRLF: it waits for the next byte.
        held = b"\r" if text.endswith(b"\r") else b""
        whole = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = whole.split(b"\n")
        self._rest = rest + held
        return iter(lines)

    def _without_mark(self, text: bytes) -> bytes:
        if not self._at_start or (len(text) < 3 and _BYTE_ORDER_MARK.startswith(text)):
            return text
        self._at_start = False
        return text.removeprefix(_BYTE_ORDER_MARK)

    def _take(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._complete()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value
        elif field == b"data":
            self._data.append(value)
        self._length += len(line) if field in (b"event", b"data") else 0
        if self._length > EVENT_BYTES_MAX:
            raise CodecError(f"an event exceeds {EVENT_BYTES_MAX} bytes")
        return None

    def _complete(self) -> ServerEvent | None:
        name, data = self._name, self._data
        self._name, self._data, self._length = b"", [], 0
        if not data:
            return None
        return ServerEvent(name.decode("utf-8", "replace") or "message", b"\n".join(data).decode("utf-8", "replace"))


def till_event(event: ServerEvent) -> TillEvent | AgentClock | None:
    """Return what a till listens to, or the agent's clock; None for events of other names. Raises CodecError.

    Events and fields that a later release of the agent adds are left out.
    """
    wanted = _EVENTS.get(event.name)
    return None if wanted is None else decode_tolerant(wanted, loads(event.data), event.name)


@dataclass(frozen=True, slots=True)
class Listen:
    """Open the stream of events (closing the one before) and reply with its AnswerHead or a Failure."""


@dataclass(frozen=True, slots=True)
class Read:
    """Reply with the next bytes, or a Failure where the stream has ended.

    After a head that is no stream of events the whole body is wanted, with its limit.
    """

    whole: bool = False


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand an event to the POS and reply with None."""

    event: TillEvent


Reply = AnswerHead | bytes | Failure | None
ScanFlow = Generator[Listen | Read | Pause | Deliver, Reply, None]


def listen(peer: Peer, policy: RetryPolicy, fraction: Callable[[], float], now: Callable[[], datetime]) -> ScanFlow:
    """Listen until the POS stops, whatever becomes of the agent in between.

    A lost stream is said once, as a ScannerStatus `offline` without a scanner's name whose reason names the remedy, and
    once more as `online` when it is back. A scan that waited too long until the POS asked, and an event that does not
    read, is told as a ScannerStatus in its place. Raises what the agent refuses for good, AccessRefused for one.
    """
    failures, offline = 0, False
    while True:
        head = yield Listen()
        reason = head.text if isinstance(head, Failure) else ""
        if isinstance(head, AnswerHead):
            reason = yield from _refusal(head, peer)
        if not reason:
            if offline:
                yield Deliver(ScannerStatus(scanner="", state="online", reason="the agent answers again"))
            offline = False
            something_came, reason = yield from _read_events(Freshness(now))
            failures = 0 if something_came else failures
        if not offline:
            offline = True
            yield Deliver(ScannerStatus(scanner="", state="offline", reason=f"{peer.address}: {reason}; {peer.remedy}"))
        failures += 1
        yield Pause(policy.pause_s(failures, fraction()))


def _refusal(head: AnswerHead, peer: Peer) -> Generator[Read, Reply, str]:
    """Return why there is no stream of events yet, empty where there is one. Raises what will not pass by itself."""
    if head.status == 200 and head.media_type == _EVENT_STREAM:
        return ""
    body = yield Read(whole=True)
    if isinstance(body, Failure):
        return body.text
    try:
        read_answer(Scan, Answer(head=head, body=body if isinstance(body, bytes) else b""), peer)
    except (Busy, JournalUnavailable) as error:
        return error.detail
    raise AgentFailure(f"{peer.address} answered with no stream of events; check that the address is the agent's")


def _read_events(freshness: Freshness) -> Generator[Read | Deliver, Reply, tuple[bool, str]]:
    """Deliver the stream's events; return whether anything came, and why it ended."""
    decoder, something_came = EventDecoder(), False
    while True:
        chunk = yield Read()
        if not isinstance(chunk, bytes):
            return something_came, chunk.text if isinstance(chunk, Failure) else "the stream ended"
        something_came = True
        try:
            events = decoder.feed(chunk)
        except CodecError as error:
            return False, f"the stream does not read: {error}"
        for event in events:
            yield from _deliver(event, freshness)


def _deliver(event: ServerEvent, freshness: Freshness) -> Generator[Deliver, Reply, None]:
    """Hand an event on. One that does not read costs itself alone: a later agent may say it again and again."""
    try:
        found = till_event(event)
    except CodecError as error:
        reason = f"an event was left out, for it does not read ({error}): bring SDK and agent to the same release"
        yield Deliver(ScannerStatus(scanner="", state="online", reason=reason))
        return
    if isinstance(found, AgentClock):
        freshness.compare(found)
    elif found is not None:
        yield Deliver(freshness.judge(found) if isinstance(found, Scan) else found)
