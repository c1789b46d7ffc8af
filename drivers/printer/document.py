"""A receipt as data: what stands on the paper, in order. Knows no printer, no code page and no width.

Sources: GS1 General Specifications (check digit), ISO/IEC 15417 (Code 128), ISO/IEC 18004 (QR).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from drivers.drawer import DrawerPulse
from drivers.errors import DocumentInvalid

__all__ = [
    "Align",
    "Barcode",
    "BarcodeSymbology",
    "Columns",
    "Cut",
    "Document",
    "DrawerPulse",
    "Element",
    "Feed",
    "Logo",
    "QrCode",
    "Rule",
    "TextLine",
]

ELEMENTS_MAX = 2000
TEXT_CHARACTERS_MAX = 4096
QR_BYTES_MAX = 1024
FEED_LINES_MAX = 255
CODE128_CHARACTERS_MAX = 40
# A logo is at most as wide as the widest paper and 10 cm high, 8 dots to the millimetre.
LOGO_WIDTH_DOTS_MAX = 832
LOGO_HEIGHT_DOTS_MAX = 800


class Align(StrEnum):
    """Where a line stands on the paper."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """Text that wraps at the width of the paper; empty text is an empty line."""

    text: str = ""
    align: Align = Align.LEFT
    bold: bool = False
    double_height: bool = False
    double_width: bool = False

    def __post_init__(self) -> None:
        _check_text(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Text at the left and at the right of one line, as a description and its amount."""

    left: str
    right: str
    bold: bool = False

    def __post_init__(self) -> None:
        _check_text(self.left)
        _check_text(self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One character across the whole paper."""

    character: str = "-"

    def __post_init__(self) -> None:
        if len(self.character) != 1:
            raise DocumentInvalid(f"a rule is drawn with one character, not {self.character!r}: give one")


@dataclass(frozen=True, slots=True, kw_only=True)
class QrCode:
    """A QR code in the middle of the paper; `module_dots` is the size of one of its squares, 1 to 16."""

    data: str
    module_dots: int = 6

    def __post_init__(self) -> None:
        if not 1 <= len(self.data.encode(errors="replace")) <= QR_BYTES_MAX:
            raise DocumentInvalid(f"a QR code holds 1 to {QR_BYTES_MAX} bytes: shorten its data")
        if not 1 <= self.module_dots <= 16:
            raise DocumentInvalid(f"module_dots is {self.module_dots}; it must be 1 to 16")


class BarcodeSymbology(StrEnum):
    """The kinds of barcodes that every printer and scanner here knows."""

    CODE128 = "code128"
    EAN13 = "ean13"


@dataclass(frozen=True, slots=True, kw_only=True)
class Barcode:
    """A barcode in the middle of the paper, with its data in plain text under it if `show_text` is set.

    data: printable ASCII for Code 128; 13 digits with a right check digit for EAN-13.
    """

    data: str
    symbology: BarcodeSymbology = BarcodeSymbology.CODE128
    height_dots: int = 80
    show_text: bool = True

    def __post_init__(self) -> None:
        if not 8 <= self.height_dots <= 255:
            raise DocumentInvalid(f"height_dots is {self.height_dots}; it must be 8 to 255")
        if self.symbology is BarcodeSymbology.EAN13:
            _check_ean13(self.data)
        elif not (1 <= len(self.data) <= CODE128_CHARACTERS_MAX and self.data.isascii() and self.data.isprintable()):
            raise DocumentInvalid(
                f"a Code 128 barcode holds 1 to {CODE128_CHARACTERS_MAX} printable ASCII characters: shorten its data, "
                "or print a QR code"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """A picture in the middle of the paper: rows from the top, 8 dots a byte, the left one highest, black is 1.

    Each row is filled up to whole bytes. `drivers.printer.logo.read_logo` makes one from a picture file.
    """

    width_dots: int
    rows: bytes

    def __post_init__(self) -> None:
        if not 1 <= self.width_dots <= LOGO_WIDTH_DOTS_MAX:
            raise DocumentInvalid(f"a logo is 1 to {LOGO_WIDTH_DOTS_MAX} dots wide: make the picture smaller")
        if not self.rows or len(self.rows) % self.row_bytes:
            raise DocumentInvalid(
                f"the rows of this logo must have {self.row_bytes} bytes each: read it with read_logo"
            )
        if self.height_dots > LOGO_HEIGHT_DOTS_MAX:
            raise DocumentInvalid(f"a logo is at most {LOGO_HEIGHT_DOTS_MAX} dots high: make the picture smaller")

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return (self.width_dots + 7) // 8

    @property
    def height_dots(self) -> int:
        """How many rows there are."""
        return len(self.rows) // self.row_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Empty paper."""

    lines: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.lines <= FEED_LINES_MAX:
            raise DocumentInvalid(f"a feed of {self.lines} lines; it must be 1 to {FEED_LINES_MAX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The end of a receipt: the paper is fed past the knife and cut."""

    partial: bool = False


Element = TextLine | Columns | Rule | QrCode | Barcode | Logo | Feed | Cut | DrawerPulse


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The elements of a receipt from top to bottom, at most 2000."""

    elements: tuple[Element, ...]

    def __post_init__(self) -> None:
        if len(self.elements) > ELEMENTS_MAX:
            raise DocumentInvalid(
                f"a document of {len(self.elements)} elements: print it as documents of at most {ELEMENTS_MAX}"
            )


def _check_text(text: str) -> None:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise DocumentInvalid(f"a text of {len(text)} characters: shorten it to {TEXT_CHARACTERS_MAX}")


def _check_ean13(data: str) -> None:
    if not (len(data) == 13 and data.isascii() and data.isdigit()):
        raise DocumentInvalid("an EAN-13 barcode holds 13 digits: correct its data, or print a Code 128")
    digits = [int(digit) for digit in data]
    check = -(sum(digits[0:12:2]) + 3 * sum(digits[1:12:2])) % 10
    if digits[12] != check:
        raise DocumentInvalid(f"the check digit of EAN {data} should be {check}: correct the number")
