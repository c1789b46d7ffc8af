"""The README's receipt is one that the shop would print: real rules, accents, points, a code that leads to it."""

import struct
from pathlib import Path

from drivers.printer.document import QrCode
from drivers.printer.layout import plain_lines
from terminal_agent.demo.picture import main, sample_receipt
from terminal_agent.receipts import receipt_document


def test_the_sample_adds_up_and_shows_what_the_project_does() -> None:
    made = sample_receipt()
    lines = plain_lines(receipt_document(made), 42)
    text = "\n".join(lines)
    for shown in ("Pão de Ló de Ovar", "Prémio de fidelização", "27,33 €", "Saldo de pontos", "2,50 € de desconto"):
        assert shown in text
    assert made.result.balance == 131 + 64 - 50
    assert any(isinstance(element, QrCode) for element in receipt_document(made).elements)


def test_the_picture_is_drawn_into_the_file_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "receipt.png"
    assert main([str(file)]) == 0
    png = file.read_bytes()
    width, height = struct.unpack(">II", png[16:24])
    assert (png[:4], width, height > width) == (b"\x89PNG", 560, True)
    assert main([]) == 2


def test_the_readme_shows_it() -> None:
    root = Path(__file__).parents[4]
    assert (root / "docs" / "receipt.png").read_bytes()[:4] == b"\x89PNG"
