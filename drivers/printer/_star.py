"""The languages of Star's printers: Star Line, which takes text, and Star Graphic, which takes rows of dots alone.

Sources: Star Micronics STAR Line Mode Command Specifications, revision 1.12, and STAR Graphic Mode Command
Specifications, revision 2.32.
"""

from __future__ import annotations

from collections.abc import Iterable

from drivers.printer._commands import LINE_END, PLAIN
from drivers.printer.codes import qr_bytes
from drivers.printer.document import Align, Barcode, DrawerPulse, Logo, QrCode
from drivers.printer.layout import LaidLine
from drivers.printer.profile import PrinterProfile

__all__ = ["StarLineCommands", "raster_job"]

_ALIGN = {Align.LEFT: 0, Align.CENTER: 1, Align.RIGHT: 2}
_QR_MODULE_DOTS_MAX = 8
_FEED_LINES_MAX = 127
_CUT_AFTER_FEED = {False: 2, True: 3}
_ENTER_RASTER = b"\x1b*rR\x1b*rA"
# The receipt has one length, its own: the printer feeds nothing at its end, and the cut is a command of ours.
_NO_PAGES = b"\x1b*rP0\x00\x1b*rE1\x00"
_LEAVE_RASTER = b"\x1b*rB"
_PULSE_TICK_MS = 10


class StarLineCommands:
    """Star Line: the commands of Epson with other letters."""

    def __init__(self, profile: PrinterProfile) -> None:
        self._profile = profile
        self._output = bytearray()
        self._style = PLAIN

    @property
    def output(self) -> bytes:
        return bytes(self._output)

    def reset(self) -> None:
        self._output += self._profile.select_emulation + b"\x1b@"

    def begin(self) -> None:
        self._output += b"\x1b\x1dt" + bytes([self._profile.page_number])
        self._output += b"\x1b\x1da\x00\x1bF\x1bi\x00\x00"

    def line(self, line: LaidLine) -> None:
        self._set_style(line)
        self._output += line.text.encode(self._profile.code_page) + LINE_END

    def _set_style(self, wanted: LaidLine) -> None:
        before, self._style = self._style, wanted
        if (before.double_height, before.double_width) != (wanted.double_height, wanted.double_width):
            self._output += b"\x1bi" + bytes([wanted.double_height, wanted.double_width])
        if before.bold != wanted.bold:
            self._output += b"\x1bE" if wanted.bold else b"\x1bF"
        if before.align is not wanted.align:
            self._align(wanted.align)

    def _align(self, align: Align) -> None:
        self._output += b"\x1b\x1da" + bytes([_ALIGN[align]])

    def qr(self, code: QrCode) -> None:
        data = qr_bytes(code)
        self._align(Align.CENTER)
        # Model 2, error correction L, the size of a square, the data, print.
        self._output += b"\x1b\x1dyS0\x02\x1b\x1dyS1\x00"
        self._output += b"\x1b\x1dyS2" + bytes([min(code.module_dots, _QR_MODULE_DOTS_MAX)])
        self._output += b"\x1b\x1dyD1\x00" + len(data).to_bytes(2, "little") + data + b"\x1b\x1dyP"
        self._align(self._style.align)

    def barcode(self, code: Barcode) -> None:
        raise AssertionError("profiles of Star print barcodes as pictures")

    def picture(self, logo: Logo) -> None:
        # In raster mode alignment does not count: the white at the left is part of each row.
        indent = b"\x00" * (max(0, self._profile.dots - logo.width_dots) // 16)
        self._output += _picture(logo.rows, logo.row_bytes, indent)

    def feed(self, lines: int) -> None:
        while lines > 0:
            self._output += b"\x1ba" + bytes([min(lines, _FEED_LINES_MAX)])
            lines -= _FEED_LINES_MAX

    def cut(self, *, partial: bool) -> None:
        self._output += b"\x1bd" + bytes([_CUT_AFTER_FEED[partial]])

    def pulse(self, pulse: DrawerPulse) -> None:
        self._output += _pulse(pulse)

    def end(self) -> None:
        self._set_style(PLAIN)


def raster_job(rows: bytes, width_dots: int, pulses: Iterable[DrawerPulse], *, cut: bool) -> bytes:
    """Return the job of a printer that takes dots alone; the drawer opens first, as a cashier wants it."""
    opened = b"".join(_pulse(pulse) for pulse in pulses)
    printed = _picture(rows, (width_dots + 7) // 8, b"") if rows else b""
    return opened + printed + (b"\x1bd\x02" if cut else b"")


def _picture(rows: bytes, row_bytes: int, indent: bytes) -> bytes:
    count = (len(indent) + row_bytes).to_bytes(2, "little")
    sent = (b"b" + count + indent + rows[start : start + row_bytes] for start in range(0, len(rows), row_bytes))
    return _ENTER_RASTER + _NO_PAGES + b"".join(sent) + _LEAVE_RASTER


def _pulse(pulse: DrawerPulse) -> bytes:
    if pulse.pin == 5:
        # The second drawer has a pulse of its own and no setting for it.
        return b"\x1a"
    on, off = (min(127, max(1, time_ms // _PULSE_TICK_MS)) for time_ms in (pulse.on_ms, pulse.off_ms))
    return b"\x1b\x07" + bytes([on, off]) + b"\x07"
