"""The plan of outages and kills: the right number, inside the run, the same for the same seed."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.replay.faults import KILL_DELAY_S_MAX, plan_faults

COUNTS = st.integers(0, 40)


@given(st.integers(1, 10_000), COUNTS, COUNTS, st.integers())
def test_every_fault_happens_once_within_the_run(receipts: int, outages: int, kills: int, seed: int) -> None:
    plan = plan_faults(receipts, outages=outages, kills=kills, random=Random(seed))
    kinds = [fault.kind for fault in plan]
    assert (kinds.count("outage_begins"), kinds.count("outage_ends"), kinds.count("kill")) == (outages, outages, kills)
    assert all(0 <= fault.at < receipts and 0 <= fault.delay_s < KILL_DELAY_S_MAX for fault in plan)
    assert [fault.at for fault in plan] == sorted(fault.at for fault in plan)


@given(st.integers(1, 10_000), COUNTS)
def test_an_outage_ends_before_the_next_begins(receipts: int, outages: int) -> None:
    plan = plan_faults(receipts, outages=outages, kills=0, random=Random(1))
    assert [fault.kind for fault in plan] == ["outage_begins", "outage_ends"] * outages


def test_outages_are_spread_over_the_run() -> None:
    plan = plan_faults(1_000, outages=2, kills=0, random=Random(1))
    assert [fault.at for fault in plan] == [200, 300, 700, 800]


def test_the_seed_makes_the_kills() -> None:
    plans = [plan_faults(1_000, outages=0, kills=9, random=Random(seed)) for seed in (7, 7, 8)]
    assert plans[0] == plans[1] != plans[2]


def test_without_receipts_nothing_happens() -> None:
    assert plan_faults(0, outages=3, kills=3, random=Random(1)) == ()
