"""The commands of one language of printers, as the renderer asks for them: a role, Epson's, and lines alone.

Knows no documents and no text: what comes in here is laid out, prepared and encoded.

Sources: Epson ESC/POS Application Programming Guide; Daruma DR700 manual, revision 06 (ESC m).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from drivers.printer.codes import qr_bytes
from drivers.printer.document import Align, Barcode, BarcodeSymbology, DrawerPulse, Logo, QrCode
from drivers.printer.layout import LaidLine, aligned
from drivers.printer.profile import PrinterProfile

__all__ = ["Commands", "EscPosCommands", "TextCommands"]

LINE_END = b"\n"
PLAIN = LaidLine(text="")

# What a printer obeys at once even in the middle of a picture: DLE EOT, DLE ENQ, DLE DC4. The last opens the drawer.
_REAL_TIME = (b"\x10\x04", b"\x10\x05", b"\x10\x14")
_GS_K_CODE128 = 73
_GS_K_EAN13 = 67
_TEXT_BELOW = 2
_MODULE_DOTS = 2


class Commands(Protocol):
    """Writes commands to a growing `output`. Lines come with `style`; everything else leaves the style as it was."""

    @property
    def output(self) -> bytes:
        """The bytes so far."""
        ...

    def reset(self) -> None:
        """Take the printer back to its settings, as the first command of a job."""
        ...

    def begin(self) -> None:
        """Select the code page and plain, left-aligned text: they are lost with a reset and with a connection."""
        ...

    def line(self, line: LaidLine) -> None:
        """Print one line in its style."""
        ...

    def qr(self, code: QrCode) -> None: ...

    def barcode(self, code: Barcode) -> None: ...

    def picture(self, logo: Logo) -> None: ...

    def feed(self, lines: int) -> None: ...

    def cut(self, *, partial: bool) -> None: ...

    def pulse(self, pulse: DrawerPulse) -> None: ...

    def end(self) -> None:
        """Leave plain, left-aligned text behind."""
        ...


class EscPosCommands:
    """Epson's language; python-escpos writes what it has a command for.

    Its functions for text, code pages and barcodes are never used: they choose pages by themselves, let control
    bytes of the data through, and print on the standard output.
    """

    def __init__(self, profile: PrinterProfile, paper: Any) -> None:
        self._profile = profile
        self._paper = paper
        self._style = PLAIN

    @property
    def output(self) -> bytes:
        output: bytes = self._paper.output
        return output

    def reset(self) -> None:
        self._paper._raw(self._profile.select_emulation)
        self._paper.hw("INIT")

    def begin(self) -> None:
        self._paper._raw(b"\x1bt" + bytes([self._profile.page_number]))
        self._paper.set(align="left", bold=False, normal_textsize=True)

    def line(self, line: LaidLine) -> None:
        self._set_style(line)
        self._paper._raw(line.text.encode(self._profile.code_page) + LINE_END)

    def _set_style(self, wanted: LaidLine) -> None:
        before, self._style = self._style, wanted
        sizes_differ = (before.double_height, before.double_width) != (wanted.double_height, wanted.double_width)
        if sizes_differ:
            normal = not (wanted.double_height or wanted.double_width)
            self._paper.set(
                normal_textsize=normal, double_height=wanted.double_height, double_width=wanted.double_width
            )
        # The command for the size takes the weight with it.
        if sizes_differ or before.bold != wanted.bold:
            self._paper.set(bold=wanted.bold)
        if before.align is not wanted.align:
            self._paper.set(align=wanted.align.value)

    def qr(self, code: QrCode) -> None:
        self._centred(lambda: self._paper.qr(qr_bytes(code).decode(), native=True, size=code.module_dots))

    def barcode(self, code: Barcode) -> None:
        kind, data = _GS_K_CODE128, b"{B" + code.data.encode("ascii").replace(b"{", b"{{")
        if code.symbology is BarcodeSymbology.EAN13:
            kind, data = _GS_K_EAN13, code.data.encode("ascii")
        settings = bytes([0x1D, 0x68, code.height_dots, 0x1D, 0x77, _MODULE_DOTS])
        text = bytes([0x1D, 0x48, _TEXT_BELOW if code.show_text else 0])
        command = bytes([0x1D, 0x6B, kind, len(data)]) + data
        self._centred(lambda: self._paper._raw(settings + text + command))

    def picture(self, logo: Logo) -> None:
        sizes = logo.row_bytes.to_bytes(2, "little") + logo.height_dots.to_bytes(2, "little")
        self._centred(lambda: self._paper._raw(b"\x1dv0\x00" + sizes + _without_real_time(logo.rows)))

    def _centred(self, write: Callable[[], None]) -> None:
        self._paper.set(align=Align.CENTER.value)
        write()
        self._paper.set(align=self._style.align.value)

    def feed(self, lines: int) -> None:
        self._paper.print_and_feed(lines)

    def cut(self, *, partial: bool) -> None:
        self._paper.cut(mode="PART" if partial else "FULL")

    def pulse(self, pulse: DrawerPulse) -> None:
        self._paper.cashdraw(list(pulse.sequence))

    def end(self) -> None:
        self._set_style(PLAIN)


def _without_real_time(rows: bytes) -> bytes:
    """Blacken or clear one dot where the dots of a picture happen to be a real-time command."""
    for command in _REAL_TIME:
        rows = rows.replace(command, bytes([command[0], command[1] ^ 0x01]))
    return rows


class TextCommands:
    """Lines alone, aligned by spaces, for printers whose commands nobody knows; and one cut, where there is a knife."""

    def __init__(self, profile: PrinterProfile) -> None:
        self._profile = profile
        self._output = bytearray()

    @property
    def output(self) -> bytes:
        return bytes(self._output)

    def reset(self) -> None:
        self._output += self._profile.select_emulation + b"\x1b@"

    def begin(self) -> None:
        """Nothing: the code page is the one set at the printer."""

    def line(self, line: LaidLine) -> None:
        text = aligned(line.text, line.align, self._profile.columns)
        self._output += text.encode(self._profile.code_page) + LINE_END

    def feed(self, lines: int) -> None:
        self._output += LINE_END * lines

    def cut(self, *, partial: bool) -> None:
        self.feed(6)
        self._output += b"\x1bm"

    def qr(self, code: QrCode) -> None:
        raise AssertionError("no profile of lines alone supports codes")

    def barcode(self, code: Barcode) -> None:
        raise AssertionError("no profile of lines alone supports codes")

    def picture(self, logo: Logo) -> None:
        raise AssertionError("no profile of lines alone supports pictures")

    def pulse(self, pulse: DrawerPulse) -> None:
        raise AssertionError("no profile of lines alone supports a drawer")

    def end(self) -> None:
        """Nothing: there is no style."""
