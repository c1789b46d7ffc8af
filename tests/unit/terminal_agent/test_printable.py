"""What a code page lacks of the texts of a shop is named, with its remedy; the agent runs all the same."""

import logging

import pytest

from terminal_agent.printable import lost_characters, warning_of
from tests.unit.terminal_agent.conftest import Install
from tests.unit.terminal_agent.rig import Rig, programme


@pytest.mark.parametrize("locale", ["pt_PT", "pt_BR", "es", "en"])
@pytest.mark.parametrize("code_page", ["cp858", "cp1252"])
def test_the_usual_pages_have_all_that_our_languages_need(locale: str, code_page: str) -> None:
    assert lost_characters(programme(receipt={"locale": locale}), code_page) == ()


def test_what_is_lost_is_named_with_the_text_that_has_it() -> None:
    texts = {"locale": "pt_PT", "header": ["Pão & Companhia"], "footer": ["Até já ☕"]}
    lost = lost_characters(programme(receipt=texts), "cp437")
    said = warning_of("front", "cp437", lost)
    assert "ã (U+00E3 LATIN SMALL LETTER A WITH TILDE, in 'Pão & Companhia', printed as 'a')" in said
    assert "U+2615 HOT BEVERAGE" in said
    assert "set code_page" in said
    assert "€" in {character.character for character, _ in lost}


def test_many_lost_characters_are_counted() -> None:
    texts = {"locale": "en", "header": ["абвгдежзиклмнопрст"]}
    assert " and 6 more: set code_page" in warning_of(
        "front", "cp858", lost_characters(programme(receipt=texts), "cp858")
    )


async def test_the_status_warns_and_a_printer_that_can_is_not_named(
    rig: Rig, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    rig.install((install("old", code_page="cp437"), install("front")))
    with caplog.at_level(logging.WARNING):
        first, second = await rig.status.read(), await rig.status.read()
    assert len(first.warnings) == 1
    assert first.warnings == second.warnings
    assert first.warnings[0].startswith("printer old: its code page cp437 lacks")
    assert len(caplog.records) == 1, "it is logged once for each version of the programme"


async def test_without_a_printer_nothing_is_checked(rig: Rig) -> None:
    assert rig.printing.check_texts() == ()
