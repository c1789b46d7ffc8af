"""Star's languages, read by the twin's paper, which was written from the manuals and not from what we send."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.printer._star_paper import StarPaper
from drivers.printer.document import (
    Align,
    Barcode,
    Columns,
    Cut,
    Document,
    DrawerPulse,
    Feed,
    Logo,
    QrCode,
    Rule,
    TextLine,
)
from drivers.printer.layout import LaidLine
from drivers.printer.models import printer_model
from drivers.printer.render import render_block, render_document

LINE = printer_model("star-tsp650").profile()
RASTER = printer_model("star-tsp100").profile()
RECEIPT = Document(
    elements=(
        TextLine(text="Padaria João", align=Align.CENTER, bold=True, double_width=True, double_height=True),
        Columns(left="Café", right="1,20 €"),
        Rule(),
        TextLine(text="Olá!", align=Align.RIGHT),
        QrCode(data="https://example.org/m?id=é"),
        Barcode(data="LOY-1"),
        Logo(width_dots=16, rows=b"\xff\xff" * 4),
        Feed(lines=200),
        DrawerPulse(pin=5),
        DrawerPulse(),
        Cut(),
    )
)


def printed(data: bytes) -> StarPaper:
    paper = StarPaper(columns=48, receipts_max=10)
    assert paper.feed(data) == b""
    assert list(paper.strange) == []
    return paper


def test_a_receipt_in_star_line() -> None:
    paper = printed(render_document(RECEIPT, LINE))
    lines = paper.receipts[0].splitlines()
    assert lines[:4] == [
        " " * 12 + "Padaria João",
        "Café" + " " * 38 + "1,20 €",
        "-" * 48,
        " " * 44 + "Olá!",
    ]
    codes = [line.strip() for line in lines[4:]]
    assert (codes[0], codes[2]) == ("[QR https://example.org/m?id=é]", "LOY-1")
    assert codes[1].endswith(" x 80]")
    assert codes[3] == "[picture 296 x 4]"
    assert paper.drawer_pulses == 2
    assert paper.receipts_cut == 1
    heading = paper.pictures[0][0]
    assert isinstance(heading, LaidLine)
    assert (heading.bold, heading.double_width, heading.double_height) == (True, True, True)


def test_a_block_has_no_reset_and_leaves_no_style_behind() -> None:
    block = render_block(RECEIPT, LINE)
    assert b"\x1b@" not in block
    paper = printed(block + b"after\n")
    assert paper.uncut()[-1] == "after"
    assert (paper.receipts_cut, paper.drawer_pulses) == (0, 0)


def test_every_page_of_the_model_prints_its_letters() -> None:
    text = Document(elements=(TextLine(text="João ção"), Cut()))
    for page in ("cp858", "cp860", "cp1252"):
        profile = printer_model("star-tsp650").profile(code_page=page)
        assert printed(render_document(text, profile)).receipts[0] == "João ção\n"


def test_a_receipt_as_a_picture_between_cuts() -> None:
    two = Document(elements=(*RECEIPT.elements, TextLine(text="second"), Cut()))
    paper = printed(render_document(two, RASTER))
    assert paper.receipts_cut == 2
    assert "[picture 576 x 800]" in paper.receipts[0]
    assert paper.drawer_pulses == 2
    assert all(isinstance(part, Logo | Cut) for receipt in paper.pictures for part in receipt)


@given(st.text(max_size=60), st.text(max_size=60))
def test_escpos_04_no_data_becomes_a_command_of_a_star(left: str, right: str) -> None:
    document = Document(elements=(TextLine(text=left, bold=True), Columns(left=left, right=right), Cut()))
    paper = printed(render_document(document, LINE))
    assert (paper.drawer_pulses, paper.receipts_cut) == (0, 1)
