"""A receipt as data: what stands on the paper, in order. Knows no printer, no code page and no width."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from drivers.drawer import DrawerPulse
from drivers.errors import DocumentInvalid

__all__ = [
    "Align",
    "Columns",
    "Cut",
    "Document",
    "DrawerPulse",
    "Element",
    "Feed",
    "QrCode",
    "Rule",
    "TextLine",
]

ELEMENTS_MAX = 2000
TEXT_CHARACTERS_MAX = 4096
QR_BYTES_MAX = 1024
FEED_LINES_MAX = 255


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


Element = TextLine | Columns | Rule | QrCode | Feed | Cut | DrawerPulse


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
