"""Streams of a plain scanner at its worst, and what must come of them by a second, slow reading of the rules."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["GAP_S", "LIMIT_BYTES", "LIMIT_S", "Piece", "Reference", "plain_pieces"]

GAP_S = 0.1
LIMIT_BYTES = 256
LIMIT_S = 5.0
ENDS = b"\r\n\t\x03"
CODES = (
    b"]E04006381333931",
    b"]C1010061414112345210A\x1d21B",
    b"]Q1https://id.gs1.org/01/09506000134352/10/ABC",
    b"]Q2\\000026Jo\xc3\xa3o\\\\",
    b"529.982.247-25",
    b"12.ABC.345/01DE-35",
    b"+351 912 345 678",
    b"LM12345Y",
    b"]d2",
    b"]",
    b"\x02\x024711",
    "".join(chr(0xFF10 + digit) for digit in (3, 9, 0, 5, 3, 3, 4, 4, 7, 0, 5)).encode(),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that arrive together, and the seconds since those before."""

    data: bytes
    after_s: float


def plain_pieces(source: random.Random, byte_count: int) -> Iterator[Piece]:
    """Codes, noise, floods and fragments, cut anywhere and with pauses of every length."""
    made = 0
    while made < byte_count:
        burst = _burst(source)
        made += len(burst)
        at = 0
        while at < len(burst):
            length = source.choice((1, 2, 7, 64, 1_000))
            yield Piece(burst[at : at + length], source.choice((0.0, 0.0, 0.01, 0.05, GAP_S, 0.7)))
            at += length


def _burst(source: random.Random) -> bytes:
    kind = source.randrange(8)
    if kind < 4:
        return source.choice(CODES) + source.choice((b"\r", b"\n", b"\r\n", b"\t", b"\x03\r\n", b""))
    if kind == 4:
        return source.randbytes(source.randrange(1, 200))
    if kind == 5:
        return source.choice((b"\x00", b"x", b"\xff", b"\x02")) * source.randrange(1, 4 * LIMIT_BYTES)
    if kind == 6:
        return source.choice(CODES)[: source.randrange(1, 12)]
    return bytes(source.choice(ENDS) for _ in range(source.randrange(1, 9)))


class Reference:
    """The rules of framing, byte by byte and as plainly as they can be written."""

    def __init__(self) -> None:
        self._frame: list[int] | None = None
        self._noise = False
        self._began_s = self._last_s = 0.0
        self.found: list[bytes] = []

    def take(self, data: bytes, at_s: float) -> None:
        """Take the bytes that arrived at `at_s`."""
        if self._frame is not None and at_s - self._last_s >= GAP_S:
            self._end()
        for byte in data:
            self._take_byte(byte, at_s)
        self._last_s = at_s if data else self._last_s

    def _take_byte(self, byte: int, at_s: float) -> None:
        if byte in ENDS:
            self._end()
            return
        if self._frame is None:
            self._frame, self._began_s = [], at_s
        self._frame.append(byte)
        self._noise = self._noise or len(self._frame) > LIMIT_BYTES or at_s - self._began_s > LIMIT_S

    def _end(self) -> None:
        while self._frame and self._frame[0] == 0x02:
            self._frame.pop(0)
        if self._frame and not self._noise:
            self.found.append(bytes(self._frame))
        self._frame, self._noise = None, False
