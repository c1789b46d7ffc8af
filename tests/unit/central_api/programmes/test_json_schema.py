"""The schema is current, and says of a document what `parse_programme` says, as far as a schema can."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from central_api.programmes.json_schema import programme_schema, schema_text
from loyalty_sdk.codec import INTEGER_MAX, CodecError
from loyalty_sdk.programme import parse_programme

KEPT = Path(__file__).parents[4] / "docs" / "programme.schema.json"
WRITE = """python -c "from central_api.programmes.json_schema import schema_text; print(schema_text(), end='')\""""
SCHEMA = jsonschema_rs.Draft202012Validator(programme_schema())
# What a schema cannot say: this one refusal is left to `parse_programme`.
UNSAYABLE = "each with an id of its own"

FULL: dict[str, Any] = {
    "format": "loyalty-programme-1",
    "name": "Clube",
    "version": 1,
    "currency": "EUR",
    "earning_basis": "gross",
    "earning": [
        {
            "id": "base",
            "kind": "amount",
            "points": 1,
            "per_minor": 100,
            "minimum_spend_minor": 500,
            "included": {"categories": ["bakery"], "skus": []},
            "excluded": {"categories": ["tobacco"], "skus": ["GIFT"]},
            "rounding": {"mode": "half_up", "scope": "line", "unit": "step"},
        },
        {"id": "coffee", "kind": "item", "points": 5, "per_minor": 0, "included": None},
    ],
    "rewards": [
        {"id": "r", "name": "R", "points": 9, "discount_minor": 5, "minimum_spend_minor": 6, "count_per_sale_max": 2}
    ],
    "expiry": {"on": "12-31", "months_min": 3, "utc_offset": "-03:00", "months_after_earning": None},
    "pending": {"hours": 48},
    "offline": {
        "points_per_sale_max": 1,
        "points_per_member_max": 2,
        "redemptions_per_member_max": 3,
        "hours_since_contact_max": 4,
        "grant_ahead_points_max": 5,
        "grant_hours": 6,
    },
    "receipt": {"locale": "pt_PT", "header": ["a"], "footer": ["b"], "qr": "{receipt}"},
}


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, the outermost first."""
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inner:
        yield from places(item, (*place, step))


WHOLE = st.sampled_from((-1, 0, 1, 2, 672, 673, 1_200, 1_201, 8_760, 8_761, INTEGER_MAX, INTEGER_MAX + 1, -INTEGER_MAX))
TEXT = st.sampled_from(
    ("", "EUR", "eur", "E1R", "EURO", "amount", "item", "line", "up", "02-29", "12-31", "04-31", "-03:00", "+15:00")
) | st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=201)
LEAF = st.none() | st.booleans() | WHOLE | TEXT
VALUE = (
    LEAF | st.lists(LEAF, max_size=2) | st.dictionaries(st.sampled_from(("id", "on", "hours", "x")), LEAF, max_size=2)
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The full document with one to three of its values replaced, left out, or given to another field."""
    changed = copy.deepcopy(FULL)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(changed))[1:]))
        inner: Any = changed
        for step in way:
            inner = inner[step]
        what = draw(st.sampled_from(("replace", "leave out", "add")))
        if what == "replace":
            inner[last] = draw(VALUE)
        elif what == "leave out":
            del inner[last]
        elif isinstance(inner, dict):
            inner[draw(st.sampled_from(("extra", "months_after_earning", "on", "per_minor", "qr")))] = draw(VALUE)
        else:
            inner.append(draw(VALUE))
    return changed


@settings(max_examples=150)
@given(document=mutated())
@example(document=FULL)
@example(document=FULL | {"earning": [{"id": "e", "kind": "item", "points": 1, "per_minor": 1}]})
@example(document=FULL | {"expiry": {"months_after_earning": 12, "months_min": 2}})
@example(document=FULL | {"expiry": {"months_after_earning": 12, "on": "12-31"}})
@example(document=FULL | {"currency": "E\nR"})
def test_the_schema_accepts_and_refuses_what_reading_does(document: dict[str, Any]) -> None:
    try:
        parse_programme(json.dumps(document))
    except CodecError as error:
        refused = str(error)
    else:
        refused = ""
    if UNSAYABLE in refused and max(len(document["earning"]), len(document["rewards"])) <= 1_000:
        return
    assert SCHEMA.is_valid(document) == (refused == ""), refused


def test_too_many_rules_are_refused_by_both() -> None:
    many = [{"id": f"e{number}", "kind": "item", "points": 1} for number in range(1_001)]
    assert not SCHEMA.is_valid(FULL | {"earning": many})
    assert SCHEMA.is_valid(FULL | {"earning": many[1:]})
    with pytest.raises(CodecError, match="at most 1000 rules"):
        parse_programme(json.dumps(FULL | {"earning": many}))
    parse_programme(json.dumps(FULL | {"earning": many[1:]}))


def test_the_schema_is_a_schema() -> None:
    jsonschema_rs.meta.validate(programme_schema())


def test_the_schema_that_is_kept_is_current() -> None:
    kept = KEPT.read_text(encoding="utf-8")
    assert kept == schema_text(), f"the dataclasses changed; write the schema again: {WRITE} > {KEPT.name}"
