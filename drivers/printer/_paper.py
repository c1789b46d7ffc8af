"""What stands on the paper after a stream of ESC/POS bytes. Does no I/O and answers through its return value.

Written from the command reference alone and not from what this project sends: it is the check on that.

Sources: Epson ESC/POS command reference; Bematech MP-4200 TH Programmer's Manual (GS F9h SP n).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from drivers.errors import DocumentInvalid
from drivers.printer._roll import Roll
from drivers.printer.document import Align, Barcode, BarcodeSymbology, Logo, QrCode

__all__ = ["Paper"]

_PAGES = {0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 16: "cp1252", 17: "cp866", 19: "cp858"}
_LONG_ESC = {0x21: 1, 0x2D: 1, 0x32: 0, 0x33: 1, 0x40: 0, 0x45: 1, 0x47: 1, 0x4A: 1, 0x4D: 1, 0x52: 1, 0x61: 1,
             0x64: 1, 0x70: 3, 0x74: 1, 0x7B: 1}  # fmt: skip
_LONG_GS = {0x21: 1, 0x42: 1, 0x48: 1, 0x61: 1, 0x62: 1, 0x66: 1, 0x68: 1, 0x72: 1, 0x77: 1, 0x49: 1, 0xF9: 2}
_PRINTABLE = re.compile(rb"[\x20-\x7e\x80-\xff]+")
_ALIGN = (Align.LEFT, Align.CENTER, Align.RIGHT, Align.LEFT)
_SYMBOLOGIES = {67: BarcodeSymbology.EAN13, 73: BarcodeSymbology.CODE128}
_RASTER_HEADER_BYTES = 8


class Paper(Roll):
    """The paper of a printer that speaks Epson's language."""

    def __init__(self, *, columns: int, receipts_max: int) -> None:
        super().__init__(columns=columns, receipts_max=receipts_max)
        self._stream = bytearray()
        self._qr = QrCode(data=" ")
        self._qr_dots = 3
        self._barcode_height = 162
        self._barcode_text = False
        self._tells_changes = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they come, in any pieces, and return what the printer answers to them."""
        self._stream += data
        answers = bytearray()
        position = 0
        stream = memoryview(bytes(self._stream))
        while position < len(stream):
            taken, answer = self._take(stream[position:])
            if not taken:
                break
            position += taken
            answers += answer
        del self._stream[:position]
        return bytes(answers)

    def lose_partial(self) -> None:
        """Forget a command that was cut off, as a connection that ends does."""
        self._stream.clear()
        self._tells_changes = False

    def real_time(self, data: bytes) -> tuple[bytes, bytes]:
        """Answer the real-time commands in bytes that wait; return the answers, and the bytes without them."""
        answers = b"".join(self._real_time_status(found[1][0]) for found in re.finditer(rb"\x10\x04(.)", data, re.S))
        return answers, re.sub(rb"\x10\x04.", b"", data, flags=re.S)

    def changed(self) -> bytes:
        """Return what the printer tells by itself when a sensor changed."""
        return self._automatic_status() if self._tells_changes else b""

    def _take(self, rest: memoryview) -> tuple[int, bytes]:
        """Return how many bytes the next command has, 0 when it is not complete, and the answer to it."""
        first = rest[0]
        if first == 0x1B:
            return self._take_fixed(rest, _LONG_ESC, self._escape)
        if first == 0x1D:
            return self._take_group(rest)
        if first == 0x10:
            return self._take_real_time(rest)
        run = _PRINTABLE.match(rest)
        if run:
            self._put(run[0].decode(self._page, errors="replace"))
            return run.end(), b""
        if first == 0x0A:
            self._end_line()
        elif first != 0x0D:
            self.strange.append(bytes(rest[:1]))
        return 1, b""

    def _take_fixed(
        self, rest: memoryview, lengths: dict[int, int], act: Callable[[int, bytes], bytes]
    ) -> tuple[int, bytes]:
        if len(rest) < 2:
            return 0, b""
        length = lengths.get(rest[1])
        if length is None:
            self.strange.append(bytes(rest[:2]))
            return 2, b""
        if len(rest) < 2 + length:
            return 0, b""
        return 2 + length, act(rest[1], bytes(rest[2 : 2 + length]))

    def _take_group(self, rest: memoryview) -> tuple[int, bytes]:
        special = {b"(": self._take_counted, b"V": self._take_cut, b"k": self._take_barcode, b"v": self._take_raster}
        take = special.get(bytes(rest[1:2]))
        return self._take_fixed(rest, _LONG_GS, self._group) if take is None else take(rest)

    def _take_counted(self, rest: memoryview) -> tuple[int, bytes]:
        if len(rest) < 5:
            return 0, b""
        length = rest[3] + 256 * rest[4]
        if len(rest) < 5 + length:
            return 0, b""
        return 5 + length, self._counted(bytes(rest[2:3]), bytes(rest[5 : 5 + length]))

    def _take_cut(self, rest: memoryview) -> tuple[int, bytes]:
        if len(rest) < 3:
            return 0, b""
        # The forms 65, 66, 97, 98 and so on carry how far to feed before the cut.
        length = 3 if rest[2] in (0, 1, 48, 49) else 4
        if len(rest) < length:
            return 0, b""
        self._cut()
        return length, b""

    def _take_barcode(self, rest: memoryview) -> tuple[int, bytes]:
        if len(rest) < 4 or len(rest) < 4 + rest[3]:
            return 0, b""
        length = 4 + rest[3]
        symbology, data = _SYMBOLOGIES.get(rest[2]), bytes(rest[4:length])
        if symbology is BarcodeSymbology.CODE128:
            data = data.removeprefix(b"{B").replace(b"{{", b"{")
        try:
            if symbology is None:
                raise DocumentInvalid("not a symbology of the twin's")
            code = Barcode(
                data=data.decode("ascii", errors="replace"),
                symbology=symbology,
                height_dots=self._barcode_height,
                show_text=self._barcode_text,
            )
        except DocumentInvalid:
            # A printer prints nothing of a barcode that it does not understand.
            self.strange.append(bytes(rest[:length]))
        else:
            self._put_code(code, f"[{symbology.value.upper()} {code.data}]")
        return length, b""

    def _take_raster(self, rest: memoryview) -> tuple[int, bytes]:
        if len(rest) < _RASTER_HEADER_BYTES:
            return 0, b""
        row_bytes, height = rest[4] + 256 * rest[5], rest[6] + 256 * rest[7]
        length = _RASTER_HEADER_BYTES + row_bytes * height
        if len(rest) < length:
            return 0, b""
        try:
            logo = Logo(width_dots=row_bytes * 8, rows=bytes(rest[_RASTER_HEADER_BYTES:length]))
        except DocumentInvalid:
            self.strange.append(bytes(rest[:_RASTER_HEADER_BYTES]))
        else:
            self._put_code(logo, f"[picture {logo.width_dots} x {logo.height_dots}]")
        return length, b""

    def _take_real_time(self, rest: memoryview) -> tuple[int, bytes]:
        if len(rest) < 3:
            return 0, b""
        if rest[1] != 0x04:
            self.strange.append(bytes(rest[:3]))
            return 3, b""
        return 3, self._real_time_status(rest[2])

    def _real_time_status(self, number: int) -> bytes:
        status = 0x12
        if number == 1 and self.prevented:
            status |= 0x08
        if number == 2:
            status |= (0x04 if self.cover_open else 0) | (0x20 if self.paper_out else 0)
        if number == 4:
            status |= (0x0C if self.paper_near_end else 0) | (0x60 if self.paper_out else 0)
        return bytes([status])

    def _automatic_status(self) -> bytes:
        printer = 0x10 | (0x08 if self.prevented else 0) | (0x20 if self.cover_open else 0)
        return bytes([printer, 0, self._paper_sensors(), 0x0F])

    def _paper_sensors(self) -> int:
        return (0x03 if self.paper_near_end else 0) | (0x0C if self.paper_out else 0)

    def _escape(self, command: int, values: bytes) -> bytes:
        if command == 0x40:
            self._reset_style()
        elif command == 0x74:
            self._page = self._page_of(values[0])
        elif command == 0x61:
            self._align = _ALIGN[values[0] & 0x03]
        elif command == 0x21:
            self._bold = bool(values[0] & 0x08)
            self._high, self._wide = 1 + bool(values[0] & 0x10), 1 + bool(values[0] & 0x20)
        elif command == 0x45:
            self._bold = bool(values[0] & 0x01)
        elif command == 0x64:
            self._feed(values[0])
        elif command == 0x4A:
            self._feed(1)
        elif command == 0x70:
            self.drawer_pulses += 1
        return b""

    def _page_of(self, number: int) -> str:
        if number not in _PAGES:
            self.strange.append(bytes([0x1B, 0x74, number]))
        return _PAGES.get(number, "cp437")

    def _group(self, command: int, values: bytes) -> bytes:
        if command == 0x21:
            self._wide, self._high = (values[0] >> 4) + 1, (values[0] & 0x0F) + 1
        elif command == 0x48:
            self._barcode_text = bool(values[0] & 0x03)
        elif command == 0x68:
            self._barcode_height = max(8, values[0])
        elif command == 0x72:
            return bytes([self._paper_sensors()])
        elif command == 0x61:
            self._tells_changes = values[0] != 0
            return self.changed()
        elif command == 0xF9:
            # The other command set begins as if the printer had been switched on.
            self._reset_style()
        return b""

    def _counted(self, name: bytes, body: bytes) -> bytes:
        if name == b"H" and body[:2] == b"00" and len(body) == 6:
            return b"\x37\x22" + body[2:] + b"\x00"
        if name == b"k" and body[:1] == b"1":
            self._take_qr(body[1:])
        else:
            self.strange.append(b"\x1d(" + name)
        return b""

    def _take_qr(self, body: bytes) -> None:
        if body[:1] == b"C" and len(body) > 1:
            self._qr_dots = min(16, max(1, body[1]))
        elif body[:1] == b"P" and body[2:]:
            self._qr = QrCode(data=body[2:].decode("utf-8", errors="replace"), module_dots=self._qr_dots)
        elif body[:1] == b"Q":
            self._put_code(self._qr, f"[QR {self._qr.data}]")
