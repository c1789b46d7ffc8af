"""Every string on its way to the paper is harmless, in the page, and as wide as it looks."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.profile import CODE_PAGE_NUMBERS
from drivers.printer.text import columns_lines, encode, page_characters, prepare, unprintable, wrap

PAGES = sorted(CODE_PAGE_NUMBERS)
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)
PAGE = st.sampled_from(PAGES)


def test_escpos_01_portuguese_and_spanish_with_the_euro_fit_cp858() -> None:
    text = "João, coração, ÁÉÍÓÚ ãõç Ñ ¿¡ €"
    assert encode(text, "cp858").decode("cp858") == text
    assert encode(text, "cp1252").decode("cp1252") == text


@pytest.mark.parametrize(
    ("page", "text", "printed"),
    [
        ("cp850", "5 €", "5 EUR"),
        ("cp860", "5 €", "5 EUR"),
        ("cp437", "São Tomé, ÂÊÕ", "Sao Tomé, AEO"),
        ("cp858", "\u201cMüller\u201d \u2013 Łódź\u2026", '"Müller" - Lódz...'),
        ("cp858", "ﬁsh №5", "fish No5"),
        ("cp437", "東京 😀", "?? ?"),
    ],
)
def test_escpos_01_what_a_page_lacks_is_transliterated(page: str, text: str, printed: str) -> None:
    assert prepare(text, page) == printed


def test_escpos_03_decomposed_letters_are_composed_first() -> None:
    decomposed = unicodedata.normalize("NFD", "João São ã")
    assert encode(decomposed, "cp858") == "João São ã".encode("cp858")


def test_escpos_04_a_member_name_cannot_open_the_drawer() -> None:
    assert prepare("\x1bp\x00\x19\xfa", "cp858") == "pú"
    assert encode("A\x1b@\x7f\x80\x9b\u202eB\u200b\ufeffC\u2066", "cp1252") == b"A@BC"


def test_spaces_of_all_kinds_and_line_ends_become_a_plain_space() -> None:
    assert prepare("1\u00a0234\u202f567\u2009\t\nX", "cp858") == "1 234 567   X"


@given(text=ANY_TEXT, page=PAGE)
def test_escpos_04_no_text_gives_a_control_byte(text: str, page: str) -> None:
    encoded = encode(text, page)
    assert all(byte >= 0x20 and byte != 0x7F for byte in encoded)
    assert len(encoded) == len(prepare(text, page))


@given(text=ANY_TEXT, page=PAGE)
def test_preparing_twice_changes_nothing(text: str, page: str) -> None:
    assert prepare(prepare(text, page), page) == prepare(text, page)


@given(text=ANY_TEXT, page=PAGE, columns=st.integers(1, 48))
def test_no_wrapped_line_is_wider_than_the_paper_and_no_word_is_lost(text: str, page: str, columns: int) -> None:
    lines = wrap(text, columns, page)
    assert lines
    assert all(len(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(prepare(text, page).split())


@given(left=ANY_TEXT, right=ANY_TEXT, page=PAGE, columns=st.integers(16, 48))
def test_no_column_is_cut(left: str, right: str, page: str, columns: int) -> None:
    lines = columns_lines(left, right, columns, page)
    assert all(len(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join((prepare(left, page) + prepare(right, page)).split())


def test_columns_meet_the_right_edge_and_wrap_the_description() -> None:
    assert columns_lines("Coffee", "1.20", 16, "cp858") == ["Coffee      1.20"]
    assert columns_lines("Coffee with oat milk", "1.20", 16, "cp858") == ["Coffee with oat", "milk        1.20"]
    assert columns_lines("A" * 16, "1.20", 16, "cp858") == ["A" * 16, "            1.20"]


def test_escpos_01_what_cannot_be_printed_is_named_with_what_stands_for_it() -> None:
    found = unprintable("1\u00a0\u20ac \u6771\u4eac, 2 \u20ac\u2026 Jo\u00e3o\u200b\n", "cp860")
    assert [(one.name, one.printed_as) for one in found] == [
        ("U+20AC EURO SIGN", "EUR"),
        ("U+6771 CJK UNIFIED IDEOGRAPH-6771", "?"),
        ("U+4EAC CJK UNIFIED IDEOGRAPH-4EAC", "?"),
        ("U+2026 HORIZONTAL ELLIPSIS", "..."),
        ("U+200B ZERO WIDTH SPACE", ""),
    ]
    assert unprintable("1,20 \u20ac", "cp858") == ()


@given(text=ANY_TEXT, page=PAGE)
def test_what_is_not_named_is_printed_as_it_is(text: str, page: str) -> None:
    lost = {one.character for one in unprintable(text, page)}
    kept = "".join(character for character in unicodedata.normalize("NFC", text) if character not in lost)
    assert prepare(kept, page).replace(" ", "") == "".join(kept.split()).replace("\x85", "")


@pytest.mark.parametrize(("page", "count"), [("cp437", 95 + 127), ("cp858", 95 + 127), ("cp1252", 95 + 122)])
def test_the_characters_of_a_page_are_all_there_and_harmless(page: str, count: int) -> None:
    characters = page_characters(page)
    assert abs(len(characters) - count) <= 2
    assert prepare(characters, page) == characters
    assert all(byte >= 0x20 and byte != 0x7F for byte in characters.encode(page))


def test_escpos_03_one_character_of_another_script_changes_no_other() -> None:
    assert encode("Jo\u00e3o \u6771 \u20ac", "cp858") == "Jo\u00e3o ? \u20ac".encode("cp858")
