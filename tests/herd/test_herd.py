"""The law of the herd, with a few hundred terminals: what pacing bounds, and that nothing is lost for it."""

from dataclasses import replace
from functools import cache

import pytest

from tests.herd.scenarios import OFF, ON, Scenario, scenarios
from tests.herd.simulation import Pacing, Result, run

TERMINALS = 625  # One process of central has what it has of 10,000.
SCENARIOS = scenarios(TERMINALS)
EACH_SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.name for one in SCENARIOS])


@cache
def result_of(scenario: Scenario, pacing: Pacing) -> Result:
    return run(scenario.herd, pacing, scenario.capacity)


@EACH_SCENARIO
def test_with_pacing_every_backlog_is_drained_and_no_work_is_for_nobody(scenario: Scenario) -> None:
    paced = result_of(scenario, ON)
    assert len(paced.drained_s) == TERMINALS
    assert paced.wasted_us == 0


@pytest.mark.parametrize("scenario", [SCENARIOS[0], SCENARIOS[2]], ids=["all answered", "some refused"])
def test_pacing_bounds_the_requests_of_a_second_when_central_comes_back(scenario: Scenario) -> None:
    paced, plain = result_of(scenario, ON), result_of(scenario, OFF)
    assert paced.peak <= 0.5 * plain.peak
    assert sum(paced.requests) < sum(plain.requests)


def test_without_pacing_central_works_for_nobody_and_the_drain_takes_longer() -> None:
    paced, plain = result_of(SCENARIOS[0], ON), result_of(SCENARIOS[0], OFF)
    assert plain.wasted_us > 0.2 * plain.work_us
    assert max(paced.drained_s) < 0.75 * max(plain.drained_s)


def test_pacing_costs_a_lone_terminal_nothing() -> None:
    lone = replace(SCENARIOS[1], herd=replace(SCENARIOS[1].herd, terminals=1))
    assert result_of(lone, ON).drained_s == result_of(lone, replace(ON, settings=OFF.settings)).drained_s


def test_the_same_seed_gives_the_same_run() -> None:
    scenario = SCENARIOS[1]
    again = run(scenario.herd, ON, scenario.capacity)
    assert again.requests == result_of(scenario, ON).requests
