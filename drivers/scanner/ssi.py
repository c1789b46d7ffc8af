"""A scanner that speaks Zebra's Simple Serial Interface (SSI) with ACK/NAK. Does no I/O and reads no clock.

Laws:
1. A packet that is not whole and right when the line falls silent gets one NAK, which asks for it again. Nothing is
   looked for inside of a damaged packet: what a code holds could look like a packet.
2. A packet that is flagged as sent again and equals the last one gets the same answer and is no second scan.
3. A scan of several packets is given out whole or not at all: where its order is in doubt, the rest of it is denied.

Source: Zebra, Simple Serial Interface Programmer's Guide (72E-40451).
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.errors import CommandRefused
from drivers.scanner.framing import unwrap
from drivers.scanner.protocol import CommandDone, Frame, ScannerCommand
from drivers.scanner.ssi_packets import (
    CHECKSUM_BYTES,
    FROM_SCANNER,
    HEADER_BYTES,
    SYMBOLOGIES,
    Nak,
    Opcode,
    checksum,
    packet,
)
from drivers.scanner.symbology import Symbology

__all__ = ["Ssi"]

# How long a scanner goes on sending the same packet again: three times its longest response time-out of 9.9 s.
_RESEND_S_MAX = 30.0
# Packets bear no numbers: only time tells whether one belongs to those before it. The next packet of a scan follows our
# ACK or NAK at once. A scanner that heard no ACK for three times 2 s, its default, gives up: what comes later, and is
# not flagged as sent again, begins another scan. All that comes between is in doubt.
_JOIN_S_MAX = 1.0
_GIVEN_UP_S = 6.5
_ANSWER_S_MAX = 1.0
_ATTEMPTS_MAX = 3
_SENT_AGAIN = 0x01
_CONTINUES = 0x02


_COMMANDS = {
    ScannerCommand.ENABLE: (Opcode.SCAN_ENABLE, b""),
    ScannerCommand.DISABLE: (Opcode.SCAN_DISABLE, b""),
    ScannerCommand.BEEP: (Opcode.BEEP, b"\x00"),  # One short high tone.
    ScannerCommand.TRIGGER: (Opcode.START_SESSION, b""),
    ScannerCommand.RELEASE: (Opcode.STOP_SESSION, b""),
}


@dataclass(slots=True, kw_only=True)
class _Order:
    """A command on its way: what was sent, when, and how often."""

    command: ScannerCommand
    done: CommandDone
    sent_s: float
    attempts: int = 1


class Ssi:
    """The protocol of a scanner that speaks SSI; `silence_s` without a byte ends what is not a packet yet."""

    def __init__(self, *, silence_s: float, frame_bytes_max: int, suffixes: bytes = b"", prefix: bytes = b"") -> None:
        self._silence_s = silence_s
        self._bytes_max = frame_bytes_max
        self._suffixes = suffixes
        self._prefix = prefix
        self._pending = bytearray()
        self._damaged = False
        self._last_s = 0.0
        self._message = bytearray()
        self._naks = 0
        self._denied = False
        self._judged: tuple[int, bytes] | None = None
        self._judgement = b""
        self._heard_s = 0.0
        self._order: _Order | None = None
        self._outgoing = bytearray()
        self.dropped_frames = 0

    def receive(self, data: bytes, at_s: float) -> list[Frame]:
        """Take the bytes that came at `at_s` and return the scans that are whole; no bytes only tell the time."""
        if (self._pending or self._damaged) and at_s - self._last_s >= self._silence_s:
            self._ask_again(at_s)
        self._watch_order(at_s)
        if not data:
            return []
        self._last_s = at_s
        self._pending += data
        return [frame for body in self._packets() if (frame := self._take(body, at_s)) is not None]

    def send(self, command: ScannerCommand, at_s: float, done: CommandDone) -> None:
        """Send a command; `done` hears what became of it."""
        if self._order is not None:
            done(CommandRefused(f"the scanner is still busy with {self._order.command}: try again shortly"))
            return
        self._order = _Order(command=command, done=done, sent_s=at_s)
        self._outgoing += packet(*_COMMANDS[command])

    def take_outgoing(self) -> bytes:
        """Return what is to be written to the scanner now, and forget it."""
        outgoing = bytes(self._outgoing)
        self._outgoing.clear()
        return outgoing

    def _packets(self) -> list[bytes]:
        """Cut whole packets off what is pending; the first damage spoils all that comes up to a silence."""
        found = []
        while self._pending and not self._damaged:
            length = self._pending[0]
            if length < HEADER_BYTES or self._pending[2:3] not in (b"", bytes([FROM_SCANNER])):
                self._damaged = True
            elif len(self._pending) < length + CHECKSUM_BYTES:
                break
            else:
                body, given = bytes(self._pending[:length]), self._pending[length : length + CHECKSUM_BYTES]
                self._damaged = given != checksum(body)
                del self._pending[: length + CHECKSUM_BYTES]
                found += [] if self._damaged else [body]
        if self._damaged:
            self._pending.clear()
        return found

    def _ask_again(self, at_s: float) -> None:
        self._pending.clear()
        self._damaged = False
        self._naks += 1
        if self._last_s - self._heard_s <= _JOIN_S_MAX:
            self._heard_s = at_s
        self.dropped_frames += 1
        self._outgoing += packet(Opcode.NAK, bytes([Nak.RESEND]))

    def _take(self, body: bytes, at_s: float) -> Frame | None:
        opcode, status, data = body[1], body[3], body[HEADER_BYTES:]
        if opcode == Opcode.DECODE_DATA:
            return self._take_scan(status, data, at_s)
        if opcode == Opcode.EVENT:
            self._outgoing += packet(Opcode.ACK)
        elif opcode in (Opcode.ACK, Opcode.NAK):
            self._answered(opcode, data, at_s)
        return None

    def _take_scan(self, status: int, data: bytes, at_s: float) -> Frame | None:
        again, identity = bool(status & _SENT_AGAIN), (status & ~_SENT_AGAIN, data)
        pause_s, self._heard_s = at_s - self._heard_s, at_s
        between = self._naks and bool(self._message)  # Then it may be the next packet, which looks the same.
        if again and identity == self._judged and pause_s <= _RESEND_S_MAX and not between:
            self._outgoing += self._judgement
            return None
        if not again and pause_s > _GIVEN_UP_S:
            self._message.clear()
            self._denied = False
        frame = None
        if self._is_in_doubt(len(data), again, pause_s):
            self._deny(status)
        else:
            self._message += data[1:]
            self._judgement = packet(Opcode.ACK)
            frame = None if status & _CONTINUES else self._end(data[:1])
        self._judged = identity
        self._outgoing += self._judgement
        return frame

    def _is_in_doubt(self, added_bytes: int, again: bool, pause_s: float) -> bool:
        """Whether a packet cannot be joined to those before it: too much, too late, or not the one that was wanted."""
        # Unflagged is not what we asked for again, and after three NAKs the scanner gave up on what we asked for.
        other = bool(self._naks) and (not again or self._naks >= _ATTEMPTS_MAX)
        self._naks = 0
        doubtful = bool(self._message) and (other or pause_s > _JOIN_S_MAX)
        return self._denied or doubtful or len(self._message) + added_bytes > self._bytes_max

    def _deny(self, status: int) -> None:
        self._message.clear()
        self._denied = bool(status & _CONTINUES)
        self._judgement = packet(Opcode.NAK, bytes([Nak.DENIED]))
        self.dropped_frames += 1

    def _end(self, kind: bytes) -> Frame | None:
        data = unwrap(bytes(self._message), self._prefix).rstrip(self._suffixes)
        self._message.clear()
        symbology = SYMBOLOGIES.get(kind[0], Symbology.OTHER) if kind else Symbology.UNKNOWN
        return Frame(data=data, symbology=symbology) if data else None

    def _answered(self, opcode: int, data: bytes, at_s: float) -> None:
        order = self._order
        if order is None:
            return
        if opcode == Opcode.ACK:
            self._finish(order, None)
        elif data[:1] == bytes([Nak.RESEND]) and order.attempts < _ATTEMPTS_MAX:
            self._send_again(order, at_s)
        else:
            self._finish(order, f"the scanner refused {order.command}: see in its manual whether it does that")

    def _watch_order(self, at_s: float) -> None:
        order = self._order
        if order is None or at_s - order.sent_s < _ANSWER_S_MAX:
            return
        if order.attempts < _ATTEMPTS_MAX:
            self._send_again(order, at_s)
        else:
            self._finish(order, f"the scanner gave no answer to {order.command}: check that it is set to SSI")

    def _send_again(self, order: _Order, at_s: float) -> None:
        order.attempts, order.sent_s = order.attempts + 1, at_s
        opcode, data = _COMMANDS[order.command]
        self._outgoing += packet(opcode, data, status=_SENT_AGAIN)

    def _finish(self, order: _Order, refusal: str | None) -> None:
        self._order = None
        order.done(None if refusal is None else CommandRefused(refusal))
