"""The table of models is complete and makes profiles; what is not known is refused and not guessed."""

import codecs

import pytest

from drivers.errors import SettingsInvalid
from drivers.printer.document import Columns, Cut, Document, DrawerPulse, QrCode, TextLine
from drivers.printer.models import PrinterModel, printer_model, printer_models
from drivers.printer.profile import Feature
from drivers.printer.render import render_document

RECEIPT = Document(elements=(TextLine(text="Olá"), QrCode(data="x"), DrawerPulse(), Cut()))
MODELS = list(printer_models().values())


def test_the_models_that_shops_have_are_there() -> None:
    assert set(printer_models()) >= {
        "generic", "epson-tm-t20", "epson-tm-t88", "bematech-mp-4200", "elgin-i9", "daruma-dr800", "star-tsp100",
        "star-tsp650", "sunmi",
    }  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_every_model_says_where_that_is_from_and_makes_a_profile_for_each_paper(model: PrinterModel) -> None:
    assert model.sources
    assert model.notes
    for paper in model.papers:
        profile = model.profile(paper_width_mm=paper.width_mm)
        assert (profile.columns, profile.dots, profile.model) == (paper.columns, paper.dots, model.key)
        assert profile.dots >= profile.columns * 12
        assert render_document(RECEIPT, profile)
    for page in model.code_pages:
        assert codecs.lookup(page)
        assert model.profile(code_page=page).page_number == model.code_pages[page]


@pytest.mark.parametrize("model", [m for m in MODELS if not m.verified], ids=lambda model: model.key)
def test_a_model_without_a_manual_is_asked_nothing_and_sent_no_native_code(model: PrinterModel) -> None:
    assert (model.confirm, model.status) == ("none", "none")
    assert not model.features & {Feature.QR, Feature.BARCODE}
    assert "o manual" in model.notes or model.key == "generic"


def test_unknown_models_papers_and_pages_are_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsInvalid, match="epson-tm-t88"):
        printer_model("epson-tm-t99")
    with pytest.raises(SettingsInvalid, match="80 or 58 mm"):
        printer_model("epson-tm-t88").profile(paper_width_mm=112)
    with pytest.raises(SettingsInvalid, match="cp437, cp850, cp860, cp858"):
        printer_model("bematech-mp-4200").profile(code_page="cp1252")
    with pytest.raises(SettingsInvalid, match="lines alone"):
        printer_model("daruma-dr800").profile(confirm="status")
    with pytest.raises(SettingsInvalid, match="Star's commands"):
        printer_model("star-tsp650").profile(confirm="process_id")


def test_what_is_given_takes_the_place_of_what_the_model_says() -> None:
    profile = printer_model("bematech-mp-4200").profile(
        columns=40, code_page="cp1252", code_page_number=77, confirm="none", status="none"
    )
    assert (profile.columns, profile.page_number, profile.confirm, profile.status) == (40, 77, "none", "none")


def test_a_printer_with_two_command_sets_is_told_which_one_first() -> None:
    data = render_document(Document(elements=(Cut(),)), printer_model("bematech-mp-4200").profile())
    assert data.startswith(b"\x1d\xf9\x20\x01\x1b@\x1bt\x13")


def test_a_printer_of_lines_alone_gets_no_command_but_its_reset_and_its_cut() -> None:
    document = Document(elements=(Columns(left="Café", right="5 €", bold=True), QrCode(data="abc"), Cut()))
    data = render_document(document, printer_model("daruma-dr800").profile(columns=16))
    assert data == b"\x1b@Caf\x82       5 EUR\n" + b"      abc\n" + b"\n" * 6 + b"\x1bm"
