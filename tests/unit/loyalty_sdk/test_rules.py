"""The rules against examples that were worked out by hand, and the laws that hold for any programme and basket."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from re import DOTALL, search
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.programme import (
    EarningRule,
    Expiry,
    Pending,
    Programme,
    Reward,
    Rounding,
    Selection,
    parse_programme,
)
from loyalty_sdk.rules import (
    ReturnedPoints,
    points_available_at,
    points_earned,
    points_expire_at,
    points_returned,
    reward_offers,
)
from tests.unit.loyalty_sdk.strategies import baskets, programmes

PAGE = Path(__file__).parents[3] / "docs" / "programme.md"


def documented() -> Programme:
    """The programme that docs/programme.md shows."""
    found = search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), DOTALL)
    assert found is not None
    return parse_programme(found[1])


def programme(*rules: EarningRule, **fields: Any) -> Programme:
    return Programme(format="loyalty-programme-1", name="x", version=1, currency="EUR", earning=rules, **fields)


def per_euro(**fields: Any) -> EarningRule:
    given_fields: dict[str, Any] = {"id": "base", "kind": "amount", "points": 1, "per_minor": 100} | fields
    return EarningRule(**given_fields)


BREAD = Line.of("BREAD", 299, 2, category="bakery")
COFFEE = Line.of("COFFEE", 450, 3)
CIGARETTES = Line.of("CIGARETTES", 5_000, category="tobacco")
GIFT_CARD = Line.of("GIFT-CARD", 2_000)


def test_the_documented_programme_by_hand() -> None:
    # base: 598 + 1350 = 1948 → 19; bakery: 5.98 steps × 2 = 11.96 → 11; coffee: 3 × 5 = 15.
    assert points_earned(documented(), Basket.of("EUR", BREAD, COFFEE, CIGARETTES, GIFT_CARD)) == 45


def test_a_reward_lowers_what_earns_where_the_basis_is_paid() -> None:
    # Shares of 500 over 598 and 1350 of 1948: ⌊500·598/1948⌋ = 153, and 500 − 153 = 347.
    # base: 445 + 1003 = 1448 → 14; bakery: 4.45 × 2 = 8.9 → 8; coffee: 15.
    basket = Basket.of("EUR", BREAD, COFFEE)
    assert points_earned(documented(), basket, 500) == 37
    assert points_earned(replace(documented(), earning_basis="gross"), basket, 500) == 45


def test_below_its_minimum_a_rule_gives_nothing() -> None:
    # 499 is below 500, so base gives nothing; 500 reaches it.
    assert points_earned(documented(), Basket.of("EUR", Line.of("X", 499))) == 0
    assert points_earned(documented(), Basket.of("EUR", Line.of("X", 500))) == 5


def test_lines_that_do_not_count_do_not_help_to_reach_a_minimum() -> None:
    assert points_earned(documented(), Basket.of("EUR", Line.of("X", 499), CIGARETTES)) == 0


@pytest.mark.parametrize(
    ("mode", "amount_minor", "points"),
    [
        ("floor", 199, 1),
        ("ceiling", 101, 2),
        ("half_up", 150, 2),
        ("half_up", 250, 3),
        ("half_up", 149, 1),
        ("half_even", 150, 2),
        ("half_even", 250, 2),
        ("half_even", 251, 3),
    ],
)
def test_the_modes_of_rounding(mode: Any, amount_minor: int, points: int) -> None:
    rule = per_euro(rounding=Rounding(mode=mode))
    assert points_earned(programme(rule), Basket.of("EUR", Line.of("X", amount_minor))) == points


@pytest.mark.parametrize(
    ("scope", "unit", "points"),
    # Lines of 150 and 170 at 3 points a euro: 3.2 steps in all.
    [
        ("basket", "point", 9),  # ⌊3.2 × 3⌋ = ⌊9.6⌋
        ("basket", "step", 9),  # ⌊3.2⌋ × 3
        ("line", "point", 9),  # ⌊4.5⌋ + ⌊5.1⌋
        ("line", "step", 6),  # 1 × 3 + 1 × 3
    ],
)
def test_the_scopes_and_units_of_rounding(scope: Any, unit: Any, points: int) -> None:
    rule = per_euro(points=3, rounding=Rounding(scope=scope, unit=unit))
    assert points_earned(programme(rule), Basket.of("EUR", Line.of("A", 150), Line.of("B", 170))) == points


def test_items_count_by_quantity_also_in_parts() -> None:
    rule = EarningRule(id="kilo", kind="item", points=10, included=Selection(skus=("APPLES",)))
    assert points_earned(programme(rule), Basket.of("EUR", Line.of("APPLES", 199, "1.250"))) == 12


def test_an_exchanged_article_takes_its_points_along_but_never_below_zero() -> None:
    returned = Line.of("X", 300, -1)
    assert points_earned(programme(per_euro()), Basket.of("EUR", Line.of("Y", 500), returned)) == 2
    rule = per_euro(included=Selection(skus=("X",)))
    assert points_earned(programme(rule), Basket.of("EUR", Line.of("Y", 500), returned)) == 0


def test_a_return_below_the_minimum_takes_everything_back() -> None:
    rule = per_euro(minimum_spend_minor=500)
    basket = Basket.of("EUR", Line.of("A", 300), Line.of("B", 300))
    assert points_returned(programme(rule), basket, 0, 0, {1: Decimal(1)}) == ReturnedPoints(debited=6, credited=0)


def test_redeemed_points_follow_the_share_of_the_amount() -> None:
    # 598 of 1948: ⌊100 × 598 / 1948⌋ = 30; half of the bread keeps ⌊299⌋, so 299 come back: ⌊15.3⌋ = 15.
    basket = Basket.of("EUR", BREAD, COFFEE)
    assert points_returned(documented(), basket, 500, 100, {1: Decimal(2)}).credited == 30
    assert points_returned(documented(), basket, 500, 100, {1: Decimal(1)}).credited == 15


def test_the_documented_return_by_hand() -> None:
    # The bread is gone: base ⌊1003/100⌋ = 10 and coffee 15 are left of 37.
    basket = Basket.of("EUR", BREAD, COFFEE)
    assert points_returned(documented(), basket, 500, 100, {1: Decimal(2)}).debited == 12


@given(programmes(), baskets(), st.data())
def test_a_full_return_in_any_split_nets_exactly_zero(rules: Programme, basket: Basket, data: st.DataObject) -> None:
    discount = data.draw(st.integers(0, basket.total_minor if basket.prices_include_tax else 0))
    redeemed = data.draw(st.integers(0, 1_000)) if any(line.amount_minor > 0 for line in basket.lines) else 0
    whole = {number: line.quantity for number, line in enumerate(basket.lines, start=1)}
    returned: dict[int, Decimal] = {}
    debited = credited = 0
    before = ReturnedPoints(debited=0, credited=0)
    for number in data.draw(st.permutations(sorted(whole))):
        half = (whole[number] / 2).quantize(Decimal("0.001"))
        for part in (half, whole[number] - half):
            returned[number] = returned.get(number, Decimal(0)) + part
            after = points_returned(rules, basket, discount, redeemed, returned)
            debited += after.debited - before.debited
            credited += after.credited - before.credited
            before = after
    assert (debited, credited) == (points_earned(rules, basket, discount), redeemed)


@given(programmes(), baskets(returned=False), st.data())
def test_a_further_return_never_gives_earned_points_or_takes_redeemed_ones(
    rules: Programme, basket: Basket, data: st.DataObject
) -> None:
    lines = list(enumerate(basket.lines, start=1))
    first = {number: _part(data, line.quantity) for number, line in lines}
    more = {number: first[number] + _part(data, line.quantity - first[number]) for number, line in lines}
    once, twice = (points_returned(rules, basket, 0, 100, returned) for returned in (first, more))
    assert 0 <= once.debited <= twice.debited <= points_earned(rules, basket)
    assert 0 <= once.credited <= twice.credited <= 100


def _part(data: st.DataObject, quantity: Decimal) -> Decimal:
    """Some of a quantity of at most three decimals."""
    return data.draw(st.integers(0, int(quantity * 1_000))) * Decimal("0.001")


@given(programmes(), baskets())
def test_earning_is_never_negative_and_always_the_same(rules: Programme, basket: Basket) -> None:
    assert points_earned(rules, basket) == points_earned(rules, basket) >= 0


def offers(balance: int | None, basket: Basket) -> list[tuple[int, str]]:
    reward = Reward(id="five", points=100, discount_minor=500, minimum_spend_minor=1_000, count_per_sale_max=3)
    given_offers = reward_offers(programme(rewards=(reward,)), basket, balance)
    return [(offer.count_max, offer.reason) for offer in given_offers]


def test_a_reward_is_offered_as_often_as_points_basket_and_programme_allow() -> None:
    assert offers(1_000, Basket.of("EUR", Line.of("A", 5_000))) == [(3, "")]
    assert offers(250, Basket.of("EUR", Line.of("A", 5_000))) == [(2, "")]
    assert offers(1_000, Basket.of("EUR", Line.of("A", 1_400))) == [(2, "")]


def test_a_reward_that_is_not_offered_says_why() -> None:
    assert "not known" in offers(None, Basket.of("EUR", Line.of("A", 5_000)))[0][1]
    assert "below 1000" in offers(1_000, Basket.of("EUR", Line.of("A", 999)))[0][1]
    assert "99 are there" in offers(99, Basket.of("EUR", Line.of("A", 5_000)))[0][1]


@pytest.mark.parametrize(
    ("expiry", "earned_at", "expires_at"),
    [
        # The day of earning does not count; the last day does, whole.
        (Expiry(months_after_earning=12), "2026-03-10T09:00:00+00:00", "2027-03-11T00:00:00+00:00"),
        (Expiry(months_after_earning=1), "2026-01-31T23:59:59+00:00", "2026-03-01T00:00:00+00:00"),
        (Expiry(months_after_earning=6), "2027-08-31T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
        (Expiry(months_after_earning=13), "2026-12-01T00:00:00+00:00", "2028-01-02T00:00:00+00:00"),
        # Days end by the programme's clock: here it is still the evening before.
        (
            Expiry(months_after_earning=1, utc_offset="-03:00"),
            "2026-05-01T02:00:00+00:00",
            "2026-05-31T03:00:00+00:00",
        ),
        (
            Expiry(months_after_earning=1, utc_offset="+05:30"),
            "2026-05-01T20:00:00+00:00",
            "2026-06-02T18:30:00+00:00",
        ),
        (Expiry(on="12-31"), "2026-11-30T12:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        (Expiry(on="12-31"), "2026-12-01T12:00:00+00:00", "2028-01-01T00:00:00+00:00"),
        (Expiry(on="12-31", months_min=3), "2026-10-01T12:00:00+00:00", "2028-01-01T00:00:00+00:00"),
        (Expiry(on="06-30", months_min=6), "2026-12-30T12:00:00+00:00", "2027-07-01T00:00:00+00:00"),
        (Expiry(on="06-30", months_min=6), "2026-12-31T12:00:00+00:00", "2027-07-01T00:00:00+00:00"),
        (Expiry(on="06-30", months_min=6), "2027-01-01T12:00:00+00:00", "2028-07-01T00:00:00+00:00"),
    ],
)
def test_points_expire_at_the_end_of_a_day(expiry: Expiry, earned_at: str, expires_at: str) -> None:
    found = points_expire_at(programme(expiry=expiry), datetime.fromisoformat(earned_at))
    assert found == datetime.fromisoformat(expires_at)


MONTHS = st.builds(Expiry, months_after_earning=st.integers(1, 40), utc_offset=st.sampled_from(["+00:00", "-11:00"]))
YEARLY = st.builds(Expiry, on=st.sampled_from(["01-01", "02-28", "12-31"]), months_min=st.integers(1, 30))
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(expiry=MONTHS | YEARLY, earned_at=INSTANTS, hours=st.integers(1, 672))
def test_points_are_available_before_they_expire(expiry: Expiry, earned_at: datetime, hours: int) -> None:
    dated = programme(expiry=expiry, pending=Pending(hours=hours))
    expires_at = points_expire_at(dated, earned_at)
    assert expires_at is not None
    assert earned_at < points_available_at(dated, earned_at) < expires_at
    assert points_available_at(dated, earned_at) == earned_at + timedelta(hours=hours)


@given(expiry=MONTHS | YEARLY, first=INSTANTS, second=INSTANTS)
def test_what_is_earned_earlier_does_not_expire_later(expiry: Expiry, first: datetime, second: datetime) -> None:
    dated = programme(expiry=expiry)
    expires = [points_expire_at(dated, earned_at) for earned_at in sorted((first, second))]
    assert expires == sorted(one for one in expires if one is not None)


def test_without_dates_points_are_available_at_once_and_never_expire() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert (points_available_at(programme(), now), points_expire_at(programme(), now)) == (now, None)
