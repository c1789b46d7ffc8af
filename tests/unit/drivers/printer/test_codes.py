"""Codes that we draw are read by a reader that this project did not write: zxing-cpp."""

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from drivers.printer.codes import barcode_dots, qr_bytes, qr_dots
from drivers.printer.document import Barcode, BarcodeSymbology, Logo, QrCode


def read(logo: Logo) -> list[tuple[str, str]]:
    """The codes in a picture of dots, as (kind, text)."""
    dots = Image.frombytes("1", (logo.width_dots, logo.height_dots), logo.rows).convert("L")
    framed = Image.new("L", (dots.width + 40, dots.height + 40), 255)
    framed.paste(dots.point(lambda light: 255 - light), (20, 20))
    return [(str(code.format), code.text) for code in zxingcpp.read_barcodes(framed)]


def kind_of(name: str) -> str:
    return str(getattr(zxingcpp.BarcodeFormat, name))


# Printable letters up to the end of Latin Extended A.
TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x17F, categories=("L", "N", "P", "S", "Zs")),
    min_size=1,
    max_size=80,
)


@settings(max_examples=25)
@given(TEXT)
def test_a_qr_code_says_what_went_in(data: str) -> None:
    assert read(qr_dots(QrCode(data=data), dots_max=576)) == [(kind_of("QRCode"), data)]


@settings(max_examples=25)
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=18))
def test_a_code_128_says_what_went_in(data: str) -> None:
    logo = barcode_dots(Barcode(data=data), dots_max=576)
    assert logo is not None
    assert read(logo) == [(kind_of("Code128"), data)]


def test_an_ean_says_what_went_in() -> None:
    logo = barcode_dots(Barcode(data="4006381333931", symbology=BarcodeSymbology.EAN13), dots_max=384)
    assert logo is not None
    assert read(logo) == [(kind_of("EAN13"), "4006381333931")]


def test_a_code_is_made_smaller_until_it_fits_and_a_barcode_that_cannot_is_none() -> None:
    large = qr_dots(QrCode(data="x" * 900, module_dots=16), dots_max=384)
    assert large.width_dots <= 384
    assert read(large) == [(kind_of("QRCode"), "x" * 900)]
    assert barcode_dots(Barcode(data="x" * 40), dots_max=384) is None


def test_escpos_04_control_characters_never_get_into_a_code() -> None:
    assert qr_bytes(QrCode(data="\x10\x14\x01\x00\x01A\x1b\x85é")) == "Aé".encode()


@pytest.mark.parametrize("symbology", list(BarcodeSymbology))
def test_making_a_barcode_prints_nothing(symbology: BarcodeSymbology, capfd: pytest.CaptureFixture[str]) -> None:
    barcode_dots(Barcode(data="4006381333931", symbology=symbology), dots_max=576)
    assert capfd.readouterr() == ("", "")
