"""A receipt as a picture: dots for printers that take nothing else, PNG for people. Loads Pillow with the first one.

The letters are DejaVu Sans Mono, which comes with python-barcode; each stands in a cell of its own, as on the paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING

from drivers.printer.codes import barcode_dots, qr_dots
from drivers.printer.document import Align, Barcode, Cut, Document, Element, Feed, Logo, QrCode
from drivers.printer.fitting import fitted
from drivers.printer.layout import LaidLine, lay_out
from drivers.printer.profile import PrinterProfile

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

__all__ = ["Part", "document_dots", "document_png", "draw_png"]

Part = LaidLine | Element

# A letter of this font is 0.602 of its size wide, and an accent on a capital needs 1.2 of it upwards.
_WIDTH_OF_SIZE = 0.602
_LINE_OF_CELL = 2.5
_MARGIN_DOTS = 24
_CUT_DASH_DOTS = 8
_BLACK_BELOW = 128
_HEIGHT_DOTS_MAX = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """The paper under the pen: its width, and the cell of one letter of normal size."""

    dots: int
    columns: int

    @property
    def cell_dots(self) -> int:
        return self.dots // self.columns

    @property
    def line_dots(self) -> int:
        return int(self.cell_dots * _LINE_OF_CELL)


def document_png(document: Document, profile: PrinterProfile) -> bytes:
    """Return the document as it comes out of this printer, as a PNG; what the printer lacks is made up for as there."""
    parts = lay_out(fitted(document, profile), profile.columns, profile.code_page)
    return draw_png(parts, columns=profile.columns, dots=profile.dots)


def draw_png(parts: Iterable[Part], *, columns: int, dots: int) -> bytes:
    """Return lines, codes and pictures from top to bottom as a PNG, with white around them."""
    from PIL import Image

    paper = _drawn(parts, _Sheet(dots=dots, columns=columns))
    framed = Image.new("L", (paper.width + 2 * _MARGIN_DOTS, paper.height + 2 * _MARGIN_DOTS), 255)
    framed.paste(paper, (_MARGIN_DOTS, _MARGIN_DOTS))
    file = BytesIO()
    framed.save(file, "PNG", optimize=True)
    return file.getvalue()


def document_dots(document: Document, profile: PrinterProfile) -> bytes:
    """Return the document as rows of dots of the full width of the paper, as a `Logo` has them, without its cuts."""
    lines = lay_out(fitted(document, profile), profile.columns, profile.code_page)
    parts = [part for part in lines if not isinstance(part, Cut)]
    paper = _drawn(parts, _Sheet(dots=profile.dots, columns=profile.columns))
    dots = paper.point(lambda light: 255 if light < _BLACK_BELOW else 0).convert("1")
    return dots.tobytes() if paper.height else b""


def _drawn(parts: Iterable[Part], sheet: _Sheet) -> Image:
    """Draw each part, and paste them one below the other."""
    from PIL import Image

    strips = [strip for part in parts if (strip := _strip(part, sheet)) is not None]
    height = min(sum(strip.height for strip in strips), _HEIGHT_DOTS_MAX)
    paper = Image.new("L", (sheet.dots, height), 255)
    top = 0
    for strip in strips:
        paper.paste(strip, (max(0, (sheet.dots - strip.width) // 2), top))
        top += strip.height
    return paper


def _strip(part: Part, sheet: _Sheet) -> Image | None:
    from PIL import Image

    if isinstance(part, LaidLine):
        return _line(part, sheet)
    if isinstance(part, Feed):
        return Image.new("L", (sheet.dots, part.lines * sheet.line_dots), 255)
    if isinstance(part, Logo):
        return _dots(part)
    if isinstance(part, QrCode):
        return _dots(qr_dots(part, dots_max=sheet.dots))
    if isinstance(part, Barcode):
        return _barcode(part, sheet)
    return _cut(sheet) if isinstance(part, Cut) else None


def _line(line: LaidLine, sheet: _Sheet) -> Image:
    """One line of text; a letter of double size is a letter of normal size with every dot twice, as printers do."""
    from PIL import Image, ImageDraw

    wide, high = 1 + line.double_width, 1 + line.double_height
    narrow = sheet.dots // wide
    strip = Image.new("L", (narrow, sheet.line_dots), 255)
    pen = ImageDraw.Draw(strip)
    for position, letter in enumerate(line.text):
        left = _indent(line, sheet, narrow) + position * sheet.cell_dots
        for shift in range(1 + line.bold):
            pen.text((left + shift, 0), letter, font=_font(sheet.cell_dots), fill=0)
    return strip if wide == high == 1 else strip.resize((narrow * wide, strip.height * high), Image.Resampling.NEAREST)


def _indent(line: LaidLine, sheet: _Sheet, width_dots: int) -> int:
    free = max(0, width_dots - len(line.text) * sheet.cell_dots)
    return {Align.LEFT: 0, Align.CENTER: free // 2, Align.RIGHT: free}[line.align]


def _dots(logo: Logo) -> Image:
    from PIL import Image

    dots = Image.frombytes("1", (logo.width_dots, logo.height_dots), logo.rows)
    return dots.convert("L").point(_inverted)


def _inverted(light: int) -> int:
    return 255 - light


def _barcode(code: Barcode, sheet: _Sheet) -> Image | None:
    bars = barcode_dots(code, dots_max=sheet.dots)
    parts: list[Part] = [] if bars is None else [bars]
    if code.show_text or bars is None:
        parts.append(LaidLine(text=code.data[: sheet.columns], align=Align.CENTER))
    return _drawn(parts, sheet)


def _cut(sheet: _Sheet) -> Image:
    from PIL import Image, ImageDraw

    strip = Image.new("L", (sheet.dots, sheet.line_dots * 2), 255)
    pen = ImageDraw.Draw(strip)
    for left in range(0, sheet.dots, 2 * _CUT_DASH_DOTS):
        pen.line((left, sheet.line_dots, left + _CUT_DASH_DOTS, sheet.line_dots), fill=160)
    return strip


@cache
def _font(cell_dots: int) -> FreeTypeFont:
    from PIL import ImageFont

    face = files("barcode").joinpath("fonts/DejaVuSansMono.ttf").read_bytes()
    return ImageFont.truetype(BytesIO(face), int(cell_dots / _WIDTH_OF_SIZE))
