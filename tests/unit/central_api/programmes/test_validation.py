"""All that is wrong with a document is said at once, each thing with its place and remedy."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings

from central_api.programmes.validation import FINDINGS_MAX, validate_document
from loyalty_sdk.codec import CodecError, dumps
from loyalty_sdk.programme import PROGRAMME_BYTES_MAX, Programme, parse_programme
from tests.unit.central_api.programmes.test_json_schema import FULL, mutated
from tests.unit.loyalty_sdk.strategies import programmes

GOOD: dict[str, Any] = {
    "format": "loyalty-programme-1",
    "name": "Clube",
    "version": 2,
    "currency": "EUR",
    "earning": [
        {"id": "base", "kind": "amount", "points": 1, "per_minor": 100},
        {"id": "bakery", "kind": "amount", "points": 1, "per_minor": 100, "included": {"categories": ["bakery"]}},
        {"id": "coffee", "kind": "item", "points": 5, "included": {"skus": ["COFFEE"]}},
    ],
    "rewards": [{"id": "five-off", "points": 100, "discount_minor": 500, "minimum_spend_minor": 1_000}],
    "offline": {
        "points_per_sale_max": 100,
        "points_per_member_max": 100,
        "redemptions_per_member_max": 1,
        "hours_since_contact_max": 72,
        "grant_ahead_points_max": 100,
        "grant_hours": 72,
    },
}
BEFORE = parse_programme(json.dumps(GOOD | {"version": 1}))


def changed(*changes: tuple[str, Any], start: dict[str, Any] = GOOD) -> dict[str, Any]:
    """A document with values set by their place, as `earning.0.points`; `...` leaves the field out."""
    document = copy.deepcopy(start)
    for place, value in changes:
        *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
        inner: Any = document
        for step in way:
            inner = inner[step]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return document


def is_read(document: dict[str, Any]) -> bool:
    try:
        parse_programme(json.dumps(document))
    except CodecError:
        return False
    return True


def findings(document: dict[str, Any], before: Any = BEFORE) -> list[tuple[str, str, str]]:
    found = validate_document(json.dumps(document), before)
    assert found.valid == all(one.severity == "warning" for one in found.findings)
    return [(one.severity, one.place, one.detail) for one in found.findings]


def test_a_programme_in_order_has_no_findings() -> None:
    assert findings(GOOD) == []
    assert findings(GOOD, None) == []


def test_every_error_is_said_with_its_place_and_what_would_be_right() -> None:
    document = changed(
        ("currency", "euro"),
        ("name", ...),
        ("earning.0.rounding", {"mode": "up", "scope": "basket"}),
        ("earning.1.per_mino", 100),
        ("earning.1.points", True),
        ("earning.2.points", 0),
        ("rewards.0.discount_minor", ...),
        ("rewards.0.colour", "red"),
        ("offline.grant_hours", 0),
        ("expiry", {"on": "02-29"}),
        ("pending", {"hours": "48"}),
        ("receipt", []),
    )
    assert findings(document) == [
        ("error", "name", "is missing; it must be a text"),
        (
            "error",
            "earning[0].rounding.mode",
            "must be one of floor, ceiling, half_up, half_even, not 'up'",
        ),
        ("error", "earning[1].points", "must be a whole number of at most 53 bits, not True"),
        ("error", "earning[1].per_mino", "is not a field here; write per_minor"),
        ("error", "earning[2]", "points must be 1 or more"),
        ("error", "rewards[0].discount_minor", "is missing; it must be a whole number of at most 53 bits"),
        (
            "error",
            "rewards[0].colour",
            "is not a field here; there are: id, points, discount_minor, minimum_spend_minor, count_per_sale_max, name",
        ),
        ("error", "expiry", "on must be a day that every year has, as 12-31, not '02-29'"),
        ("error", "pending.hours", "must be a whole number of at most 53 bits, not '48'"),
        ("error", "offline", "caps must be 0 or more, and grant_hours from 1 to 8760"),
        ("error", "receipt", "must be an object, not []"),
    ]


def test_what_fields_say_together_is_judged_once_each_is_right() -> None:
    twice = changed(("earning.1.id", "base"))
    assert findings(twice) == [("error", "", "earning: at most 1000 rules, each with an id of its own")]
    assert [place for _, place, _ in findings(changed(("currency", 5), start=twice))] == ["currency"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ('{"name": ', "not JSON: Expecting value: line 1 column 10"),
        ('{"name": 1, "name": 2}', "names the same field twice"),
        ('{"version": 1.5}', "1.5 is a floating-point number"),
        ("[]", "the body must be an object, not []"),
        (" " * (PROGRAMME_BYTES_MAX + 1), "exceeds 1000000 bytes"),
    ],
)
def test_what_is_no_document_has_one_error(text: str, says: str) -> None:
    (error,) = validate_document(text).findings
    assert (error.severity, error.place) == ("error", "")
    assert says in error.detail


@settings(max_examples=60)
@given(document=mutated())
def test_a_document_without_errors_is_one_that_is_read(document: dict[str, Any]) -> None:
    assert validate_document(json.dumps(document)).valid == is_read(document)


@settings(max_examples=40)
@given(programme=programmes())
def test_any_programme_is_in_order_as_far_as_errors_go(programme: Programme) -> None:
    assert validate_document(dumps(programme), BEFORE if programme.version > 1 else None).valid


def test_there_are_not_more_findings_than_anybody_reads() -> None:
    found = validate_document(json.dumps(GOOD | {"earning": [0] * 100_000}))
    assert len(found.findings) == FINDINGS_MAX


def test_what_a_hostile_document_names_can_be_shown() -> None:
    names = [chr(0xD800), "x" * 100_000, *map(str, range(50_000))]
    found = validate_document(json.dumps(GOOD | dict.fromkeys(names, 1)))
    assert len(found.findings) == FINDINGS_MAX
    assert found.findings[0].place == "\\ud800"
    assert len(found.findings[1].place) < 1_000
    assert dumps(found)


OFF = "offline."
TWO = ("earning.1.included", {"categories": ["bakery", "cakes"], "skus": ["BUN"]})


@pytest.mark.parametrize(
    ("changes", "place", "says"),
    [
        ([("earning.1.included", {})], "earning[1].included", "names nothing, so that the rule never earns"),
        (
            [("earning.1.excluded", {"categories": ["bakery"], "skus": ["X"]})],
            "earning[1].excluded",
            "holds all of included, so that the rule never earns",
        ),
        (
            [TWO, ("earning.1.excluded", {"categories": ["x", "cakes"]})],
            "earning[1].excluded.categories[1]",
            "'cakes' is in included as well, and never counts",
        ),
        (
            [TWO, ("earning.1.excluded", {"skus": ["BUN"]})],
            "earning[1].excluded.skus[0]",
            "'BUN' is in included as well",
        ),
        ([("earning.1.included.categories", ["bakery", ""])], "earning[1].included.categories[1]", "no category"),
        ([("earning.0.excluded", {"categories": [""]})], "earning[0].excluded.categories[0]", "no category"),
        (
            [("earning.2.included", {"categories": ["cakes", "bakery"]})],
            "earning[2].included.categories[1]",
            "'bakery' counts in the rule 'bakery' as well, and what they give adds up",
        ),
        ([("earning.1.included", ...)], "earning[1]", "every line counts in the rule 'base' as well"),
        (
            [("rewards.0.minimum_spend_minor", 499)],
            "rewards[0].minimum_spend_minor",
            "is less than the discount of 500, which a basket must reach as well",
        ),
        ([("rewards.0.points", 9)], "rewards[0].discount_minor", "gives back 55 % of what earns its 9 points"),
        ([("earning", [])], "rewards", "nothing earns points to spend on them"),
        (
            [("pending", {"hours": 337}), ("expiry", {"months_after_earning": 1})],
            "pending.hours",
            "points wait 337 hours of a life that may be as short as 28 days",
        ),
        ([("offline", ...)], "offline", "grant_ahead_points_max are 0: no reward is given without the network"),
        ([(OFF + "hours_since_contact_max", 0)], OFF + "hours_since_contact_max", "is 0: no reward is given"),
        ([(OFF + "points_per_sale_max", 99)], OFF + "points_per_sale_max", "below the 100 points of the cheapest"),
        ([(OFF + "grant_hours", 48)], OFF + "grant_hours", "ends 24 hours before hours_since_contact_max; set 72"),
        ([("currency", "BRL")], "currency", "version 1 counts in EUR"),
        ([("rewards.0.id", "ten-off")], "rewards", "'five-off' of version 1 is gone"),
        ([("rewards.0.points", 49)], "rewards[0].points", "was 100 in version 1 and becomes 49"),
        ([("rewards.0.discount_minor", 751)], "rewards[0].discount_minor", "was 500 in version 1 and becomes 751"),
    ],
)
def test_what_a_retailer_would_regret_is_a_warning(changes: list[tuple[str, Any]], place: str, says: str) -> None:
    found = findings(changed(*changes))
    assert [severity for severity, *_ in found] == ["warning"] * len(found)
    assert any(at == place and says in detail for _, at, detail in found), found


@pytest.mark.parametrize(
    "changes",
    [
        [("rewards.0.minimum_spend_minor", 500)],
        [("rewards.0.minimum_spend_minor", ...)],
        [("pending", {"hours": 336}), ("expiry", {"months_after_earning": 1})],
        [("pending", {"hours": 672}), ("expiry", {"on": "12-31", "months_min": 2})],
        [("rewards.0.discount_minor", 250), ("rewards.0.points", 50), (OFF + "points_per_sale_max", 50)],
        [(OFF + "grant_hours", 96)],
        [("earning.2.included.categories", ["cakes"]), ("earning.1.excluded", {"categories": ["cakes"]})],
    ],
)
def test_what_is_just_in_order_is_no_warning(changes: list[tuple[str, Any]]) -> None:
    assert findings(changed(*changes)) == []


def test_a_programme_without_rewards_needs_no_caps() -> None:
    assert findings(changed(("rewards", []), ("offline", ...)), None) == []


def test_a_version_that_does_not_grow_is_an_error() -> None:
    assert findings(GOOD | {"version": 1}) == [("error", "version", "1 is in force already; set 2 or more")]


def test_the_full_document_of_the_schema_has_no_errors() -> None:
    assert validate_document(json.dumps(FULL)).valid
