"""A document into lines of one paper width. Gives neither bytes nor commands: both renderings start from here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.printer.document import Align, Barcode, Columns, Document, Element, Feed, QrCode, Rule, TextLine
from drivers.printer.text import columns_lines, prepare, wrap

__all__ = ["LaidLine", "aligned", "lay_out", "lines_of", "plain_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidLine:
    """One line that fits the paper: prepared text and how it is printed."""

    text: str
    align: Align = Align.LEFT
    bold: bool = False
    double_height: bool = False
    double_width: bool = False


def lines_of(element: TextLine | Columns | Rule, columns: int, code_page: str) -> list[LaidLine]:
    """Lay one element of text out; double width takes two columns a character."""
    if isinstance(element, TextLine):
        width = columns // 2 if element.double_width else columns
        return [
            LaidLine(
                text=text,
                align=element.align,
                bold=element.bold,
                double_height=element.double_height,
                double_width=element.double_width,
            )
            for text in wrap(element.text, width, code_page)
        ]
    if isinstance(element, Columns):
        texts = columns_lines(element.left, element.right, columns, code_page)
        return [LaidLine(text=text, bold=element.bold) for text in texts]
    rule = (prepare(element.character, code_page) or "-")[0]
    return [LaidLine(text=rule * columns)]


def lay_out(document: Document, columns: int, code_page: str) -> Iterator[LaidLine | Element]:
    """Give the document's lines, and between them the elements that are not text, as they are."""
    for element in document.elements:
        if isinstance(element, TextLine | Columns | Rule):
            yield from lines_of(element, columns, code_page)
        else:
            yield element


def plain_lines(document: Document, columns: int, code_page: str = "cp858") -> tuple[str, ...]:
    """Return the document for printers that take nothing but lines, each at most `columns` characters.

    Size, weight and logos are lost, a code becomes its data; cuts and drawer pulses are the owner's business.
    """
    lines: list[str] = []
    for part in lay_out(document, columns, code_page):
        if isinstance(part, LaidLine):
            lines.append(aligned(part.text, part.align, columns))
        elif isinstance(part, Feed):
            lines += [""] * part.lines
        elif isinstance(part, QrCode | Barcode):
            lines += [aligned(text, Align.CENTER, columns) for text in wrap(part.data, columns, code_page)]
    return tuple(lines)


def aligned(text: str, align: Align, columns: int) -> str:
    """Return the text with the spaces in front that put it where it belongs."""
    if align is Align.CENTER:
        return (" " * ((columns - len(text)) // 2) + text).rstrip()
    return text.rjust(columns) if align is Align.RIGHT else text
