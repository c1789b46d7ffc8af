"""Bytes as a printer takes them: one code page, no commands out of data, no traces of the library."""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drivers.printer._paper import Paper
from drivers.printer.document import Align, Columns, Cut, Document, DrawerPulse, QrCode, Rule, TextLine
from drivers.printer.profile import PrinterProfile
from drivers.printer.render import plain_lines, render_block, render_document

RECEIPT = Document(
    elements=(
        TextLine(text="Padaria João", align=Align.CENTER, bold=True, double_width=True),
        Columns(left="Café", right="1,20 €"),
        Rule(),
        TextLine(text="Olá!", align=Align.RIGHT),
        QrCode(data="https://example.org/m?id=1"),
        DrawerPulse(),
        Cut(),
    )
)


def printed(data: bytes, columns: int = 42) -> Paper:
    paper = Paper(columns=columns, receipts_max=10)
    paper.feed(data)
    return paper


def test_a_receipt_stands_on_the_paper_as_it_was_meant() -> None:
    paper = printed(render_document(RECEIPT, PrinterProfile()))
    assert paper.receipts[0].splitlines() == [
        " " * 9 + "Padaria João",
        "Café" + " " * 32 + "1,20 €",
        "-" * 42,
        " " * 38 + "Olá!",
        "     [QR https://example.org/m?id=1]",
    ]
    assert paper.drawer_pulses == 1
    assert list(paper.strange) == []


def test_every_page_prints_what_it_has() -> None:
    for page in ("cp437", "cp850", "cp860", "cp858", "cp1252"):
        paper = printed(render_document(RECEIPT, PrinterProfile(code_page=page)))
        amount = "1,20 €" if page in ("cp858", "cp1252") else "1,20 EUR"
        assert amount in paper.receipts[0]
        assert "Café" in paper.receipts[0]


def test_pitfall_printing_2_the_code_page_follows_every_reset() -> None:
    data = render_document(RECEIPT, PrinterProfile(code_page="cp860"))
    assert data.startswith(b"\x1b@\x1bt\x03")
    assert data.count(b"\x1b@") == 1


def test_a_block_has_no_reset_no_cut_and_no_pulse_and_leaves_no_style_behind() -> None:
    block = render_block(RECEIPT, PrinterProfile())
    assert block.startswith(b"\x1bt\x13")
    paper = printed(block + b"after\n")
    assert b"\x1b@" not in block
    assert not paper.receipts
    assert paper.drawer_pulses == 0
    assert paper.uncut()[-1] == "after"
    bold_off = block.rfind(b"\x1bE\x00")
    assert bold_off > block.rfind(b"\x1bE\x01")


@given(st.text(max_size=80), st.text(max_size=80))
def test_pitfall_printing_4_no_data_becomes_a_command(left: str, right: str) -> None:
    document = Document(elements=(TextLine(text=left, bold=True), Columns(left=left, right=right), Cut()))
    paper = printed(render_document(document, PrinterProfile()))
    assert paper.drawer_pulses == 0
    assert paper.receipts_cut == 1
    assert list(paper.strange) == []


@given(st.text(max_size=80), st.sampled_from(list(Align)))
def test_paper_and_plain_lines_agree(text: str, align: Align) -> None:
    document = Document(elements=(TextLine(text="x"), TextLine(text=text, align=align), TextLine(text="x")))
    paper = printed(render_block(document, PrinterProfile(columns=32)), columns=32)
    assert paper.uncut() == [line.rstrip() for line in plain_lines(document, 32)]


def test_pitfall_printing_10_the_library_leaves_no_handler_no_folder_and_prints_nothing(tmp_path: Path) -> None:
    code = (
        "import logging, os\n"
        "from drivers.printer.render import warm_up\n"
        "warm_up()\n"
        "assert logging.getLogger().handlers == [], logging.getLogger().handlers\n"
        "assert 'ESCPOS_CAPABILITIES_PICKLE_DIR' not in os.environ\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert run.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_pitfall_printing_10_a_private_cache_folder_is_used_and_a_shared_one_passed_over(tmp_path: Path) -> None:
    private, shared = tmp_path / "private", tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    code = "import sys, pathlib\nfrom drivers.printer.render import warm_up\nwarm_up(pathlib.Path(sys.argv[1]))\n"
    for folder in (private, shared):
        subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    assert len(list(private.iterdir())) == 1
    assert list(shared.iterdir()) == []
