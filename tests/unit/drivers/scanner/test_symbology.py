"""AIM identifiers are mapped and stripped, unknown ones kept; text is UTF-8 or the fallback."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scanner.symbology import DecodedScan, Symbology, decode


def read(raw: bytes, gs_substitute: bytes = b"") -> DecodedScan:
    return decode(raw, encoding_fallback="cp1252", gs_substitute=gs_substitute)


@pytest.mark.parametrize(
    ("raw", "data", "symbology"),
    [
        (b"]E04006381333931", "4006381333931", Symbology.EAN13),
        (b"]E0012345678905", "012345678905", Symbology.UPCA),
        (b"]E496385074", "96385074", Symbology.EAN8),
        (b"]C0ABC-1", "ABC-1", Symbology.CODE128),
        (b"]C10100614141123452", "0100614141123452", Symbology.EAN128),
        (b"]Q1https://example.org/m/1", "https://example.org/m/1", Symbology.QRCODE),
        (b"]Q3010061414112345210A\x1d21B", "010061414112345210A\x1d21B", Symbology.GS1QRCODE),
        (b"]d201", "01", Symbology.GS1DATAMATRIX),
        (b"]A0CARD", "CARD", Symbology.CODE39),
        (b"]z0CARD", "CARD", Symbology.AZTEC),
        (b"CARD", "CARD", Symbology.UNKNOWN),
    ],
)
def test_scanner_06_identifiers_are_mapped_and_stripped(raw: bytes, data: str, symbology: Symbology) -> None:
    assert read(raw) == DecodedScan(data=data, symbology=symbology)


@pytest.mark.parametrize("raw", [b"]y0ABC", b"]Q9ABC", b"]", b"]Q", b"]\xff0A"])
def test_scanner_06_an_unknown_identifier_is_kept(raw: bytes) -> None:
    scan = read(raw)
    assert scan.symbology is Symbology.UNKNOWN
    assert scan.data.startswith("]")
    assert len(scan.data) == len(raw)


def test_scanner_06_only_ascii_digits_make_a_upc_a() -> None:
    full_width = "\uff10\uff11\uff12\uff13".encode()
    assert len(full_width) == 12
    assert read(b"]E0" + full_width).symbology is Symbology.EAN13


def test_scanner_07_gs_survives_and_gs1_is_only_where_the_identifier_says_so() -> None:
    assert read(b"]C110A\x1d21B").data == "10A\x1d21B"
    assert read(b"]C110A\x1d21B").symbology.is_gs1
    assert not read(b"978014300723452000").symbology.is_gs1
    assert not read(b"]E09780143007234").symbology.is_gs1


def test_scanner_07_a_substitute_for_gs_is_put_back() -> None:
    assert read(b"]C110A^21B", gs_substitute=b"^").data == "10A\x1d21B"
    assert read(b"10A{GS}21B", gs_substitute=b"{GS}").data == "10A\x1d21B"
    assert read(b"]Q1a^b", gs_substitute=b"^").data == "a^b"


def test_scanner_08_text_is_utf8_or_the_fallback() -> None:
    assert read("João €".encode()).data == "João €"
    assert read("João €".encode("cp1252")).data == "João €"
    assert read(b"A\x81B").data == "A\ufffdB"


def test_scanner_08_a_doubled_backslash_is_undone_in_eci_modes_only() -> None:
    assert read(b"]Q2\\000026a\\\\b").data == "a\\b"
    assert read(b"]Q1a\\\\b").data == "a\\\\b"
    assert read(b"]L1\\\\123456").data == "\\123456"


@given(st.binary(max_size=64))
def test_no_bytes_make_it_fail(raw: bytes) -> None:
    assert isinstance(read(raw, gs_substitute=b"^").data, str)


def test_every_symbology_has_its_constant_of_unifiedpos() -> None:
    constants = {symbology: symbology.scan_data_type for symbology in Symbology}
    assert (constants[Symbology.UPCA], constants[Symbology.EAN13], constants[Symbology.QRCODE]) == (101, 104, 204)
    assert (constants[Symbology.UNKNOWN], constants[Symbology.OTHER]) == (0, 501)
    twice = {Symbology.AZTEC, Symbology.GS1AZTEC}
    assert len(set(constants.values())) == len(constants) - len(twice) + 1


def test_the_identifier_of_the_code_wins_over_what_the_protocol_told() -> None:
    told = Symbology.CODE128
    assert decode(b"]C10112345", encoding_fallback="cp1252", told=told).symbology is Symbology.EAN128
    assert decode(b"4711", encoding_fallback="cp1252", told=told) == DecodedScan(data="4711", symbology=told)
    assert decode(b"]y04711", encoding_fallback="cp1252", told=told).data == "]y04711"


def test_scanner_06_the_identifier_is_stripped_in_front_of_a_digital_link() -> None:
    assert read(b"]Q1https://id.gs1.org/01/09506000134352").data == "https://id.gs1.org/01/09506000134352"
