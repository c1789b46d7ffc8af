"""A scanner that speaks SSI over a line that damages and loses in both directions. No thread, no port, no clock."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["SsiScanner"]

ACK, NAK, DECODE_DATA = 0xD0, 0xD1, 0xF3
ATTEMPTS_MAX = 3
PIECE_BYTES_MAX = 240

# Takes bytes after so many seconds, and returns what the till sent back by then.
Line = Callable[[bytes, float], bytes]


class SsiScanner:
    """Sends codes, each one different, and keeps which of them a till took by its own account."""

    def __init__(self, source: random.Random, line: Line) -> None:
        self._source = source
        self._line = line
        self.sent: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self.byte_count = 0

    def scan(self) -> None:
        """Scan one code, or make noise."""
        if self._source.randrange(4) == 0:
            self._put(self._source.randbytes(self._source.randrange(1, 600)), 0.01)
            self._put(b"", 1.0)
        code = b"%d:" % len(self.sent) + b"".join(b"%d-" % n for n in range(self._source.choice((1, 4, 20, 99, 300))))
        self.sent.append(code)
        pieces = [code[at : at + PIECE_BYTES_MAX] for at in range(0, len(code), PIECE_BYTES_MAX)]
        for place, piece in enumerate(pieces, start=1):
            if not self._send(b"\x03" + piece, 0x02 if place < len(pieces) else 0x00):
                # It beeps its transmit error, and the cashier scans again, at once or later.
                self._put(b"", self._source.choice((0.3, 2.0, 8.0)))
                return
        self.acknowledged.append(code)

    def _send(self, data: bytes, status: int) -> bool:
        for attempt in range(ATTEMPTS_MAX):
            body = bytes([4 + len(data), DECODE_DATA, 0, status | (attempt > 0)]) + data
            answer = self._transmit(body + (-sum(body) & 0xFFFF).to_bytes(2, "big"))
            if answer == ACK:
                return True
            if answer is not None and answer != NAK:
                return False
        return False

    def _transmit(self, packet: bytes) -> int | None:
        """Send one packet, damaged now and then and cut anywhere; return the opcode that came back, if one did."""
        damaged, answer, at = self._damaged(packet), b"", 0
        while at < len(damaged):
            length = self._source.choice((1, 3, 20, 300))
            answer += self._put(damaged[at : at + length], 0.001)
            at += length
        answer += self._put(b"", 0.15)
        lost = self._source.randrange(8) == 0
        if lost or len(answer) < 6:
            self._put(b"", 2.0)
            return None
        return self._judged(answer)

    def _judged(self, answer: bytes) -> int:
        """The answer; a NAK that asks for nothing again ends the scan."""
        opcode = answer[1]
        return opcode if opcode == ACK or answer[4] == 1 else 0

    def _damaged(self, packet: bytes) -> bytes:
        kind = self._source.randrange(8)
        at = self._source.randrange(len(packet))
        if kind == 0:  # One byte changed: what a sum is sure to find.
            return packet[:at] + bytes([packet[at] ^ self._source.randrange(1, 256)]) + packet[at + 1 :]
        if kind == 1:
            return packet[:at]
        if kind == 2:
            return self._source.randbytes(self._source.randrange(1, 9)) + packet
        return packet

    def _put(self, data: bytes, after_s: float) -> bytes:
        self.byte_count += len(data)
        return self._line(data, after_s)
