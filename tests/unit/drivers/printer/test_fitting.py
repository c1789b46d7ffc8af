"""What a printer lacks is made up for, and nothing that it cannot print is left."""

from drivers.printer.codes import qr_modules
from drivers.printer.document import Barcode, Cut, Document, DrawerPulse, Feed, Logo, QrCode, TextLine
from drivers.printer.fitting import fitted
from drivers.printer.profile import Feature, PrinterProfile

LOGO = Logo(width_dots=8, rows=b"\xff\x00")
ALL = Document(
    elements=(TextLine(text="x"), QrCode(data="q"), Barcode(data="b"), LOGO, Feed(lines=1), DrawerPulse(), Cut())
)


def kinds(profile: PrinterProfile, document: Document = ALL) -> list[str]:
    return [type(element).__name__ for element in fitted(document, profile).elements]


def without(*lacking: Feature) -> PrinterProfile:
    return PrinterProfile(features=frozenset(Feature) - set(lacking))


def test_a_printer_that_has_everything_gets_the_document_as_it_is() -> None:
    assert fitted(ALL, PrinterProfile()) == ALL


def test_escpos_11_codes_follow_the_profile() -> None:
    assert kinds(without(Feature.QR, Feature.BARCODE)) == [
        "TextLine", "Logo", "Logo", "TextLine", "Logo", "Feed", "DrawerPulse", "Cut",
    ]  # fmt: skip
    assert kinds(without(Feature.QR, Feature.BARCODE, Feature.RASTER)) == [
        "TextLine", "TextLine", "TextLine", "Feed", "DrawerPulse", "Cut",
    ]  # fmt: skip


def test_escpos_11_a_cut_and_a_drawer_follow_the_profile() -> None:
    assert kinds(without(Feature.CUT, Feature.DRAWER))[-2:] == ["Feed", "Feed"]


def test_a_qr_code_that_is_wider_than_the_paper_is_made_smaller() -> None:
    wide = Document(elements=(QrCode(data="x" * 1000, module_dots=16),))
    (code,) = fitted(wide, PrinterProfile(dots=384, columns=32)).elements
    assert isinstance(code, QrCode)
    assert code.module_dots == 3  # 111 squares.


def test_a_code_of_the_usual_size_is_not_drawn_to_know_that_it_fits() -> None:
    assert qr_modules(QrCode(data="é" * 50)) == 37
    usual = Document(elements=(QrCode(data="é" * 50),))
    assert fitted(usual, PrinterProfile(dots=384, columns=32)) == usual


def test_what_does_not_fit_at_all_is_printed_as_text_or_left_out() -> None:
    profile = PrinterProfile(dots=384, columns=32)
    long, broad = Barcode(data="x" * 40), Logo(width_dots=400, rows=bytes(50))
    assert kinds(profile, Document(elements=(long, broad))) == ["TextLine"]


def test_a_code_of_control_characters_alone_is_left_out() -> None:
    for profile in (PrinterProfile(), without(Feature.QR)):
        assert kinds(profile, Document(elements=(QrCode(data="\x1b"),))) == []
