"""Receipts read back by decoders that this project did not write: npos with iconv-lite for bytes, zxing-cpp for codes.

Stars speak another language, for which no such decoder was found: their receipts are read back by the twin, which
was written from the manuals; and the models that print lines alone, by taking their few commands away.
"""

import json
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
    DrawerPulse,
    Logo,
    QrCode,
    Rule,
    TextLine,
)
from drivers.printer.fitting import fitted
from drivers.printer.layout import LaidLine, lay_out
from drivers.printer.models import printer_models
from drivers.printer.picture import document_png
from drivers.printer.profile import Feature, PrinterProfile
from drivers.printer.render import render_block, render_document
from drivers.printer.text import page_characters, unprintable
from drivers.printer.twin import PrinterTwin
from tests.decoders.receipts import SOURCE, Decoded, Decoder, installed_decoder

LINK = "https://example.org/m?id=Jo%C3%A3o&n=1"
LANGUAGES = {
    "pt-BR": ("Pão de açúcar, maçã, côco, à vista", "R$ 1.234,56", "VOCÊ GANHOU 12 PONTOS! ÁÉÍÓÚ ÂÊÔ ÃÕ Ç"),
    "pt-PT": ("Prémio de fidelização, Talão n.º 7", "1 234,56 €", "FORMAÇÃO – SEM VALIDADE"),
    "es": ("Señor Ñandú, ¿cuántos? ¡Más!", "1.234,56 €", "ANULACIÓN · DEVOLUCIÓN Ü"),
    "en": ("Café crème & jalapeño", "€1,234.56", "TOTAL £5 “quoted” — dash…"),
}
MODELS = {
    f"{key}-{width}-{page}": model.profile(paper_width_mm=width, code_page=page)
    for key, model in printer_models().items()
    for width in [paper.width_mm for paper in model.papers]
    for page in model.code_pages or [model.code_page]
}
BYTES = {name: profile for name, profile in MODELS.items() if profile.dialect == "escpos"}
# One for each width of paper, since a picture takes long; the pages change nothing about codes.
PAPERS = {f"{profile.model}-{profile.dots}": name for name, profile in MODELS.items()}.values()
STARS = [name for name in MODELS if name.startswith("star-tsp650-58")]
TEXTS = {name: profile for name, profile in MODELS.items() if profile.dialect == "text"}


def receipt(language: str) -> Document:
    description, amount, notice = LANGUAGES[language]
    return Document(
        elements=(
            TextLine(text=notice, align=Align.CENTER, bold=True, double_height=True),
            TextLine(text=notice, double_width=True),
            Rule(),
            Columns(left=description, right=amount),
            Columns(left="TOTAL", right=amount, bold=True),
            TextLine(text=description, align=Align.RIGHT),
            QrCode(data=LINK),
            Barcode(data="4006381333931", symbology=BarcodeSymbology.EAN13),
            Barcode(data="LOY{1}-9", show_text=False),
            DrawerPulse(),
            Cut(),
        )
    )


RECEIPTS = [receipt(language) for language in LANGUAGES]


def meant(document: Document, profile: PrinterProfile) -> list[str]:
    """The lines that the paper should have, without spaces at their ends: alignment is a command."""
    parts = lay_out(fitted(document, profile), profile.columns, profile.code_page)
    return [part.text.strip() for part in parts if isinstance(part, LaidLine)]


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return installed_decoder()


@pytest.fixture(scope="module")
def decoded(decoder: Decoder) -> dict[str, list[Decoded]]:
    """The receipts of every language as each profile prints them, read in one go."""
    jobs = [(render_document(document, p), p.code_page) for p in BYTES.values() for document in RECEIPTS]
    found = decoder.decode(jobs)
    return {name: found[i * len(RECEIPTS) : (i + 1) * len(RECEIPTS)] for i, name in enumerate(BYTES)}


@pytest.mark.parametrize("name", BYTES)
def test_text_accents_and_codes_equal_what_went_in(name: str, decoded: dict[str, list[Decoded]]) -> None:
    profile = BYTES[name]
    for document, seen in zip(RECEIPTS, decoded[name], strict=True):
        assert lines_of(seen.text) == meant(document, profile)
        assert seen.code_pages == [profile.page_number]
        assert seen.qr == ([LINK] if profile.supports(Feature.QR) else [])
        barcodes = ["4006381333931", "{BLOY{{1}-9"] if profile.supports(Feature.BARCODE) else []
        assert seen.barcodes == barcodes
        assert codes_in(seen) == drawn_codes(profile)
        assert (seen.cuts, seen.pulses) == (profile.supports(Feature.CUT), profile.supports(Feature.DRAWER))


def codes_in(seen: Decoded) -> set[str]:
    """The codes in the pictures that the decoder took out of the bytes."""
    return {code.text for dots in seen.pictures for code in zxingcpp.read_barcodes(picture_of(dots))}


def picture_of(dots: list[str]) -> Image.Image:
    width, height = len(dots[0]), len(dots)
    picture = Image.new("L", (width + 40, height + 40), 255)
    ink = bytes(0 if dot == "1" else 255 for row in dots for dot in row)
    picture.paste(Image.frombytes("L", (width, height), ink), (20, 20))
    return picture


def drawn_codes(profile: PrinterProfile) -> set[str]:
    qr = set() if profile.supports(Feature.QR) else {LINK}
    return qr | (set() if profile.supports(Feature.BARCODE) else {"4006381333931", "LOY{1}-9"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_lost_on_a_page_that_has_everything(language: str) -> None:
    for text in LANGUAGES[language]:
        assert not {one.character for one in unprintable(text, "cp1252")}
        assert not {one.character for one in unprintable(text, "cp858")} - set("–—“”…·")


def test_every_character_of_every_page_comes_back(decoder: Decoder) -> None:
    wide = {
        page: PrinterProfile(code_page=page, columns=120, dots=832)
        for page in ("cp437", "cp850", "cp858", "cp860", "cp1252")
    }
    rows = {page: "|".join(page_characters(page).split()) for page in wide}
    jobs = [
        (render_document(Document(elements=(TextLine(text=rows[page]), Cut())), profile), page)
        for page, profile in wide.items()
    ]
    for page, seen in zip(wide, decoder.decode(jobs), strict=True):
        assert seen.text.replace("\n", "").replace(" ", "") == rows[page].replace(" ", ""), page


def test_blocks_read_back_too(decoder: Decoder) -> None:
    jobs = [(render_block(RECEIPTS[1], profile), profile.code_page) for profile in BYTES.values()]
    for profile, seen in zip(BYTES.values(), decoder.decode(jobs), strict=True):
        assert lines_of(seen.text) == meant(RECEIPTS[1], profile)
        assert (seen.cuts, seen.pulses) == (0, 0)


@pytest.mark.parametrize("name", PAPERS)
def test_the_codes_on_the_picture_of_the_paper_are_read(name: str) -> None:
    profile = MODELS[name]
    found = {code.text for code in zxingcpp.read_barcodes(Image.open(BytesIO(document_png(RECEIPTS[0], profile))))}
    drawn = {LINK, "4006381333931", "LOY{1}-9"}
    assert found == (drawn if profile.dialect != "text" else set())


@pytest.mark.parametrize("name", [*STARS, "star-tsp100-80-cp1252"])
def test_the_receipts_of_stars_come_out_of_the_twin(name: str) -> None:
    profile = MODELS[name]
    with PrinterTwin(dialect="star", columns=profile.columns, dots=profile.dots) as twin:
        for number, document in enumerate(RECEIPTS):
            twin._mechanism.take(render_document(document, profile))
            found = {code.text for code in zxingcpp.read_barcodes(Image.open(BytesIO(twin.png())))}
            assert found == {LINK, "4006381333931", "LOY{1}-9"}
            if profile.dialect == "star_line":
                seen = [line for line in lines_of(twin.receipts()[number]) if line and not line.startswith("[")]
                assert seen == meant(document, profile)
        assert twin.strange == []


@pytest.mark.parametrize("name", TEXTS)
def test_lines_alone_are_what_was_meant(name: str) -> None:
    profile = TEXTS[name]
    for document in RECEIPTS:
        data = render_document(document, profile).removeprefix(b"\x1b@").removesuffix(b"\n" * 6 + b"\x1bm")
        assert lines_of(data.decode(profile.code_page)) == meant(document, profile)


def test_a_logo_comes_back_dot_by_dot(decoder: Decoder) -> None:
    rows = bytes(range(256)) + b"\x10\x14\x01\x00"
    document = Document(elements=(Logo(width_dots=32, rows=rows),))
    (seen,) = decoder.decode([(render_document(document, PrinterProfile()), "cp858")])
    (dots,) = seen.pictures
    back = b"".join(int(row, 2).to_bytes(4, "big") for row in dots)
    # The one place where the dots were a real-time command that opens the drawer has one dot changed.
    assert [at for at, (ours, theirs) in enumerate(zip(rows, back, strict=True)) if ours != theirs] == [257]


def test_the_lock_of_the_decoder_has_hashes_and_names_no_registry() -> None:
    lock = (SOURCE / "hashes.json").read_text(encoding="utf-8")
    packages = {name: entry for name, entry in json.loads(lock)["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert "resolved" not in lock
    assert "://" not in lock
