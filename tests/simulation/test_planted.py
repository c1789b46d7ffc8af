"""Every planted bug is caught: the simulation would notice such a mistake. The table says at which seed it did."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.central_site import CentralSite
from tests.simulation.planted import PLANTED
from tests.simulation.run import Simulation
from tests.simulation.scenario import Scenario

TRANSACTIONS = 200
SEEDS_MAX = 40

# Where it was caught first. A change of the code can move it: then the search goes on from seed 1.
CAUGHT_AT = {
    "acknowledged_by_count": 1,
    "acknowledged_without_hash": 2,
    "answered_before_it_is_durable": 11,
    "central_answers_before_the_commit": 10,
    "bytes_encoded_again": 1,
    "dedup_only_lately": 1,
    "dedup_not_at_central": 1,
    "retry_under_a_new_key": 1,
    "cursor_past_an_open_transaction": 2,
    "hold_not_consumed": 1,
    "release_not_journalled": 1,
    "expiry_by_the_local_clock": 32,
    "exact_grant_issued_twice": 2,
    "void_gives_back_twice": 1,
    "rule_wrong_on_both_sides": 1,
    "programme_in_force_for_all": 1,
    "attachment_left_behind": 1,
    "snapshot_says_too_little": 1,
    "nobody_wakes_what_waits": 1,
    "grants_not_told": 1,
    "grant_spent_twice_after_a_restore": 4,
    "weeks_taken_for_months": 1,
    "nobody_is_told_of_dates": 1,
    "late_news_changes_nothing": 2,
    "order_of_judging_not_kept": 2,
}

# Some mistakes show only where two rare things meet; their scenarios have more of both.
DATED: Mapping[str, Any] = {"dated": True, "days_passing": 3, "settlings": 8, "programme_changes": 2}
HARDER: Mapping[str, Mapping[str, Any]] = {
    "weeks_taken_for_months": DATED,
    "nobody_is_told_of_dates": DATED,
    "order_of_judging_not_kept": {
        "terminals": 4,
        "clones": 1,
        "registrations": 2,
        "clock_jumps": 20,
        "replayed": True,
    },
    "late_news_changes_nothing": {**DATED, "sent_late": True, "terminals": 3, "outages": 12},
    "acknowledged_without_hash": {"terminals": 4, "registers": 2, "answers_strange": 0.5},
    "grant_spent_twice_after_a_restore": {
        "terminals": 1,
        "registers": 3,
        "think_ms": 1_000,
        "terminal_restores": 8,
        "requests_lost": 0.3,
        "outages": 0,
        "naps": 0,
        "clock_jumps": 0,
        "replayed": False,
    },
    "expiry_by_the_local_clock": {
        "terminals": 2,
        "registers": 2,
        "think_ms": 1_000,
        "clock_jumps": 20,
        "naps": 12,
        "outages": 12,
        "requests_lost": 0.3,
    },
    "release_not_journalled": {
        "terminals": 1,
        "registers": 3,
        "think_ms": 4_000,
        "recalls": 80,
        "naps": 0,
        "outages": 0,
        "register_crashes": 0.6,
    },
}
HONEST: Mapping[str, Any] = {
    "latency_ms": 300,
    "revocations": 0,
    "central_restores": 0,
    "terminal_restores": 0,
    "clones": 0,
}


def scenario(name: str, seed: int) -> Scenario:
    drawn = Scenario.drawn(seed, TRANSACTIONS)
    return replace(drawn, **{**HONEST, **HARDER[name]}) if name in HARDER else drawn


@pytest.fixture(scope="module")
def site() -> CentralSite:
    return CentralSite()


def test_the_table_is_complete() -> None:
    assert set(CAUGHT_AT) == set(PLANTED)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_caught(site: CentralSite, name: str) -> None:
    for seed in itertools.chain([CAUGHT_AT[name]], range(1, SEEDS_MAX + 1)):
        with PLANTED[name]():
            if Simulation(site, seed, scenario(name, seed)).run().broken:
                return
    pytest.fail(f"{name} was not caught in {SEEDS_MAX} seeds: the simulation has become blind to it")
