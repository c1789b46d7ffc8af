"""A document refuses what cannot be printed, and says what to do."""

from collections.abc import Callable

import pytest

from drivers.errors import DocumentInvalid
from drivers.printer.document import Barcode, BarcodeSymbology, Document, Feed, Logo, QrCode, Rule, TextLine


@pytest.mark.parametrize(
    "build",
    [
        lambda: Document(elements=(Feed(),) * 2001),
        lambda: TextLine(text="x" * 5000),
        lambda: Rule(character="--"),
        lambda: Feed(lines=0),
        lambda: QrCode(data=""),
        lambda: QrCode(data="x" * 2000),
        lambda: QrCode(data="x", module_dots=17),
        lambda: Barcode(data=""),
        lambda: Barcode(data="é"),
        lambda: Barcode(data="a\x1b"),
        lambda: Barcode(data="x" * 41),
        lambda: Barcode(data="x", height_dots=0),
        lambda: Barcode(data="400638133393", symbology=BarcodeSymbology.EAN13),
        lambda: Barcode(data="\uff14006381333931", symbology=BarcodeSymbology.EAN13),
        lambda: Logo(width_dots=0, rows=b"x"),
        lambda: Logo(width_dots=9, rows=b"x"),
        lambda: Logo(width_dots=8, rows=b""),
        lambda: Logo(width_dots=8, rows=b"x" * 801),
        lambda: Logo(width_dots=833, rows=bytes(105)),
    ],
)
def test_what_is_beyond_a_limit_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(DocumentInvalid):
        build()


def test_escpos_11_a_wrong_check_digit_is_refused_and_the_right_one_named() -> None:
    with pytest.raises(DocumentInvalid, match="should be 1"):
        Barcode(data="4006381333932", symbology=BarcodeSymbology.EAN13)
    assert Barcode(data="4006381333931", symbology=BarcodeSymbology.EAN13).show_text


def test_a_logo_knows_its_size() -> None:
    logo = Logo(width_dots=9, rows=bytes(6))
    assert (logo.row_bytes, logo.height_dots) == (2, 3)
