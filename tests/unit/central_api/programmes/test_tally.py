"""The sums of a dry run are the sums of what the rules give, for any programmes and baskets."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from central_api.programmes.tally import SoldSale, Tally
from loyalty_sdk.basket import Basket
from loyalty_sdk.envelope import SaleBody
from loyalty_sdk.office import DryRunReport
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import points_by_rule, points_earned
from tests.unit.loyalty_sdk.strategies import baskets, programmes

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def tallied(before: Programme, after: Programme, sold: list[tuple[str, Basket]]) -> DryRunReport:
    tally = Tally(after)
    for number, (member, basket) in enumerate(sorted(sold, key=lambda one: one[0])):
        body = SaleBody(cashier="c", member_id=member, basket=basket, tenders=(), points_earned=0, redemption=None)
        sale = SoldSale(
            entry_id=str(number), terminal="t", member_id=member, effective_at=NOON, body=body, programme=before
        )
        tally.take(sale)
    return tally.report(1, NOON)


@settings(max_examples=40)
@given(
    before=programmes(),
    after=programmes(),
    sold=st.lists(st.tuples(st.sampled_from("abc"), baskets()), max_size=6),
)
def test_sums_are_those_of_the_rules(before: Programme, after: Programme, sold: list[tuple[str, Basket]]) -> None:
    counted = [(member, basket) for member, basket in sold if basket.currency == after.currency]
    found = tallied(before, after, sold)
    pairs = [(points_earned(before, basket), points_earned(after, basket)) for _, basket in counted]
    assert (found.sales, found.skipped) == (len(counted), len(sold) - len(counted))
    assert found.changed == len(found.examples) == sum(one != other for one, other in pairs)
    sums = (sum(one for one, _ in pairs), sum(other for _, other in pairs))
    assert (found.points_before, found.points_after) == sums
    by_rule = [(rule.points_before, rule.points_after) for rule in found.rules]
    assert (sum(one for one, _ in by_rule), sum(other for _, other in by_rule)) == sums
    moved = sum(one.points_after - one.points_before for one in (*found.members_gaining, *found.members_losing))
    assert moved == sums[1] - sums[0]


@settings(max_examples=40)
@given(programme=programmes(), basket=baskets(), discount_minor=st.integers(0, 500))
def test_what_rules_give_adds_up_to_what_is_earned(programme: Programme, basket: Basket, discount_minor: int) -> None:
    by_rule = points_by_rule(programme, basket, discount_minor)
    assert list(by_rule) == [rule.id for rule in programme.earning]
    assert sum(by_rule.values()) == points_earned(programme, basket, discount_minor)
