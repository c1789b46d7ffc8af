"""Did it print? The question that ends a job, and what a printer says, told apart. Does no I/O.

Laws:
1. Only a reply that belongs to this very job says that it printed; silence says "unknown".
2. Reply bytes are told apart by their fixed bits, because printers answer what nobody asked (automatic status).

Sources: Epson ESC/POS command reference, GS ( H, GS r, GS a, DLE EOT: the fixed bits of each reply; Star
Micronics STAR Line Mode Command Specifications, chapter 5.2.3: automatic status and its ETB counter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drivers.printer.profile import ConfirmMethod

__all__ = [
    "CONFIRMATIONS",
    "Confirmation",
    "NoConfirmation",
    "PaperStatusConfirmation",
    "ProcessIdConfirmation",
    "Reply",
    "ReplyKind",
    "ReplySplitter",
    "Splitter",
    "StarCounterConfirmation",
    "StarReplySplitter",
    "Verdict",
    "process_id",
]

_BLOCK_HEADERS = b"\x37\x5f"
_BLOCK_BYTES_MAX = 80
_ASB_REST_BYTES = 3
_PROCESS_ID_REQUEST = b"\x1d(H\x06\x0000"
_PROCESS_ID_ANSWER = b"\x37\x22"
_ROLL_PAPER_END = 0b0000_1100
_PROCESS_ID_FIRST = 0x21
_PROCESS_ID_DIGITS = 94


class ReplyKind(StrEnum):
    """What a reply is."""

    BLOCK = "block"
    REAL_TIME_STATUS = "real_time_status"
    AUTOMATIC_STATUS = "automatic_status"
    STATUS = "status"
    XON = "xon"
    XOFF = "xoff"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply of the printer; a block's `data` has its header and not its closing NUL."""

    kind: ReplyKind
    data: bytes


class Verdict(StrEnum):
    """What is known of a job after its last byte has left."""

    PRINTED = "printed"
    SENT = "sent"
    UNKNOWN = "unknown"


class Splitter(Protocol):
    """Cuts a printer's bytes into replies, wherever the wire cut them."""

    def feed(self, data: bytes) -> list[Reply]:
        """Take bytes and return the replies that are complete."""
        ...


class ReplySplitter:
    """Cuts what an ESC/POS printer says."""

    def __init__(self) -> None:
        self._block = bytearray()
        self._automatic = bytearray()

    def feed(self, data: bytes) -> list[Reply]:
        """Take bytes and return the replies that are complete."""
        replies = (self._take(byte) for byte in data)
        return [reply for reply in replies if reply is not None]

    def _take(self, byte: int) -> Reply | None:
        if self._block:
            return self._take_of_block(byte)
        if self._automatic:
            return self._take_of_automatic(byte)
        if byte in _BLOCK_HEADERS:
            self._block.append(byte)
            return None
        if byte & 0b1001_0011 == 0b0001_0000:
            self._automatic.append(byte)
            return None
        return Reply(kind=_kind_of(byte), data=bytes([byte]))

    def _take_of_block(self, byte: int) -> Reply | None:
        if byte:
            self._block.append(byte)
            if len(self._block) <= _BLOCK_BYTES_MAX:
                return None
        kind = ReplyKind.UNKNOWN if byte else ReplyKind.BLOCK
        data = bytes(self._block)
        self._block.clear()
        return Reply(kind=kind, data=data)

    def _take_of_automatic(self, byte: int) -> Reply | None:
        if byte & 0b1001_0000:
            # Not one of the three bytes that follow: the status broke off, and this begins something else.
            self._automatic.clear()
            return self._take(byte)
        self._automatic.append(byte)
        if len(self._automatic) <= _ASB_REST_BYTES:
            return None
        data = bytes(self._automatic)
        self._automatic.clear()
        return Reply(kind=ReplyKind.AUTOMATIC_STATUS, data=data)


def _kind_of(byte: int) -> ReplyKind:
    if byte == 0x11:
        return ReplyKind.XON
    if byte == 0x13:
        return ReplyKind.XOFF
    if byte & 0b1001_0011 == 0b0001_0010:
        return ReplyKind.REAL_TIME_STATUS
    if byte & 0b1001_0000 == 0:
        return ReplyKind.STATUS
    return ReplyKind.UNKNOWN


class StarReplySplitter:
    """Cuts what a Star says: a header that names the length of the status, and bytes that look like no header."""

    def __init__(self) -> None:
        self._status = bytearray()
        self._length = 0

    def feed(self, data: bytes) -> list[Reply]:
        """Take bytes and return the replies that are complete."""
        replies = (self._take(byte) for byte in data)
        return [reply for reply in replies if reply is not None]

    def _take(self, byte: int) -> Reply | None:
        if byte in (0x11, 0x13):
            # Flow control comes between the bytes of a status too.
            return Reply(kind=_kind_of(byte), data=bytes([byte]))
        if byte & 0b1001_0001 == 0b0000_0001:
            self._length = _star_length(byte)
            self._status = bytearray([byte])
            return None
        if not self._status or byte & 0b1001_0001:
            self._status.clear()
            return Reply(kind=ReplyKind.UNKNOWN, data=bytes([byte]))
        self._status.append(byte)
        if len(self._status) < self._length:
            return None
        data = bytes(self._status)
        self._status.clear()
        return Reply(kind=ReplyKind.AUTOMATIC_STATUS, data=data)


def _star_length(header: int) -> int:
    """The length of the whole status, from bits 1, 2, 3 and 5 of its header."""
    return (header >> 1 & 0b111) | (header >> 2 & 0b1000)


def process_id(job_number: int) -> bytes:
    """Return four printable bytes for a job; they come again only after 78 million jobs."""
    digits = []
    for _ in range(4):
        job_number, digit = divmod(job_number, _PROCESS_ID_DIGITS)
        digits.append(_PROCESS_ID_FIRST + digit)
    return bytes(reversed(digits))


class Confirmation:
    """How one job is confirmed. This one, method "none", asks nothing: a job is sent and no more is known."""

    awaits_reply = False

    def __init__(self, job_number: int) -> None:
        self._job_number = job_number

    @property
    def request(self) -> bytes:
        """The bytes that follow the job."""
        return b""

    @property
    def probe(self) -> bytes:
        """Bytes that a printer which is able to print answers at once; empty where there are none.

        Asked before the job: a printer without paper takes a job and keeps silent, and then nobody knows.
        """
        return b""

    @property
    def poll(self) -> bytes:
        """Bytes that are sent now and then while the verdict is awaited, where the printer does not tell by itself."""
        return b""

    def answers_probe(self, reply: Reply) -> bool:
        """Say whether a reply answers the probe."""
        return False

    def verdict(self, reply: Reply) -> Verdict | None:
        """Say what a reply means for this job; None when it means nothing for it."""
        return None


NoConfirmation = Confirmation


class ProcessIdConfirmation(Confirmation):
    """GS ( H function 48: the printer gives the job's own id back when everything before it is printed."""

    awaits_reply = True

    @property
    def request(self) -> bytes:
        return _PROCESS_ID_REQUEST + self._id

    @property
    def probe(self) -> bytes:
        return _PROCESS_ID_REQUEST + self._probe_id

    def answers_probe(self, reply: Reply) -> bool:
        return _carries(reply, self._probe_id)

    def verdict(self, reply: Reply) -> Verdict | None:
        return Verdict.PRINTED if _carries(reply, self._id) else None

    @property
    def _id(self) -> bytes:
        return process_id(self._job_number)

    @property
    def _probe_id(self) -> bytes:
        # No job's id holds a space.
        return b" " + self._id[1:]


def _carries(reply: Reply, identifier: bytes) -> bool:
    return reply.kind is ReplyKind.BLOCK and reply.data == _PROCESS_ID_ANSWER + identifier


class PaperStatusConfirmation(Confirmation):
    """GS r 1 after the job: answered in its turn. A paper end at that moment leaves open what is on the paper."""

    awaits_reply = True

    @property
    def request(self) -> bytes:
        return b"\x1dr1"

    def verdict(self, reply: Reply) -> Verdict | None:
        if reply.kind is not ReplyKind.STATUS:
            return None
        return Verdict.UNKNOWN if reply.data[0] & _ROLL_PAPER_END else Verdict.PRINTED


class StarCounterConfirmation(Confirmation):
    """ETB after the job: a Star counts it, modulo 32, when everything before it is printed."""

    awaits_reply = True
    probe = b"\x1b\x06\x01"
    poll = probe
    request = b"\x17"
    _OFFLINE = 0b0000_1000

    def __init__(self, job_number: int) -> None:
        super().__init__(job_number)
        self._before: int | None = None

    def answers_probe(self, reply: Reply) -> bool:
        counter = _star_counter(reply)
        if counter is None or reply.data[2] & self._OFFLINE:
            return False
        self._before = counter
        return True

    def verdict(self, reply: Reply) -> Verdict | None:
        counter = _star_counter(reply)
        if counter is None or self._before is None or counter != (self._before + 1) % 32:
            return None
        return Verdict.PRINTED


def _star_counter(reply: Reply) -> int | None:
    """The five bits of the counter, which lie in the eighth byte; None for a reply without it."""
    if reply.kind is not ReplyKind.AUTOMATIC_STATUS or len(reply.data) < 8:
        return None
    counter = reply.data[7]
    return (counter >> 1 & 0b111) | (counter >> 2 & 0b1_1000)


CONFIRMATIONS: Mapping[ConfirmMethod, type[Confirmation]] = {
    "none": NoConfirmation,
    "process_id": ProcessIdConfirmation,
    "status": PaperStatusConfirmation,
    "star_counter": StarCounterConfirmation,
}
