"""Versions of the programme come into force at their date, in their order, and are kept for ever."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from central_api.capabilities import Capabilities
from central_api.keys import new_key_ring
from central_api.problems import Refused
from central_api.programmes.versions import (
    activate_programme,
    kept_programme,
    programme_in_force,
    programme_versions,
    programmes_loaded,
    signed_programme,
    version_in_force,
    withdraw_programme,
)
from central_api.storage.database import open_database
from central_api.storage.installation import install
from central_api.verification.verification import verify_tenant
from loyalty_sdk.programme import parse_programme
from tests.support.terminal import basket_of
from tests.unit.central_api.support import PROGRAMME, START, TENANT, World, outcome_of

DAY = timedelta(days=1)


def version(number: int, points: int = 1) -> str:
    """The document of another version, which gives that many points for each euro."""
    return PROGRAMME.replace('"version": 1', f'"version": {number}').replace('"points": 1,', f'"points": {points},')


def activate(world: World, number: int, in_force_at: datetime | None = None, points: int = 1) -> None:
    activate_programme(world.connection, world.capabilities, TENANT, version(number, points), in_force_at)


def in_force(world: World, at: datetime | None = None) -> int | None:
    """The version in force, by all three that tell it."""
    now = at or world.now
    number = version_in_force(world.connection, TENANT, now)
    programme = programme_in_force(world.connection, TENANT, now)
    assert (None if programme is None else programme.version) == number
    assert parse_programme(signed_programme(world.connection, TENANT, now).document) == programme
    return number


def states(world: World) -> list[tuple[int, str]]:
    return [(one.version, one.state) for one in programme_versions(world.connection, TENANT, world.now)]


def test_a_version_comes_into_force_at_its_instant_and_not_before(world: World) -> None:
    date = world.now + DAY
    activate(world, 2, date)
    assert [in_force(world, at) for at in (world.now, date - timedelta(milliseconds=1), date)] == [1, 1, 2]
    assert states(world) == [(2, "scheduled"), (1, "in_force")]
    world.now = date
    assert states(world) == [(2, "in_force"), (1, "superseded")]


def test_without_a_date_a_version_is_in_force_at_once(world: World) -> None:
    activate(world, 2)
    activate(world, 3, world.now + timedelta(microseconds=5))
    assert in_force(world) == 3


def test_versions_come_into_force_in_their_order(world: World) -> None:
    date = world.now + DAY
    activate(world, 2, date)
    for at in (None, world.now + timedelta(hours=1), date):
        with pytest.raises(Refused, match=r"version 2 comes into force at .*: loyalty-central programme withdraw 2"):
            activate(world, 3, at)
    activate(world, 3, date + timedelta(milliseconds=1))
    assert [in_force(world, world.now + days * DAY) for days in (0, 1, 2)] == [1, 2, 3]


def test_a_number_is_given_once(world: World) -> None:
    activate(world, 4, world.now + DAY)
    for number in (1, 3, 4):
        with pytest.raises(Refused, match="version 4 is there already; set version to 5 or more"):
            activate(world, number, world.now + 2 * DAY)


@pytest.mark.parametrize(
    ("at", "says"), [(START - DAY, "has passed; give a later date"), (datetime(2030, 1, 1), "needs its offset")]
)
def test_a_date_is_an_instant_to_come(world: World, at: datetime, says: str) -> None:
    with pytest.raises(Refused, match=says) as refused:
        activate(world, 2, at)
    assert refused.value.problem.name == "invalid-request"
    assert states(world) == [(1, "in_force")]


def test_what_is_withdrawn_never_comes_into_force_and_is_kept(world: World) -> None:
    date = world.now + DAY
    activate(world, 2, date)
    for _ in range(2):
        withdraw_programme(world.connection, world.capabilities, TENANT, 2)
    assert in_force(world, date + DAY) == 1
    assert states(world) == [(2, "withdrawn"), (1, "in_force")]
    assert kept_programme(world.connection, TENANT, 2).document == version(2)
    with pytest.raises(Refused, match="set version to 3 or more"):
        activate(world, 2, date)
    activate(world, 3, world.now + timedelta(hours=1))
    assert in_force(world, date) == 3


@pytest.mark.parametrize(("number", "name"), [(1, "conflict"), (2, "conflict"), (9, "not-found")])
def test_what_came_into_force_cannot_be_withdrawn(world: World, number: int, name: str) -> None:
    activate(world, 2, world.now + DAY)
    world.now += DAY
    with pytest.raises(Refused) as refused:
        withdraw_programme(world.connection, world.capabilities, TENANT, number)
    assert refused.value.problem.name == name
    assert in_force(world) == 2


def test_the_list_has_pages(world: World) -> None:
    for number in (2, 3, 4):
        activate(world, number)
    first = programme_versions(world.connection, TENANT, world.now, limit=2)
    rest = programme_versions(world.connection, TENANT, world.now, before=first[-1].version)
    assert [one.version for one in (*first, *rest)] == [4, 3, 2, 1]
    assert (first[0].name, first[0].in_force_at, first[0].withdrawn_at) == ("Test", world.now, None)
    assert programme_versions(world.connection, "another", world.now) == []


def test_terminals_get_a_version_when_it_is_in_force(world: World) -> None:
    date = world.now + DAY
    activate(world, 2, date)
    terminal = world.terminal(1)
    assert world.changes(terminal).programme_version == 1
    with pytest.raises(Refused, match="there is no programme version 2"):
        signed_programme(world.connection, TENANT, world.now, 2)
    world.now = date
    assert world.changes(terminal).programme_version == 2
    assert signed_programme(world.connection, TENANT, world.now, 2).document == version(2)


def test_a_version_in_force_by_one_clock_is_not_refused_by_another(world: World) -> None:
    """Two servers' clocks may differ by what clocks differ."""
    date = world.now + DAY
    activate(world, 2, date)
    behind = date - timedelta(minutes=4)
    assert version_in_force(world.connection, TENANT, behind) == 1
    assert signed_programme(world.connection, TENANT, behind, 2).document == version(2)
    assert list(programmes_loaded(world.connection, TENANT, [1, 2], behind)) == [1, 2]
    assert list(programmes_loaded(world.connection, TENANT, [1, 2], date - timedelta(minutes=6))) == [1]


def test_a_terminal_that_was_offline_at_the_date_sells_by_the_version_that_it_has(world: World) -> None:
    """Law 7: the entry names its version, and central recomputes with that."""
    terminal, member = world.terminal(1), world.member("CARD-1")
    activate(world, 2, world.now + DAY, points=3)
    world.now += 2 * DAY
    terminal.now = world.now
    before = terminal.sale(basket_of(1_000), member)
    terminal.programme = parse_programme(version(2, points=3))
    after = terminal.sale(basket_of(1_000), member)
    outcomes = world.deliver(terminal)
    assert [outcome_of(outcomes, one) for one in (before, after)] == [("applied", "", 10), ("applied", "", 30)]


def test_nobody_sells_by_a_version_before_its_date(world: World) -> None:
    """Only a terminal that was tampered with has it then; verifying says the same as judging."""
    terminal, member = world.terminal(1), world.member("CARD-1")
    activate(world, 2, world.now + DAY, points=3)
    terminal.programme = parse_programme(version(2, points=3))
    early = terminal.sale(basket_of(1_000), member)
    assert outcome_of(world.deliver(terminal), early) == ("quarantined", "programme-unknown", None)
    found = verify_tenant(world.connection, world.capabilities, TENANT, lambda done: None)
    assert (found.entries, found.differences) == (2, 0)


def test_the_caps_of_grants_follow_the_version_in_force(world: World) -> None:
    terminal, member = world.terminal(1), world.member("CARD-1")
    terminal.sale(basket_of(90_000), member)
    world.deliver(terminal)
    document = version(2).replace('"grant_ahead_points_max": 200', '"grant_ahead_points_max": 500')
    activate_programme(world.connection, world.capabilities, TENANT, document, world.now + DAY)
    world.identify(terminal, "CARD-1")
    assert world.figures(member) == (700, 200, 0)
    world.now += DAY
    world.identify(terminal, "CARD-1")
    assert world.figures(member) == (400, 500, 0)


async def test_of_activations_at_once_that_contradict_each_other_one_is_kept(database_url: str) -> None:
    """Each later version has an earlier date, so that no two of them can stand."""
    database = open_database(database_url)
    random_bytes = os.urandom
    capabilities = Capabilities(now=lambda: START, random_bytes=random_bytes, keys=new_key_ring(random_bytes))
    await database.write(lambda connection: install(connection, capabilities, TENANT))

    def activation(number: int) -> Callable[[Connection], Any]:
        date = START + (20 - number) * DAY
        return lambda connection: activate_programme(connection, capabilities, TENANT, version(number), date)

    answers = await asyncio.gather(
        *(database.write(activation(number)) for number in range(1, 9)), return_exceptions=True
    )
    kept = [one.version for one in answers if not isinstance(one, BaseException)]
    refused = [one.problem.name for one in answers if isinstance(one, Refused)]
    found = await database.read(lambda connection: programme_versions(connection, TENANT, START))
    await database.close()
    assert [one.version for one in found] == kept
    assert (len(kept), refused) == (1, ["conflict"] * 7)
