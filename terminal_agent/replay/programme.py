"""The programme of a replay: the one it was given, or a simple one of its own.

The simple one gives 1 point for each whole unit of the currency and takes 500 points for 5 units; offline it lets a
terminal redeem what was granted ahead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.numbers import get_currency_precision, list_currencies

from loyalty_sdk.codec import CodecError, dumps, loads
from loyalty_sdk.programme import Programme, parse_programme
from terminal_agent.replay.options import OptionsInvalid

__all__ = ["DEFAULT_CURRENCY", "minor_digits", "programme_document"]

# That of the public data set which the defaults of the columns fit.
DEFAULT_CURRENCY = "GBP"


def programme_document(path: Path | None, currency: str | None) -> tuple[bytes, Programme]:
    """Return the document and what it says. Raises OptionsInvalid for one that central would refuse."""
    document = dumps(_simple(_known(currency or DEFAULT_CURRENCY))) if path is None else _read(path)
    try:
        programme = parse_programme(document)
        loads(document)
    except CodecError as error:
        raise OptionsInvalid(f"--programme {path}: {error}; see docs/programme.md") from None
    if currency is not None and currency != programme.currency:
        raise OptionsInvalid(
            f"--currency is {currency}, but the programme counts in {programme.currency}; leave the option out, "
            "or give a programme in that currency"
        )
    _known(programme.currency)
    return document, programme


def minor_digits(currency: str) -> int:
    """Return the decimals of an ISO 4217 currency: 2 for GBP, 0 for JPY."""
    return get_currency_precision(currency)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OptionsInvalid(f"--programme {path} cannot be read: {error.strerror}; check the path") from None


def _known(currency: str) -> str:
    if currency not in list_currencies():
        raise OptionsInvalid(f"{currency!r} is no ISO 4217 currency; write it as GBP or BRL")
    return currency


def _simple(currency: str) -> dict[str, Any]:
    unit_minor = 10 ** minor_digits(currency)
    reward = {"id": "five-off", "name": f"5 {currency} off", "points": 500, "discount_minor": 5 * unit_minor}
    return {
        "format": "loyalty-programme-1",
        "name": "Replay",
        "version": 1,
        "currency": currency,
        "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": unit_minor}],
        "rewards": [reward | {"count_per_sale_max": 2}],
        "offline": {
            "points_per_sale_max": 1_000,
            "points_per_member_max": 2_000,
            "redemptions_per_member_max": 4,
            "hours_since_contact_max": 72,
            "grant_ahead_points_max": 1_000,
        },
    }
