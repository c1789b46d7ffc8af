"""What the job `settle` books: points that expire and points that become available, for members whom nobody touches."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import strategies as st
from sqlalchemy import select

from central_api.jobs.catalogue import JOBS, Step, Task, jobs_named
from central_api.ledger.totals import daily_totals
from central_api.members.decisions import adjust
from central_api.members.merging import merge
from central_api.problems import Refused
from central_api.programmes import versions as programmes
from central_api.storage.schema import balances, transfers
from tests.support.databases import Place
from tests.support.terminal import basket_of
from tests.unit.central_api.support import PROGRAMME, START, TENANT, World, new_world, prove

DATED = PROGRAMME.replace(
    '"currency"', '"expiry": {"months_after_earning": 1}, "pending": {"hours": 48}, "currency"'
).replace('"version": 1', '"version": 2')
DAY = timedelta(days=1)


def task(world: World) -> Task:
    return Task(connection=world.connection, capabilities=world.capabilities, tenant=TENANT)


def step(world: World) -> Step:
    return jobs_named("settle")[0].step(task(world))


def settle(world: World) -> int:
    """Run the job to its end, with a limit: it must not go round."""
    done = 0
    for _ in range(20):
        found = step(world)
        done += found.done
        if not found.more:
            return done
    raise AssertionError("the job does not end")


def earn(world: World, *aliases: str) -> list[str]:
    """Members who earned 40 points each under a programme with dates."""
    programmes.activate_programme(world.connection, world.capabilities, TENANT, DATED)
    found = [world.member(alias) for alias in aliases]
    for member_id in found:
        adjust(world.connection, world.capabilities, TENANT, member_id, 40, "welcome", "a test")
    return found


def figures(world: World, member_id: str) -> tuple[int, int, int]:
    row = world.connection.execute(select(balances).where(balances.c.member_id == member_id)).one()
    return row.available, row.pending, row.owed


def test_the_names_of_the_jobs(world: World) -> None:
    assert [job.name for job in jobs_named(None)] == [job.name for job in JOBS]
    with pytest.raises(Refused, match="the jobs are settle, totals, held, retention"):
        jobs_named("sweep")
    assert [job.size(task(world)) for job in JOBS] == [0, 0, 0, 0]


def test_points_expire_for_members_whom_nobody_touches(world: World) -> None:
    found = earn(world, *map(str, range(45)))
    world.now += 25 * DAY
    assert (jobs_named("settle")[0].size(task(world)), settle(world)) == (0, 0)
    world.now += 15 * DAY
    assert jobs_named("settle")[0].size(task(world)) == 45
    first = step(world)
    assert (first.done, first.more) == (20, True)
    assert settle(world) == 25
    assert {figures(world, member_id) for member_id in found} == {(0, 0, 0)}
    assert settle(world) == 0
    last = daily_totals(world.connection, TENANT, START.date(), world.now.date())[-1]
    assert (last.expired, last.outstanding) == (45 * 40, 0)
    world.check_laws(*found)


def test_points_that_were_pending_become_available(world: World) -> None:
    programmes.activate_programme(world.connection, world.capabilities, TENANT, DATED)
    till, member_id = world.terminal(1), world.member("1")
    till.sale(basket_of(3_000), member_id)
    world.deliver(till)
    settle(world)
    before = figures(world, member_id)
    world.now += 3 * DAY
    settle(world)
    assert (before[0] + before[1], figures(world, member_id)) == (30, (30, 0, 0))


def test_a_member_that_was_merged_does_not_hold_the_job_up(world: World) -> None:
    source, target, other = earn(world, "1", "2", "3")
    merge(world.connection, world.capabilities, TENANT, source, target, "the same person", "a test")
    world.now += 40 * DAY
    assert settle(world) >= 2
    assert settle(world) == 0
    assert figures(world, target) == figures(world, other) == (0, 0, 0)


EVENTS = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["earn", "return", "job"])), max_size=8)


def test_law_7_it_is_the_same_whenever_the_job_runs_or_never(place: Place) -> None:
    """Expiry takes effect at its date, not when a job runs: two worlds with the same sales, and jobs in one of them."""

    def ends(events: list[tuple[int, str]], *, with_jobs: bool) -> tuple[object, list[int]]:
        with new_world(place) as world:
            programmes.activate_programme(world.connection, world.capabilities, TENANT, DATED)
            till, member_id = world.terminal(1), world.member("1")
            for days, event in events:
                world.now += days * DAY
                till.now = world.now
                sales = [one for one in till.recorded if one.entry.kind == "sale"]
                if event == "job" and with_jobs:
                    settle(world)
                elif event == "return" and sales:
                    till.linked_return(sales[days % len(sales)])
                    world.deliver(till)
                elif event == "earn":
                    till.sale(basket_of(1_000 + 100 * days), member_id)
                    world.deliver(till)
            world.now += timedelta(hours=60)
            settle(world)
            world.check_laws(member_id)
            expired = select(transfers.c.points).where(transfers.c.to_account == "expired")
            return world.figures(member_id), [sum(world.connection.execute(expired).scalars())]

    def law(events: list[tuple[int, str]]) -> None:
        with_jobs, without = ends(events, with_jobs=True), ends(events, with_jobs=False)
        assert with_jobs[0] == without[0]

    prove(place, law, events=EVENTS)
