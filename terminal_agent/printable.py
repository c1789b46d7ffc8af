"""Can a printer's code page print what this shop's receipts say? The check of the start, and of every new programme.

It looks at the texts that are known beforehand: the programme's, our words in its language, its currency. Names of
articles come with the sales; what a page lacks of those is written in other letters on the paper (`drivers.printer`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from drivers.printer.text import Unprintable, unprintable
from loyalty_sdk.programme import Programme
from terminal_agent.receipt_texts import Wording

__all__ = ["lost_characters", "warning_of"]

NAMED_MAX = 12
SAMPLE_AMOUNT_MINOR = -1_234_567


def lost_characters(programme: Programme, code_page: str) -> tuple[tuple[Unprintable, str], ...]:
    """Return the characters that the page lacks, each once, with the first text that has it."""
    found: dict[str, tuple[Unprintable, str]] = {}
    for text in _texts(programme):
        for lost in unprintable(text, code_page):
            found.setdefault(lost.character, (lost, text))
    return tuple(found.values())


def warning_of(printer: str, code_page: str, lost: tuple[tuple[Unprintable, str], ...]) -> str:
    """Return one sentence that names the characters, what is printed for them, and the remedy."""
    named = ", ".join(
        f"{character.character} ({character.name}, in {' '.join(text.split())!r}, printed as {character.printed_as!r})"
        for character, text in lost[:NAMED_MAX]
    )
    more = f" and {len(lost) - NAMED_MAX} more" if len(lost) > NAMED_MAX else ""
    return (
        f"printer {printer}: its code page {code_page} lacks {named}{more}: set code_page to one that has them "
        "(cp858 covers Portuguese and Spanish with the euro sign), or change the programme's texts"
    )


def _texts(programme: Programme) -> Iterator[str]:
    """Every text that is printed whatever is sold."""
    wording = Wording(programme.receipt.locale, programme.currency)
    yield programme.name
    yield from programme.receipt.header
    yield from programme.receipt.footer
    yield from _words(wording.words)
    yield from _words(wording.report_words)
    yield wording.amount(SAMPLE_AMOUNT_MINOR)
    yield wording.plain_amount(SAMPLE_AMOUNT_MINOR)
    yield wording.number(SAMPLE_AMOUNT_MINOR)
    yield wording.time(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))


def _words(words: Any) -> Iterator[str]:
    for field in fields(words):
        value = getattr(words, field.name)
        yield from value.values() if isinstance(value, Mapping) else (value,)
