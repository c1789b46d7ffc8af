from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from re import DOTALL, search
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk.codec import CodecError, dumps
from loyalty_sdk.programme import PROGRAMME_BYTES_MAX, Expiry, Pending, Programme, parse_programme

PAGE = Path(__file__).parents[3] / "docs" / "programme.md"


def document() -> dict[str, Any]:
    """The document that docs/programme.md shows."""
    found = search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), DOTALL)
    assert found is not None
    shown: dict[str, Any] = json.loads(found[1])
    return shown


def test_the_documented_programme_is_read() -> None:
    read = parse_programme(json.dumps(document()))
    assert (read.name, len(read.earning), len(read.rewards)) == ("Clube Aurora", 3, 1)
    assert parse_programme(dumps(read)) == read


def test_a_reward_is_found_by_its_id() -> None:
    read = parse_programme(json.dumps(document()))
    five_off = read.reward("five-off")
    assert five_off is not None
    assert five_off.points == 100
    assert read.reward("other") is None


def test_what_is_absent_has_the_documented_values() -> None:
    bare = {"format": "loyalty-programme-1", "name": "x", "version": 1, "currency": "EUR"}
    read = parse_programme(json.dumps(bare))
    assert read == Programme(format="loyalty-programme-1", name="x", version=1, currency="EUR")
    assert (read.earning_basis, read.earning, read.rewards, read.receipt.locale) == ("paid", (), (), "en")
    assert (read.offline.points_per_sale_max, read.offline.grant_hours) == (0, 72)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("earning", 0, "rounding", "mode"), "up", r"earning\[0\].rounding.mode must be one of floor, ceiling"),
        (("earning", 0, "points"), 0, r"earning\[0\]: points must be 1 or more"),
        (("earning", 0, "points"), 1.5, "floating-point"),
        (("earning", 0, "points"), True, r"earning\[0\].points must be a whole number"),
        (("earning", 0, "per_minor"), 0, "per_minor belongs to kind amount"),
        (("earning", 2, "per_minor"), 100, "per_minor belongs to kind amount"),
        (("earning", 0, "minimum_spend_minor"), -1, "minimum_spend_minor must be 0 or more"),
        (("earning", 1, "id"), "base", "each with an id of its own"),
        (("rewards", 0, "discount_minor"), 0, r"rewards\[0\]: points, discount_minor"),
        (("rewards", 0, "price"), 1, r"rewards\[0\].price is not a field here"),
        (("offline", "points_per_sale_max"), -1, "offline: caps must be 0 or more"),
        (("offline", "grant_hours"), 0, "grant_hours from 1"),
        (("expiry",), {}, "expiry: give either months_after_earning or on"),
        (("expiry",), {"months_after_earning": 1, "on": "12-31"}, "expiry: give either months_after_earning or on"),
        (("expiry",), {"months_after_earning": 0}, "from 1 to 1200"),
        (("expiry",), {"months_after_earning": 1201}, "from 1 to 1200"),
        (("expiry",), {"months_after_earning": 1, "months_min": 2}, "months_min belongs to on"),
        (("expiry",), {"on": "02-29"}, "a day that every year has"),
        (("expiry",), {"on": "04-31"}, "a day that every year has"),
        (("expiry",), {"on": "31-12"}, "a day that every year has"),
        (("expiry",), {"on": "12-31", "months_min": 0}, "from 1 to 1200"),
        (("expiry",), {"on": "12-31", "utc_offset": "BRT"}, "hours and minutes from UTC"),
        (("expiry",), {"on": "12-31", "utc_offset": "+15:00"}, "hours and minutes from UTC"),
        (("pending",), {"hours": 0}, "pending: hours must be from 1 to 672"),
        (("pending",), {"hours": 673}, "pending: hours must be from 1 to 672"),
        (("pending",), {}, "pending.hours is missing"),
        (("version",), 0, "version counts from 1"),
        (("currency",), "euro", "ISO 4217"),
        (("format",), "loyalty-programme-2", "format must be one of loyalty-programme-1"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(path: tuple[Any, ...], value: object, says: str) -> None:
    changed = copy.deepcopy(document())
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(CodecError, match=says):
        parse_programme(json.dumps(changed))


@pytest.mark.parametrize("field", ["format", "name", "version", "currency"])
def test_a_missing_field_is_refused(field: str) -> None:
    short = document()
    del short[field]
    with pytest.raises(CodecError, match=f"^{field} is missing"):
        parse_programme(json.dumps(short))


def test_a_document_has_a_limit() -> None:
    with pytest.raises(CodecError, match="exceeds 1000000 bytes"):
        parse_programme(" " * (PROGRAMME_BYTES_MAX + 1))


def test_the_documented_dates_are_read() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = [line for line in page.splitlines() if line.startswith(('"expiry"', '"pending"'))]
    read = [parse_programme(json.dumps(document() | json.loads(f"{{{line}}}"))) for line in shown]
    assert [one.expiry for one in read] == [
        Expiry(months_after_earning=12, utc_offset="-03:00"),
        Expiry(on="12-31", months_min=3),
        None,
    ]
    assert read[2].pending == Pending(hours=48)


@given(day=st.dates(min_value=date(2027, 1, 1), max_value=date(2027, 12, 31)))
def test_every_day_of_a_common_year_is_a_day_to_expire_on(day: date) -> None:
    assert Expiry(on=f"{day:%m-%d}").on == f"{day:%m-%d}"
