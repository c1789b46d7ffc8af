"""A receipt as a picture: as wide as the paper, with codes that a reader finds, for every model."""

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from drivers.printer.document import (
    Align,
    Barcode,
    BarcodeSymbology,
    Columns,
    Cut,
    Document,
    Feed,
    Logo,
    QrCode,
    Rule,
    TextLine,
)
from drivers.printer.models import printer_models
from drivers.printer.picture import document_dots, document_png
from drivers.printer.profile import Feature, PrinterProfile

RECEIPT = Document(
    elements=(
        TextLine(text="Padaria João", align=Align.CENTER, bold=True, double_height=True, double_width=True),
        Columns(left="Café", right="1,20 €", bold=True),
        Rule(),
        QrCode(data="https://example.org/m?id=1"),
        Barcode(data="4006381333931", symbology=BarcodeSymbology.EAN13),
        Barcode(data="LOY-000123"),
        Logo(width_dots=16, rows=b"\xff\xff" * 8),
        Feed(lines=2),
        Cut(),
    )
)


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png))


@pytest.mark.parametrize("key", printer_models())
def test_a_reader_finds_the_codes_on_the_paper_of_every_model(key: str) -> None:
    profile = printer_models()[key].profile()
    picture = opened(document_png(RECEIPT, profile))
    found = {code.text for code in zxingcpp.read_barcodes(picture)}
    drawn = profile.supports(Feature.RASTER) or profile.supports(Feature.QR)
    assert found == ({"https://example.org/m?id=1", "4006381333931", "LOY-000123"} if drawn else set())
    assert picture.width == profile.dots + 48


def test_letters_are_where_the_columns_are() -> None:
    profile = PrinterProfile(columns=48)
    picture = opened(document_png(Document(elements=(Columns(left="I", right="I"),)), profile))
    ink = [x for x in range(picture.width) if any(pixel(picture, x, y) < 128 for y in range(picture.height))]
    cells = {(x - 24) // 12 for x in ink}
    assert cells == {0, 47}


def pixel(picture: Image.Image, x: int, y: int) -> int:
    value = picture.getpixel((x, y))
    assert isinstance(value, int)
    return value


def test_double_size_is_twice_as_wide_and_as_high() -> None:
    def height(*, double: bool) -> int:
        line = TextLine(text="X", double_height=double, double_width=double)
        return opened(document_png(Document(elements=(line,)), PrinterProfile())).height - 48

    assert height(double=True) == 2 * height(double=False)


def test_dots_are_as_wide_as_the_paper_and_an_empty_document_has_none() -> None:
    profile = PrinterProfile(dots=384, columns=32)
    rows = document_dots(RECEIPT, profile)
    assert len(rows) % 48 == 0
    assert any(rows)
    assert document_dots(Document(elements=(Cut(),)), profile) == b""
