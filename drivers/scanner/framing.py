"""Bytes of a plain serial line into scans. Does no I/O and reads no clock: times come in with the bytes.

Laws:
1. A suffix byte or an idle gap ends a scan. An empty scan is never given out, so that CRLF is one end and
   not two.
2. Cutting the stream at other places gives the same scans, as long as no pause reaches the idle gap.
3. A frame that is too long or lasts too long is noise: all of it is dropped, up to the next end.
4. Nothing is given out that did not end: the owner throws the framer away when the device is lost.
"""

from __future__ import annotations

import re

from drivers.scanner.protocol import CommandDone, Frame, ScannerCommand, not_in_plain_serial

__all__ = ["Framer", "unwrap"]

_STX = b"\x02"


def unwrap(data: bytes, prefix: bytes) -> bytes:
    """Return what a scanner read, without STX and without the prefix that it puts in front."""
    return data.lstrip(_STX).removeprefix(prefix)


class Framer:
    """The protocol of a scanner that just sends. Times are seconds on any clock that does not run backwards."""

    def __init__(
        self,
        *,
        suffixes: bytes,
        idle_gap_s: float | None,
        frame_bytes_max: int,
        frame_duration_s_max: float,
        prefix: bytes = b"",
    ) -> None:
        self._ends = re.compile(b"[" + re.escape(suffixes) + b"]") if suffixes else None
        self._idle_gap_s = idle_gap_s
        self._bytes_max = frame_bytes_max
        self._duration_s_max = frame_duration_s_max
        self._prefix = prefix
        self._pending = bytearray()
        self._noise = False
        self._started_s: float | None = None
        self._last_s = 0.0
        self.dropped_frames = 0

    def receive(self, data: bytes, at_s: float) -> list[Frame]:
        """Take the bytes that came at `at_s` and return the scans that ended; no bytes only tell the time."""
        frames = self._end() if self._is_idle(at_s) else []
        if data:
            self._last_s = at_s
            *ended, rest = self._ends.split(data) if self._ends else [data]
            for piece in ended:
                self._append(piece, at_s)
                frames += self._end()
            self._append(rest, at_s)
        return frames

    def send(self, command: ScannerCommand, at_s: float, done: CommandDone) -> None:
        """Refuse: a scanner that just sends takes no commands."""
        done(not_in_plain_serial(command))

    def take_outgoing(self) -> bytes:
        """Nothing is ever sent to such a scanner."""
        return b""

    def _is_idle(self, at_s: float) -> bool:
        if self._started_s is None or self._idle_gap_s is None:
            return False
        return at_s - self._last_s >= self._idle_gap_s

    def _append(self, piece: bytes, at_s: float) -> None:
        if not piece:
            return
        if self._started_s is None:
            self._started_s = at_s
        lasted_s = at_s - self._started_s
        if self._noise or len(self._pending) + len(piece) > self._bytes_max or lasted_s > self._duration_s_max:
            self._noise = True
            self._pending.clear()
        else:
            self._pending += piece

    def _end(self) -> list[Frame]:
        data, noise = unwrap(bytes(self._pending), self._prefix), self._noise
        self._pending.clear()
        self._noise = False
        self._started_s = None
        self.dropped_frames += noise
        return [Frame(data=data)] if data and not noise else []
