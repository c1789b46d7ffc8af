"""Leases of jobs: one holder, over by itself when the holder dies, and never used by who lost it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from central_api.jobs import leases as job_leases
from central_api.jobs.leases import LEASE_S, Lease, LeaseLost
from tests.unit.central_api.support import TENANT, World

MINE = Lease(tenant=TENANT, job="sweep", owner="a")
THEIRS = Lease(tenant=TENANT, job="sweep", owner="b")


def take(world: World, lease: Lease, every_s: int | None = None) -> str | None:
    since = None if every_s is None else world.now - timedelta(seconds=every_s)
    return job_leases.take(world.connection, lease, world.now, since)


def test_a_lease_has_one_holder(world: World) -> None:
    assert take(world, MINE) == ""
    assert take(world, THEIRS) is None
    job_leases.hold(world.connection, MINE)
    with pytest.raises(LeaseLost, match="sweep"):
        job_leases.hold(world.connection, THEIRS)
    assert take(world, Lease(tenant=TENANT, job="other", owner="b")) == ""


def test_the_lease_of_who_died_is_over_by_itself_and_the_next_goes_on_there(world: World) -> None:
    began = world.now
    take(world, MINE)
    world.now += timedelta(seconds=LEASE_S - 1)
    job_leases.note_step(world.connection, MINE, world.now, "m", 3)
    world.now += timedelta(seconds=LEASE_S - 1)
    assert take(world, THEIRS) is None
    world.now += timedelta(seconds=1)
    assert take(world, THEIRS) == "m"
    for late in (job_leases.hold, job_leases.give_back):
        with pytest.raises(LeaseLost):
            late(world.connection, MINE)
    with pytest.raises(LeaseLost):
        job_leases.end(world.connection, MINE, world.now, "")
    with pytest.raises(LeaseLost):
        job_leases.fail(world.connection, MINE, world.now, "late")
    job_leases.note_step(world.connection, THEIRS, world.now, "z", 2)
    job_leases.end(world.connection, THEIRS, world.now, "all is well")
    row = job_leases.job_rows(world.connection, TENANT)["sweep"]
    assert (row.owner, row.leased_until, row.position, row.done) == ("", None, "", 5)
    assert (row.started_at, row.finished_at, row.note) == (began, world.now, "all is well")


def test_what_was_just_done_is_not_due(world: World) -> None:
    take(world, MINE)
    job_leases.end(world.connection, MINE, world.now, "")
    world.now += timedelta(seconds=59)
    assert take(world, THEIRS, every_s=60) is None
    world.now += timedelta(seconds=1)
    assert take(world, THEIRS, every_s=60) == ""
    job_leases.end(world.connection, THEIRS, world.now, "")
    assert take(world, MINE) == ""


def test_a_failure_is_kept_until_the_next_run_which_begins_from_the_start(world: World) -> None:
    take(world, MINE)
    job_leases.note_step(world.connection, MINE, world.now, "k", 4)
    job_leases.fail(world.connection, MINE, world.now, "x" * 10_000)
    row = job_leases.job_rows(world.connection, TENANT)["sweep"]
    assert (row.error, row.finished_at, row.done) == ("x" * 500, world.now, 4)
    assert take(world, THEIRS) == ""
    row = job_leases.job_rows(world.connection, TENANT)["sweep"]
    assert (row.error, row.owner, row.done) == ("", "b", 0)


def test_who_gives_it_back_in_the_midst_leaves_the_place(world: World) -> None:
    take(world, MINE)
    job_leases.note_step(world.connection, MINE, world.now, "k", 4)
    job_leases.give_back(world.connection, MINE)
    assert take(world, THEIRS, every_s=60) == "k"
    assert job_leases.job_rows(world.connection, TENANT)["sweep"].done == 4
