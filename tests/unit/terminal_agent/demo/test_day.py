"""The plan of the day keeps what the demo promises."""

import json
from collections import Counter
from itertools import pairwise

import pytest

from loyalty_sdk.programme import parse_programme
from terminal_agent.demo.day import BASKETS_MIN, Visit, plan_day
from terminal_agent.demo.shop import GOODS, MEMBERS, PROGRAMME, REWARD_ID

SEEDS = range(20)


def test_the_same_seed_plans_the_same_day() -> None:
    assert plan_day(7) == plan_day(7)
    assert plan_day(7) != plan_day(8)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_holds_what_is_promised(seed: int) -> None:
    day = plan_day(seed)
    assert len(day.visits) == 100
    assert {visit.customer for visit in day.visits} >= set(MEMBERS)
    assert sum(visit.customer is None for visit in day.visits) >= 5
    assert sum(visit.redeem > 0 for visit in day.visits) >= 10
    assert Counter(take_back.kind for take_back in day.take_backs) == {"return": 2, "unlinked_return": 1, "void": 1}


@pytest.mark.parametrize("baskets", [BASKETS_MIN, 50, 100, 300])
def test_the_story_is_told_however_short_the_day(baskets: int) -> None:
    day = plan_day(1, baskets)
    outage = [step for step in day.phase("outage").steps if isinstance(step, Visit)]
    faults = Counter(visit.fault for visit in day.visits)
    assert len(day.visits) == baskets
    assert sum(visit.redeem > 0 for visit in outage) >= 3
    assert (faults["before_commit"], faults["after_commit"]) == (2, 2)
    assert (faults["any_moment"], faults["hold_open"]) == (1, 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_void_and_one_return_undo_redemptions(seed: int) -> None:
    day = plan_day(seed)
    visits = {visit.name: visit for visit in day.visits if visit.name}
    undone = [back.kind for back in day.take_backs if back.original and visits[back.original].redeem]
    assert sorted(undone) == ["return", "void"]


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_scanned_twice_in_a_row(seed: int) -> None:
    customers = [visit.customer for visit in plan_day(seed, BASKETS_MIN).visits]
    assert all(one is None or one != other for one, other in pairwise(customers))


def test_a_day_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="--baskets"):
        plan_day(1, BASKETS_MIN - 1)


def test_the_shop_is_sound() -> None:
    assert len(MEMBERS) == 30
    assert len({person.alias for person in MEMBERS}) == 30
    assert len({good.sku for good in GOODS}) == len(GOODS)
    assert parse_programme(json.dumps(PROGRAMME)).reward(REWARD_ID) is not None
