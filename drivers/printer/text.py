"""Every string on its way to the paper: safe, in one code page, and as wide as it looks.

After `prepare` a text holds only printable characters of the page, one byte and one column each. Does not know
how a printer is told anything: no command can come out of here, and that is the point.
"""

from __future__ import annotations

import textwrap
import unicodedata
from dataclasses import dataclass

__all__ = ["Unprintable", "columns_lines", "encode", "page_characters", "prepare", "unprintable", "wrap"]

# What stands for a character that a page lacks, where Unicode's own decomposition gives nothing or gives less.
_SUBSTITUTES = {
    "€": "EUR", "£": "GBP", "¥": "JPY", "¢": "c", "₹": "INR", "₽": "RUB", "฿": "THB", "₿": "BTC",
    "\u2018": "'", "\u2019": "'", "\u201a": ",", "\u201b": "'", "\u2032": "'", "\u00b4": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"', "\u2033": '"', "«": '"', "»": '"',
    "\u2039": "<", "\u203a": ">", "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-",
    "\u2015": "-", "\u2212": "-", "\u2022": "*", "\u00b7": ".", "\u00d7": "x", "\u00f7": "/",
    "\u2026": "...", "\u2122": "TM", "©": "(c)", "®": "(R)", "№": "No", "°": "o", "\u2044": "/",
    "ß": "ss", "\u1e9e": "SS", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Ø": "O", "ø": "o",
    "Đ": "D", "đ": "d", "Ð": "D", "ð": "d", "Þ": "Th", "þ": "th", "Ł": "L", "ł": "l", "Ħ": "H", "ħ": "h",
    "\u0131": "i", "Ŋ": "N", "ŋ": "n", "¿": "?", "¡": "!", "§": "S", "¶": "P", "±": "+/-", "µ": "u",
    "\u2190": "<-", "\u2192": "->", "\u2500": "-", "\u2550": "=", "\u2502": "|", "\u2713": "v", "\u2605": "*",
}  # fmt: skip

_UNKNOWN = "?"
_LINE_ENDS = "\t\n\v\f\r\x85\u2028\u2029"
# Controls (C0, DEL, C1), format characters (bidi, zero width, tags).
_STRIPPED = frozenset({"Cc", "Cf"})
# Accents that NFC could not join to a letter.
_MARKS = frozenset({"Mn", "Me", "Mc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprintable:
    """A character that a code page lacks, and what is printed for it; "" where it is left out."""

    character: str
    printed_as: str

    @property
    def name(self) -> str:
        """The character as people look it up, as `U+20AC EURO SIGN`."""
        return f"U+{ord(self.character):04X} {unicodedata.name(self.character, 'without a name')}"


def unprintable(text: str, code_page: str) -> tuple[Unprintable, ...]:
    """Return the characters of `text` that the page cannot print as they are, each once, in order.

    Spaces and line ends of all kinds become a space, which is no loss, and are left out.
    """
    found = {character: _printable(character, code_page) for character in unicodedata.normalize("NFC", text)}
    return tuple(
        Unprintable(character=character, printed_as=printed)
        for character, printed in found.items()
        if printed != character and not _is_space(character)
    )


def page_characters(code_page: str) -> str:
    """Return every printable character of the page in the order of its bytes, for a test print."""
    codes = (bytes([code]).decode(code_page, errors="ignore") for code in (*range(0x20, 0x7F), *range(0x80, 0x100)))
    return "".join(character for character in codes if character and _printable(character, code_page) == character)


def prepare(text: str, code_page: str) -> str:
    """Return `text` in printable characters of the page: composed, transliterated, without controls.

    A line end inside of data becomes a space, as do all kinds of spaces; what nothing stands for becomes "?".
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable(character, code_page) for character in unicodedata.normalize("NFC", text))


def encode(text: str, code_page: str) -> bytes:
    """Return the prepared text in the bytes of the page, one for each character."""
    return prepare(text, code_page).encode(code_page)


def wrap(text: str, columns: int, code_page: str) -> list[str]:
    """Return the prepared text as lines of at most `columns` characters; at least one line."""
    lines = textwrap.wrap(
        prepare(text, code_page), columns, break_on_hyphens=False, replace_whitespace=False, expand_tabs=False
    )
    return lines or [""]


def columns_lines(left: str, right: str, columns: int, code_page: str) -> list[str]:
    """Return `left` and `right` on one line, or on as many as they need; never cut, the right part always last."""
    left_text, right_text = prepare(left, code_page), prepare(right, code_page)
    gap = columns - len(left_text) - len(right_text)
    if gap >= 1:
        return [left_text + " " * gap + right_text]
    right_lines = wrap(right_text, columns, code_page)
    left_lines = wrap(left_text, columns, code_page)
    if len(right_lines) == 1 and len(left_lines[-1]) + len(right_text) < columns:
        last = left_lines.pop()
        return [*left_lines, last + right_text.rjust(columns - len(last))]
    return left_lines + [line.rjust(columns) for line in right_lines]


def _printable(character: str, code_page: str) -> str:
    if " " <= character <= "~":
        return character
    if _is_space(character):
        return " "
    category = unicodedata.category(character)
    if category in _STRIPPED:
        return ""
    if _is_in_page(character, code_page):
        return character
    return "" if category in _MARKS else _substitute(character, code_page)


def _is_space(character: str) -> bool:
    return character in _LINE_ENDS or unicodedata.category(character) == "Zs"


def _is_in_page(character: str, code_page: str) -> bool:
    try:
        # Above ASCII only: the pages put glyphs on control bytes, which a printer takes as commands.
        return character.encode(code_page) >= b"\x80"
    except UnicodeEncodeError:
        return False


def _substitute(character: str, code_page: str) -> str:
    known = _SUBSTITUTES.get(character)
    if known is not None:
        return known
    decomposed = unicodedata.normalize("NFKD", character)
    if decomposed == character:
        return _UNKNOWN
    return "".join(_printable(part, code_page) for part in decomposed) or _UNKNOWN
