"""What a code is: by its form, by what the symbology allows, and by the order of the configuration."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.br import cnpj, cpf
from stdnum.es import nie
from stdnum.pt import nif

from drivers.scanner.symbology import Symbology
from loyalty_sdk.model import CodeKind, GS1Element
from terminal_agent.meaning import DEFAULT_ORDER, CodeRules, MeaningReader

READER = MeaningReader(CodeRules())
DIGITS = "0123456789"


def kind_of(text: str, symbology: Symbology = Symbology.UNKNOWN) -> CodeKind:
    return READER.read(text, symbology).kind


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("529.982.247-25", "cpf", "52998224725"),
        ("52998224725", "cpf", "52998224725"),
        ("11.222.333/0001-81", "cnpj", "11222333000181"),
        ("12.ABC.345/01DE-35", "cnpj", "12ABC34501DE35"),
        ("12.abc.345/01de-35", "cnpj", "12ABC34501DE35"),
        ("501964843", "nif", "501964843"),
        ("PT 501 964 843", "nif", "501964843"),
        ("54362315-K", "nif", "54362315K"),
        ("B64717838", "nif", "B64717838"),
        ("x-2482300w", "nie", "X2482300W"),
        ("+351 912 345 678", "phone", "+351912345678"),
        ("912345670", "phone", "+351912345670"),
        ("+55 (11) 98765-4321", "phone", "+5511987654321"),
        ("4006381333931", "gtin", "4006381333931"),
        ("96385074", "gtin", "96385074"),
        ("012345678905", "gtin", "012345678905"),
        ("10614141123459", "gtin", "10614141123459"),
        ("LM12345Y", "member", "LM12345Y"),
        ("LV12345Y", "voucher", "LV12345Y"),
        ("2400001", "unknown", "2400001"),
        ("", "unknown", ""),
        ("Olá", "unknown", "Olá"),
    ],
)
def test_a_code_is_told_by_its_form(text: str, kind: CodeKind, value: str) -> None:
    meaning = READER.read(text)
    assert (meaning.kind, meaning.value) == (kind, value)


@pytest.mark.parametrize(
    "text", ["52998224726", "11222333000180", "12ABC34501DE36", "501964844", "X2482300A", "4006381333932", "LM12345X"]
)
def test_a_wrong_check_digit_is_no_such_code(text: str) -> None:
    assert kind_of(text) not in ("cpf", "cnpj", "nif", "nie", "gtin", "member")


@pytest.mark.parametrize("text", ["52998224725", "11222333000181", "501964843", "4006381333931", "912345670"])
@pytest.mark.parametrize("zero", ["\uff10", "\u0660"])
def test_scanner_11_digits_that_are_not_ascii_are_no_digits(text: str, zero: str) -> None:
    foreign = "".join(chr(ord(zero) + int(digit)) for digit in text)
    assert kind_of(foreign) == "unknown"
    assert kind_of(foreign[:3] + text[3:]) == "unknown"


def test_scanner_07_gs1_is_read_only_where_the_identifier_says_so() -> None:
    code = "978014300723452000"
    assert kind_of(code) == "unknown"
    assert kind_of(code, Symbology.CODE128) == "unknown"
    assert READER.read(code, Symbology.EAN128).elements == (GS1Element(ai="97", value="8014300723452000"),)


def test_scanner_07_the_separator_ends_an_element() -> None:
    meaning = READER.read("010061414112345210A\x1d21B", Symbology.GS1DATAMATRIX)
    assert (meaning.kind, meaning.value) == ("gs1", "00614141123452")
    assert [(element.ai, element.value) for element in meaning.elements] == [
        ("01", "00614141123452"),
        ("10", "A"),
        ("21", "B"),
    ]


@pytest.mark.parametrize("text", ["0100614141123453", "01", "no GS1", "\x1d"])
def test_a_gs1_code_that_was_not_read_right_is_unknown(text: str) -> None:
    assert kind_of(text, Symbology.EAN128) == "unknown"


def test_scanner_06_a_digital_link_is_read_behind_its_identifier() -> None:
    meaning = READER.read("https://id.gs1.org/01/09506000134352/10/ABC?17=991231", Symbology.QRCODE)
    assert (meaning.kind, meaning.value) == ("digital_link", "09506000134352")
    assert [element.ai for element in meaning.elements] == ["01", "10", "17"]


@pytest.mark.parametrize(
    "text",
    ["https://example.org/m/1", "http://[::1/01/09506000134352", "https://id.gs1.org/01/12", "https://x/01/\ud7ff"],
)
def test_another_link_is_unknown(text: str) -> None:
    assert kind_of(text, Symbology.QRCODE) == "unknown"


def test_an_article_is_never_a_person() -> None:
    # A valid CPF with two zeros in front, as EAN-13, is an article or nothing.
    assert kind_of("0052998224725", Symbology.EAN13) in ("gtin", "unknown")
    assert READER.read("4006381333931", Symbology.EAN13).other_kinds == ()


def test_what_else_a_code_could_be_is_told_and_the_order_decides() -> None:
    both = next(f"119{number:08d}" for number in range(10**8) if cpf.is_valid(f"119{number:08d}"))
    assert (kind_of(both), READER.read(both).other_kinds) == ("cpf", ("phone",))
    phones_first = MeaningReader(CodeRules(order=("phone", "cpf"), countries=("BR",)))
    assert phones_first.read(both).kind == "phone"
    assert MeaningReader(CodeRules(order=("phone",))).read(both).other_kinds == ()


def test_other_countries_have_other_numbers() -> None:
    spain = MeaningReader(CodeRules(countries=("ES",)))
    assert spain.read("52998224725").kind == "unknown"
    assert spain.read("501964843").kind == "unknown"
    assert spain.read("612345678").value == "+34612345678"


def test_the_chains_own_prefixes_win_in_any_symbology() -> None:
    own = MeaningReader(CodeRules(member_prefixes=("24",), voucher_prefixes=("99",)))
    assert own.read("2400001").kind == "member"
    assert own.read("2400000000016", Symbology.EAN13).kind == "member"
    assert own.read("9900001", Symbology.CODE128).kind == "voucher"


@given(digits=st.text(DIGITS, min_size=9, max_size=9))
def test_every_number_with_right_check_digits_is_told(digits: str) -> None:
    checks = {
        "cpf": digits + cpf._calc_check_digits(digits),
        "cnpj": digits + "000" + cnpj.calc_check_digits(digits + "000"),
        "nie": "X" + digits[:7] + nie.calc_check_digit("X" + digits[:7]),
    }
    for kind, number in checks.items():
        meaning = READER.read(number)
        module = {"cpf": cpf, "cnpj": cnpj, "nie": nie}[kind]
        assert (kind in (meaning.kind, *meaning.other_kinds)) == module.is_valid(number)
    number = digits[:8] + nif.calc_check_digit(digits[:8])
    meaning = READER.read(number)
    assert ("nif" in (meaning.kind, *meaning.other_kinds)) == nif.is_valid(number)


@given(text=st.text(max_size=60), symbology=st.sampled_from(Symbology))
def test_no_text_makes_it_fail(text: str, symbology: Symbology) -> None:
    meaning = READER.read(text, symbology)
    assert meaning.kind == "unknown" or meaning.kind in DEFAULT_ORDER
    assert meaning.kind not in meaning.other_kinds


def test_the_libraries_are_loaded_by_the_first_code_that_needs_them() -> None:
    code = (
        "import sys\nfrom terminal_agent.meaning import CodeRules, MeaningReader\n"
        "heavy = {'biip', 'phonenumbers', 'stdnum'}\n"
        "before = sorted(heavy & set(sys.modules))\n"
        "MeaningReader(CodeRules()).warm_up()\n"
        "print(before, sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[] ['phonenumbers', 'stdnum']"
