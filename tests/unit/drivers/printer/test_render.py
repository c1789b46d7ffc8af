"""Bytes as a printer takes them: one code page, no commands out of data, no traces of the library."""

import os
import platform
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


def test_escpos_02_the_code_page_follows_every_reset() -> None:
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
def test_escpos_04_no_data_becomes_a_command(left: str, right: str) -> None:
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


def test_escpos_10_the_library_leaves_no_handler_no_folder_and_prints_nothing(tmp_path: Path) -> None:
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


def test_escpos_10_neither_a_foreign_pickle_nor_a_foreign_database_is_loaded(tmp_path: Path) -> None:
    """Whoever writes to a folder of pickles runs code in the process that reads them."""
    version = platform.python_version()
    (tmp_path / f"{version}.capabilities.pickle").write_bytes(b"cos\nabort\n(tR.")  # Unpickled, it ends the process.
    (tmp_path / "capabilities.json").write_text("{}")
    environment = os.environ | {
        "ESCPOS_CAPABILITIES_PICKLE_DIR": str(tmp_path),
        "ESCPOS_CAPABILITIES_FILE": str(tmp_path / "capabilities.json"),
    }
    code = (
        "import os\n"
        "from drivers.printer.render import warm_up\n"
        "before = dict(os.environ)\n"
        "warm_up()\n"
        "assert dict(os.environ) == before\n"
        "from escpos.capabilities import CAPABILITIES\n"
        "assert list(CAPABILITIES['profiles']) == ['default']\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
