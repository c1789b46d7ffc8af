"""The real jobs and the import of members, killed at any moment and started again: as if nobody had disturbed them."""

from __future__ import annotations

import asyncio
import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, delete, func, select

from central_api.bootstrap import Central, open_central
from central_api.members.decisions import adjust
from central_api.programmes import versions as programmes
from central_api.storage.installation import install
from central_api.storage.schema import aliases, balances, entries, transfers, waiting
from central_api.storage.schema_ledger import debits, lots, settlements
from central_api.storage.schema_office import idempotency_keys, jobs, total_parts
from central_api.storage.statements import insert_rows
from central_api.verification.verification import verify_tenant
from loyalty_sdk.programme import parse_programme
from tests.integration.central_api.support import ROOT, Program
from tests.support.terminal import basket_of
from tests.unit.central_api.support import PROGRAMME, START, TENANT, World

# More by command: LOYALTY_TEST_KILLS=200 python -m pytest tests/integration/central_api/test_kills.py
KILLS = int(os.environ.get("LOYALTY_TEST_KILLS", "2"))
# A run takes about this long; some kills come before its first step, some after its last.
SPREAD_S = 1.5
MEMBERS = 250
SALES = 120
ANSWERS = 1_600
IMPORTED = 900
DATED = PROGRAMME.replace('"version": 1', '"version": 2').replace(
    '"currency"', '"expiry": {"months_after_earning": 1}, "currency"'
)
LATER = START + timedelta(days=100)

T = TypeVar("T")


@pytest.fixture
def program(new_program: Program) -> Program:
    new_program.init()
    return new_program


def with_central(program: Program, work: Callable[[World, Connection], T]) -> T:
    """Work in one transaction, with a clock and randomness that are the same each time."""

    async def run() -> T:
        _, url, _, keys = program.places
        central = await open_central(url, Path(keys))
        try:
            return await central.database.write(lambda connection: work(world_of(central, connection), connection))
        finally:
            await central.database.close()

    return asyncio.run(run())


def world_of(central: Central, connection: Connection) -> World:
    world = World(connection=connection)
    world.capabilities = replace(central.capabilities, now=lambda: world.now, random_bytes=world.random_bytes)
    return world


def fill(world: World, connection: Connection) -> None:
    """Points that have expired, returns that nobody woke, totals to fold, and answers that nobody may repeat."""
    install(connection, world.capabilities, TENANT)
    for document in (PROGRAMME, DATED):
        programmes.activate_programme(connection, world.capabilities, TENANT, document)
    seller, returner = world.terminal(1), world.terminal(2)
    seller.programme = returner.programme = parse_programme(DATED)
    members = [world.member(str(number)) for number in range(MEMBERS)]
    for member_id in members:
        adjust(connection, world.capabilities, TENANT, member_id, 40, "welcome", "a test")
    for number in range(SALES):
        returner.linked_return(seller.sale(basket_of(1_000 + number), members[number]))
    world.deliver(returner)
    rows = [dict(row) for row in connection.execute(select(waiting)).mappings()]
    connection.execute(delete(waiting))
    world.deliver(seller)
    insert_rows(connection, waiting, rows)
    insert_rows(connection, idempotency_keys, [answer(number) for number in range(ANSWERS)])


def answer(number: int) -> dict[str, Any]:
    row = {"tenant": TENANT, "actor": "somebody", "idempotency_key": str(number), "request_digest": b"", "status": 200}
    return row | {"body": b"", "created_at": START}


@dataclass(frozen=True, slots=True)
class Ending:
    """All that jobs may change, without the times of booking."""

    rows: dict[str, list[Any]]
    differences: int


def ending(world: World, connection: Connection) -> Ending:
    world.now = LATER + timedelta(days=2)
    found: dict[str, list[Any]] = {}
    for table in (balances, lots, debits, transfers, entries, waiting, idempotency_keys, total_parts):
        # A correction has the time at which it was booked.
        left_out = {"recorded_at", "received_at", "bytes", "hash"} | ({"effective_at"} if table is transfers else set())
        names = [column for column in table.c if column.name not in left_out]
        rows = connection.execute(select(*names).where(table.c.tenant == TENANT))
        found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    booked = select(settlements.c.member_id, settlements.c.expired, settlements.c.next_due_at)
    found["settlements"] = sorted((tuple(row) for row in connection.execute(booked)), key=repr)
    kept = select(jobs.c.job, jobs.c.owner, jobs.c.position, jobs.c.error).where(jobs.c.tenant == TENANT)
    found["jobs"] = sorted(tuple(row) for row in connection.execute(kept))
    verified = verify_tenant(connection, world.capabilities, TENANT, lambda _: None)
    return Ending(found, verified.differences)


def started(program: Program, number: int, tenant: str, *file: str) -> subprocess.Popen[str]:
    _, url, _, keys = program.places
    begin = (LATER + timedelta(hours=number)).isoformat()
    command = [sys.executable, "-m", "tests.integration.central_api.killed_process", url, keys, begin, tenant, *file]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def disturbed(program: Program, kills: int, tenant: str, *file: str) -> None:
    """Kill as many processes at any moment, then let one work to its end."""
    moments = random.Random(kills)
    for number in range(kills):
        with started(program, number, tenant, *file) as process:
            assert line_of(process) == "begins"
            # The moment is the test's matter; nothing is waited for.
            time.sleep(moments.uniform(0, SPREAD_S))
            process.kill()
    with started(program, kills, tenant, *file) as process:
        assert [line_of(process), line_of(process)] == ["begins", "ends"]
        assert process.wait() == 0


def test_jobs_that_are_killed_at_any_moment_end_as_if_undisturbed(program: Program, tmp_path: Path) -> None:
    (tmp_path / "undisturbed").mkdir()
    other = Program(tmp_path / "undisturbed")
    other.init()
    endings = []
    for one, kills in ((other, 0), (program, KILLS)):
        with_central(one, fill)
        disturbed(one, kills, TENANT)
        endings.append(with_central(one, ending))
    assert endings[1].rows == endings[0].rows
    assert [one.differences for one in endings] == [0, 0]
    assert [len(endings[0].rows[name]) for name in ("waiting", "idempotency_keys", "total_parts")] == [0, 0, 0]


def test_an_import_that_is_killed_at_any_moment_is_done_once(program: Program) -> None:
    file = program.folder / "members.csv"
    with file.open("w", encoding="utf-8", newline="") as made:
        table = csv.writer(made)
        table.writerow(["alias", "name", "balance"])
        table.writerows([f"card-{number}", f"Member {number}", number] for number in range(IMPORTED))
    disturbed(program, KILLS, "default", str(file))

    def found(world: World, connection: Connection) -> tuple[list[int], int, int]:
        given = sorted(connection.execute(select(balances.c.available)).scalars())
        verified = verify_tenant(connection, world.capabilities, "default", lambda _: None)
        named = connection.execute(select(func.count()).select_from(aliases)).scalar_one()
        return given, int(named), verified.differences

    assert with_central(program, found) == (list(range(1, IMPORTED)), IMPORTED, 0)
