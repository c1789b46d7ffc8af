"""A row that is damaged keeps nobody but its own member waiting: the jobs go on past it, say so, and try again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, text

from central_api.jobs.catalogue import MEMBERS_AT_ONCE
from central_api.members.decisions import adjust
from central_api.programmes import versions as programmes
from central_api.storage.installation import install
from central_api.storage.schema import balances, entries, transfers, waiting
from central_api.storage.statements import insert_rows
from tests.integration.central_api.support import Program
from tests.integration.central_api.test_kills import DATED, with_central
from tests.support.terminal import basket_of
from tests.unit.central_api.support import PROGRAMME, TENANT, World

MEMBERS = 2 * MEMBERS_AT_ONCE + 5


@pytest.fixture
def program(new_program: Program) -> Program:
    new_program.init()
    return new_program


def fill(world: World, connection: Connection) -> list[str]:
    """Members whose points have expired, the first ones first."""
    install(connection, world.capabilities, TENANT)
    for document in (PROGRAMME, DATED):
        programmes.activate_programme(connection, world.capabilities, TENANT, document)
    found = [world.member(str(number)) for number in range(MEMBERS)]
    for member_id in found:
        adjust(connection, world.capabilities, TENANT, member_id, 40, "welcome", "a test")
        world.now += timedelta(seconds=1)
    return found


def damaged_date(connection: Connection, member_id: str, *, mend: bool) -> None:
    date = "2026-06-02T00:00:00.000+00:00" if mend else "2026-06-02 or so"
    statement = text("UPDATE lots SET expires_at = :date WHERE member_id = :member")
    connection.execute(statement, {"date": date, "member": member_id})


def booked_before(connection: Connection, member_id: str, *, mend: bool) -> None:
    """What settling would book is refused each time, which looks like another writer at first."""
    transfer_id = f"{member_id}/2026-06-02T00:00:00+00:00/expired/1"
    if mend:
        connection.execute(delete(transfers).where(transfers.c.id == transfer_id))
    else:
        query = select(transfers).where(transfers.c.member_id == member_id)
        row = dict(connection.execute(query).mappings().one())
        insert_rows(connection, transfers, [row | {"id": transfer_id}])


def settled(world: World, connection: Connection) -> set[str]:
    """Who has nothing left."""
    query = select(balances.c.member_id).where(balances.c.tenant == TENANT, balances.c.available == 0)
    return set(connection.execute(query).scalars())


def run(program: Program, name: str, code: int) -> dict[str, Any]:
    """Run one job; what the list says of it is the same."""
    done = program.run("jobs", "run", name, "--tenant", TENANT, "--json")
    assert done.returncode == code, (done.stdout, done.stderr)
    (found,) = json.loads(done.stdout)["runs"]
    (listed,) = (one for one in program.json("jobs", "list", "--tenant", TENANT)["jobs"] if one["job"] == name)
    assert (listed["state"], listed["error"]) == (found["state"], found["error"])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("damage", [damaged_date, booked_before])
def test_settle_goes_on_past_members_that_are_damaged(
    program: Program, damage: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    found = with_central(program, fill)
    damaged = [found[0], found[MEMBERS_AT_ONCE]]

    def change(world: World, connection: Connection, *, mend: bool) -> None:
        for member_id in damaged:
            damage(connection, member_id, mend=mend)

    with_central(program, partial(change, mend=False))
    for _ in range(2):
        caplog.clear()
        first = run(program, "settle", code=1)
        assert (first["state"], first["error"].startswith("2 left out")) == ("failed", True)
        assert all(member_id in first["error"] for member_id in damaged)
        assert all(f"leaves out {member_id}" in caplog.text for member_id in damaged)
        assert with_central(program, settled) == set(found) - set(damaged)
    with_central(program, partial(change, mend=True))
    assert run(program, "settle", code=0)["done"] == len(damaged)
    assert with_central(program, settled) == set(found)


def test_held_goes_on_past_an_entry_that_is_damaged(program: Program) -> None:
    """It cannot even be loaded; one that breaks its judge is quarantined instead."""

    def returned(world: World, connection: Connection) -> None:
        fill(world, connection)
        seller, returner = world.terminal(1), world.terminal(2)
        for number in range(3):
            returner.linked_return(seller.sale(basket_of(1_000 + number)))
        world.deliver(returner)
        rows = [dict(row) for row in connection.execute(select(waiting)).mappings()]
        connection.execute(delete(waiting))
        world.deliver(seller)
        insert_rows(connection, waiting, rows)

    def received(world: World, connection: Connection, at: str) -> None:
        statement = text("UPDATE entries SET received_at = :at WHERE kind = 'reversal' AND seq = 3")
        connection.execute(statement, {"at": at})

    def outcomes(world: World, connection: Connection) -> list[str]:
        query = select(entries.c.outcome).where(entries.c.kind == "reversal").order_by(entries.c.seq)
        return list(connection.execute(query).scalars())

    with_central(program, returned)
    with_central(program, partial(received, at="one day"))
    assert run(program, "held", code=1)["error"].startswith("1 left out")
    assert with_central(program, outcomes) == ["applied", "held", "applied"]
    with_central(program, partial(received, at="2026-05-01T10:00:00.000+00:00"))
    assert run(program, "held", code=0)["done"] == 1
    assert with_central(program, outcomes) == ["applied"] * 3


def test_what_fails_for_everybody_fails_the_job(program: Program) -> None:
    """Nothing is wrong with the members then; nothing is tried one by one without an end."""
    with_central(program, fill)
    with_central(program, lambda world, connection: connection.execute(text("ALTER TABLE lots RENAME TO lost")))
    found = run(program, "settle", code=1)
    assert "left out" not in found["error"]
    assert "lots" in found["error"]
