"""The test page: every character of the code page, the styles, the codes, the drawer and the cut, to look at.

What the paper shows otherwise than the page says, the configuration has wrong: the width where the ruler breaks, the
code page where a letter differs from its neighbours in the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.printer.document import (
    Align,
    Barcode,
    Columns,
    Cut,
    Document,
    DrawerPulse,
    Element,
    Feed,
    QrCode,
    Rule,
    TextLine,
)
from drivers.printer.profile import PrinterProfile
from drivers.printer.text import page_characters

__all__ = ["QR_DATA", "print_test_document"]

QR_DATA = "LOYALTY PRINT TEST"
BARCODE_DATA = "PRINT-TEST"


def print_test_document(name: str, profile: PrinterProfile, *, drawer: bool) -> Document:
    """Return the page for a printer of that name and profile; `drawer` opens the drawer before the cut."""
    return Document(elements=tuple(_elements(name, profile, drawer=drawer)))


def _elements(name: str, profile: PrinterProfile, *, drawer: bool) -> Iterator[Element]:
    yield TextLine(text="PRINT TEST", align=Align.CENTER, bold=True, double_height=True)
    yield Columns(left="printer", right=name)
    yield Columns(left="model", right=profile.model)
    yield Columns(left="columns", right=str(profile.columns))
    yield Columns(left="code page", right=f"{profile.code_page} (number {profile.page_number})")
    yield Columns(left="says that it printed", right=profile.confirm)
    yield TextLine(text=_ruler(profile.columns))
    yield from (TextLine(text=row) for row in _rows(profile.code_page))
    yield Rule()
    yield TextLine(text="bold", bold=True)
    yield TextLine(text="double height", double_height=True)
    yield TextLine(text="double width", double_width=True)
    yield TextLine(text="centred", align=Align.CENTER)
    yield TextLine(text="right", align=Align.RIGHT)
    yield Rule()
    yield TextLine(text=f"QR code: {QR_DATA}", align=Align.CENTER)
    yield QrCode(data=QR_DATA)
    yield TextLine(text="Code 128", align=Align.CENTER)
    yield Barcode(data=BARCODE_DATA)
    yield Feed(lines=1)
    if drawer:
        yield DrawerPulse()
    yield Cut()


def _ruler(columns: int) -> str:
    """A line that is exactly as wide as the paper is set to."""
    return ("1234567890" * (columns // 10 + 1))[:columns]


def _rows(code_page: str) -> Iterator[str]:
    """The characters of the page, 16 to a row, each row led by the upper half of its bytes."""
    rows: dict[int, str] = {}
    for character in page_characters(code_page):
        (code,) = character.encode(code_page)
        rows[code >> 4] = rows.get(code >> 4, "") + character
    return (f"{upper:X}_ {characters}" for upper, characters in rows.items())
