"""Every language has every word, with the same places for what is filled in, and its printers can print them."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from string import Formatter
from typing import Any

import pytest

from drivers.printer.text import unprintable
from terminal_agent.receipt_words import RECEIPT_WORDS, REPORT_WORDS, words_of

TABLES: tuple[Mapping[str, Any], ...] = (RECEIPT_WORDS, REPORT_WORDS)
LANGUAGES = ("pt_BR", "pt_PT", "es", "en")


def texts(words: Any) -> Iterator[tuple[str, str]]:
    """Each text of a language with its name, those in a mapping with their key."""
    for field in fields(words):
        value = getattr(words, field.name)
        if isinstance(value, Mapping):
            yield from ((f"{field.name}.{key}", text) for key, text in value.items())
        else:
            yield field.name, value


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_missing_and_every_argument_agrees(table: Mapping[str, Any], language: str) -> None:
    assert set(table) == set(LANGUAGES)
    english, found = dict(texts(table["en"])), dict(texts(table[language]))
    assert found.keys() == english.keys()
    assert {name: places(text) for name, text in found.items()} == {n: places(text) for n, text in english.items()}
    assert all(text.strip() == text != "" for text in found.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code_page", ["cp858", "cp1252", "cp850"])
def test_every_word_can_be_printed(language: str, code_page: str) -> None:
    for table in TABLES:
        for name, text in texts(table[language]):
            assert unprintable(text, code_page) == (), name


def test_the_languages_differ_where_they_should() -> None:
    copies = {language: RECEIPT_WORDS[language].copy for language in LANGUAGES}
    assert copies == {"en": "COPY", "pt_PT": "2.ª VIA", "pt_BR": "2ª VIA", "es": "COPIA"}


@pytest.mark.parametrize(
    ("locale", "language"),
    [("pt_BR", "pt_BR"), ("pt", "pt_PT"), ("pt_AO", "pt_PT"), ("es_MX", "es"), ("en_IE", "en"), ("de_DE", "en")],
)
def test_a_locale_takes_the_nearest_language(locale: str, language: str) -> None:
    assert words_of(RECEIPT_WORDS, locale) is RECEIPT_WORDS[language]
