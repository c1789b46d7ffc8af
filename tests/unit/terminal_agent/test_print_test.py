"""The test page shows every character that its code page has, and what the printer is set to."""

import pytest

from drivers.printer.document import Barcode, Cut, DrawerPulse, QrCode
from drivers.printer.layout import plain_lines
from drivers.printer.models import printer_model, printer_models
from drivers.printer.profile import CODE_PAGE_NUMBERS, PrinterProfile
from drivers.printer.render import render_document
from drivers.printer.text import page_characters
from terminal_agent.print_test import QR_DATA, print_test_document


@pytest.mark.parametrize("code_page", sorted(CODE_PAGE_NUMBERS))
@pytest.mark.parametrize("columns", [32, 42, 48])
def test_every_character_of_the_page_is_on_the_paper(code_page: str, columns: int) -> None:
    document = print_test_document("front", PrinterProfile(columns=columns, code_page=code_page), drawer=True)
    lines = plain_lines(document, columns, code_page)
    assert set(page_characters(code_page)) <= set("".join(lines))
    assert len(page_characters(code_page)) > 200
    assert ("1234567890" * 5)[:columns] in lines, "the ruler fills the line"
    assert max(len(line) for line in lines) == columns


def test_codes_drawer_and_cut_are_on_it() -> None:
    elements = print_test_document("front", PrinterProfile(), drawer=True).elements
    assert QrCode(data=QR_DATA) in elements
    assert [type(element) for element in elements if isinstance(element, Barcode | DrawerPulse | Cut)] == [
        Barcode,
        DrawerPulse,
        Cut,
    ]
    closed = print_test_document("front", PrinterProfile(), drawer=False).elements
    assert not any(isinstance(element, DrawerPulse) for element in closed)


@pytest.mark.parametrize("model", sorted(printer_models()))
def test_every_model_can_be_given_the_page(model: str) -> None:
    profile = printer_model(model).profile()
    assert render_document(print_test_document("front", profile, drawer=True), profile)
