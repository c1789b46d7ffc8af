"""What stands on the paper after a stream of Star's bytes, Line or Graphic. Does no I/O.

Written from the manuals alone and not from what this project sends: it is the check on that.

Sources: Star Micronics STAR Line Mode Command Specifications, revision 1.12; STAR Graphic Mode Command
Specifications, revision 2.32.
"""

from __future__ import annotations

import re

from drivers.errors import DocumentInvalid
from drivers.printer._roll import Roll
from drivers.printer.document import Align, Logo, QrCode

__all__ = ["StarPaper"]

_PAGES = {1: "cp437", 3: "cp437", 4: "cp858", 6: "cp860", 32: "cp1252"}
_PRINTABLE = re.compile(rb"[\x20-\x7e\x80-\xff]+")
_ALIGN = (Align.LEFT, Align.CENTER, Align.RIGHT)
_STATUS_REQUEST = b"\x1b\x06\x01"
# What follows each command in bytes.
_LENGTHS = {
    b"\n": 0, b"\x07": 0, b"\x1a": 0, b"\x17": 0, b"\x1b@": 0, b"\x1b\x1dt": 1, b"\x1b\x1da": 1, b"\x1bE": 0,
    b"\x1bF": 0, b"\x1bi": 2, b"\x1ba": 1, b"\x1bd": 1, b"\x1b\x07": 2, _STATUS_REQUEST: 0, b"\x1b\x1dyS": 2,
    b"\x1b\x1dyP": 0, b"\x1b*rR": 0, b"\x1b*rA": 0, b"\x1b*rB": 0, b"\x1b*rP": 2, b"\x1b*rE": 2,
}  # fmt: skip
_LOGO_ROWS = 800
_QR_DATA = b"\x1b\x1dyD1"
_LONGEST = max(len(prefix) for prefix in _LENGTHS)


class StarPaper(Roll):
    """The paper of a printer that speaks Star's languages."""

    def __init__(self, *, columns: int, receipts_max: int) -> None:
        super().__init__(columns=columns, receipts_max=receipts_max)
        self._stream = b""
        self._counter = 0
        self._rows: list[bytes] | None = None
        self._qr_data = b""
        self._qr_dots = 3

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they come, in any pieces, and return what the printer answers to them."""
        self._stream += data
        answers = b""
        while self._stream:
            taken, answer = self._take(self._stream)
            if not taken:
                break
            self._stream = self._stream[taken:]
            answers += answer
        return answers

    def lose_partial(self) -> None:
        """Forget a command that was cut off, as a connection that ends does."""
        self._stream, self._rows = b"", None

    def real_time(self, data: bytes) -> tuple[bytes, bytes]:
        """Answer the requests for status in bytes that wait; return the answers, and the bytes without them."""
        return self.changed() * data.count(_STATUS_REQUEST), data.replace(_STATUS_REQUEST, b"")

    def changed(self) -> bytes:
        """Return the automatic status of nine bytes."""
        printer = (0x08 if self.prevented else 0) | (0x20 if self.cover_open else 0)
        paper = (0x04 if self.paper_near_end else 0) | (0x08 if self.paper_out else 0)
        counter = (self._counter & 0b111) << 1 | (self._counter & 0b1_1000) << 2
        return bytes([0x23, 0x06, printer, 0, 0, paper, 0, counter, 0])

    def _take(self, rest: bytes) -> tuple[int, bytes]:
        if self._rows is not None and rest[:1] == b"b":
            return self._take_row(rest)
        if rest.startswith(_QR_DATA):
            return self._take_qr_data(rest)
        for prefix in (rest[:length] for length in range(_LONGEST, 0, -1)):
            if prefix in _LENGTHS:
                end = len(prefix) + _LENGTHS[prefix]
                return (end, self._act(prefix, rest[len(prefix) : end])) if len(rest) >= end else (0, b"")
        if any(known.startswith(rest) for known in (*_LENGTHS, _QR_DATA)):
            return 0, b""
        return self._take_text(rest), b""

    def _take_text(self, rest: bytes) -> int:
        run = _PRINTABLE.match(rest)
        if run is None:
            self.strange.append(rest[:1])
            return 1
        self._put(run[0].decode(self._page, errors="replace"))
        return run.end()

    def _take_row(self, rest: bytes) -> tuple[int, bytes]:
        if len(rest) < 3:
            return 0, b""
        end = 3 + int.from_bytes(rest[1:3], "little")
        if len(rest) < end:
            return 0, b""
        assert self._rows is not None  # Rows are taken in raster mode alone.
        self._rows.append(rest[3:end])
        return end, b""

    def _take_qr_data(self, rest: bytes) -> tuple[int, bytes]:
        start = len(_QR_DATA) + 3
        end = start + int.from_bytes(rest[start - 2 : start], "little")
        if len(rest) < start or len(rest) < end:
            return 0, b""
        self._qr_data = rest[start:end]
        return end, b""

    def _act(self, command: bytes, values: bytes) -> bytes:
        if command == _STATUS_REQUEST:
            return self.changed()
        if command == b"\x17":
            self._counter = (self._counter + 1) % 32
        elif command in (b"\x07", b"\x1a"):
            self.drawer_pulses += 1
        elif command.startswith(b"\x1b*r"):
            self._raster(command)
        elif command.startswith(b"\x1b\x1dy"):
            self._qr(command, values)
        else:
            self._line_command(command, values)
        return b""

    def _line_command(self, command: bytes, values: bytes) -> None:
        if command == b"\n":
            self._end_line()
        elif command == b"\x1b@":
            self._reset_style()
        elif command == b"\x1b\x1dt":
            if values[0] not in _PAGES:
                self.strange.append(command + values)
            self._page = _PAGES.get(values[0], "cp437")
        elif command == b"\x1b\x1da":
            self._align = _ALIGN[min(values[0], 2)]
        elif command in (b"\x1bE", b"\x1bF"):
            self._bold = command == b"\x1bE"
        elif command == b"\x1bi":
            self._high, self._wide = values[0] + 1, values[1] + 1
        elif command == b"\x1ba":
            self._feed(values[0])
        elif command == b"\x1bd":
            self._cut()

    def _qr(self, command: bytes, values: bytes) -> None:
        if values[:1] == b"2":
            self._qr_dots = min(8, max(1, values[1]))
        elif command.endswith(b"P") and self._qr_data:
            code = QrCode(data=self._qr_data.decode("utf-8", errors="replace"), module_dots=self._qr_dots)
            self._put_code(code, f"[QR {code.data}]")

    def _raster(self, command: bytes) -> None:
        if command.endswith(b"A"):
            self._end_line_if_any()
            self._rows = []
        elif command.endswith(b"B") and self._rows is not None:
            rows, self._rows = self._rows, None
            self._put_rows(rows)

    def _put_rows(self, rows: list[bytes]) -> None:
        """Cut a long picture into logos of the length that there may be."""
        row_bytes = max((len(row) for row in rows), default=0)
        for start in range(0, len(rows), _LOGO_ROWS):
            filled = b"".join(row.ljust(row_bytes, b"\x00") for row in rows[start : start + _LOGO_ROWS])
            try:
                logo = Logo(width_dots=row_bytes * 8, rows=filled)
            except DocumentInvalid:
                self.strange.append(b"b" + row_bytes.to_bytes(2, "little"))
                return
            self._put_code(logo, f"[picture {logo.width_dots} x {logo.height_dots}]")
