"""A database of an earlier release becomes one of today's, with all that is in it, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, select, text, update

from central_api.bootstrap import migrate_database
from central_api.ledger.facts import folded_members
from central_api.ledger.fold import NEVER
from central_api.ledger.totals import DAY_FIRST, DAY_LAST, moved_totals
from central_api.storage.database import open_database
from central_api.storage.migration import NotInitialised, check_installed, upgrade
from central_api.storage.migrations.tables_of_0_1_0 import metadata as earlier
from central_api.storage.schema import SCHEMA_VERSION, meta
from central_api.storage.schema_office import metadata
from central_api.verification.differences import Differences
from central_api.verification.totals import verify_totals
from tests.integration.central_api.support import Program
from tests.support.postgresql import Server

FIXTURE = Path(__file__).parents[2] / "fixtures" / "v0.1.0" / "central.db"

T = TypeVar("T")


def at(url: str, work: Callable[[Connection], T]) -> T:
    """Run work in one transaction of a database that is opened and closed for it."""

    async def run() -> T:
        database = open_database(url)
        try:
            return await database.write(work)
        finally:
            await database.close()

    return asyncio.run(run())


def fill(connection: Connection) -> None:
    """Make the tables of 0.1.0 and put the fixture's rows into them."""
    upgrade(connection, 0, 1)
    with closing(sqlite3.connect(FIXTURE)) as fixture:
        fixture.row_factory = sqlite3.Row
        for table in earlier.sorted_tables:
            rows = [dict(row) for row in fixture.execute(f"SELECT * FROM {table.name}")]
            if rows:
                connection.execute(text(inserting(table.name, list(rows[0]))), rows)
    connection.execute(text("DROP TABLE alembic_version"))


def inserting(table: str, columns: list[str]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in columns)})"


@pytest.fixture(params=["sqlite", "postgresql"])
def old_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of 0.1.0 with the fixture's rows. That release knew SQLite only."""
    if request.param == "sqlite":
        shutil.copy(FIXTURE, tmp_path / "central.db")
        yield f"sqlite:///{tmp_path}/central.db"
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database() as url:
        address = url.render_as_string(hide_password=False)
        at(address, fill)
        yield address


def contents(connection: Connection) -> dict[str, set[Any]]:
    """The rows of 0.1.0's tables, without the version of the schema."""
    found = {}
    for table in earlier.sorted_tables:
        rows = connection.execute(select(*(metadata.tables[table.name].c[column.name] for column in table.columns)))
        found[table.name] = {tuple(row) for row in rows if row[0] != "schema_version"}
    return found


def differences(connection: Connection) -> list[Any]:
    """What Alembic finds to be different from the tables as they are declared."""
    options = {"include_object": lambda _object, name, kind, *_: (kind, name) != ("table", "alembic_version")}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_everything_is_kept_and_the_tables_are_those_of_a_new_database(old_database: str) -> None:
    before = at(old_database, contents)
    assert asyncio.run(migrate_database(old_database)) == (1, SCHEMA_VERSION)
    assert at(old_database, contents) == before
    assert sum(map(len, before.values())) > 50
    assert at(old_database, differences) == []
    at(old_database, check_installed)
    assert asyncio.run(migrate_database(old_database)) == (SCHEMA_VERSION, SCHEMA_VERSION)


def test_what_members_were_given_and_what_was_taken_is_brought_over(old_database: str) -> None:
    """The facts of the fold give the balances that the earlier release had booked, and can be changed on."""
    asyncio.run(migrate_database(old_database))

    def folded(connection: Connection) -> list[tuple[Any, Any]]:
        balances = metadata.tables["balances"]
        return [
            (
                (row.available, row.pending, row.owed, 0, 0),
                folded_members(connection, row.tenant, [row.member_id], NEVER)[row.member_id].figures,
            )
            for row in connection.execute(select(balances))
        ]

    found = at(old_database, folded)
    assert found
    assert all(booked == figures for booked, figures in found)
    lots = at(old_database, lambda connection: rows_of(connection, "lots"))
    sales = at(old_database, lambda connection: rows_of(connection, "sales"))
    assert {row.lot_id for row in lots} == {row.entry_id for row in sales if row.member_id is not None}


def rows_of(connection: Connection, table: str) -> list[Any]:
    return list(connection.execute(select(metadata.tables[table])))


def test_the_tables_are_made_by_the_same_statements(tmp_path: Path) -> None:
    """SQLite keeps the text of constraints, of which Alembic compares none."""
    shutil.copy(FIXTURE, tmp_path / "old.db")
    old, new = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"
    asyncio.run(migrate_database(old))
    at(new, metadata.create_all)
    assert at(old, statements) == at(new, statements)


def statements(connection: Connection) -> dict[str, str]:
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {row.name: " ".join(row.sql.split()) for row in rows if row.name != "alembic_version"}


def test_feeds_go_on_after_the_numbers_that_terminals_know(old_database: str) -> None:
    asyncio.run(migrate_database(old_database))

    def numbers(connection: Connection) -> list[Any]:
        changes, feeds = metadata.tables["changes"], metadata.tables["feeds"]
        highest = select(changes.c.terminal, func.max(changes.c.number)).group_by(changes.c.terminal)
        told = {tuple(row) for row in connection.execute(highest)}
        return [told, {tuple(row) for row in connection.execute(select(feeds.c.terminal, feeds.c.number))}]

    told, begun = at(old_database, numbers)
    assert told
    assert told == begun


def test_two_that_migrate_at_once_do_it_once(old_database: str) -> None:
    async def both() -> list[tuple[int, int]]:
        return list(await asyncio.gather(migrate_database(old_database), migrate_database(old_database)))

    assert sorted(asyncio.run(both())) == [(1, SCHEMA_VERSION), (SCHEMA_VERSION, SCHEMA_VERSION)]


def test_a_database_of_another_release_is_refused_with_the_remedy(old_database: str) -> None:
    with pytest.raises(NotInitialised, match="run: loyalty-central migrate"):
        at(old_database, check_installed)
    newer = update(meta).where(meta.c.name == "schema_version").values(value=str(SCHEMA_VERSION + 1))
    at(old_database, lambda connection: connection.execute(newer))
    with pytest.raises(NotInitialised, match="newer release wrote the database"):
        at(old_database, check_installed)
    with pytest.raises(NotInitialised, match="newer release"):
        asyncio.run(migrate_database(old_database))


def test_the_program_migrates_when_asked_and_when_it_serves(tmp_path: Path) -> None:
    for words, name in ((["migrate"], "asked"), (["init"], "init")):
        folder = tmp_path / name
        folder.mkdir()
        program = Program(folder)
        shutil.copy(FIXTURE, program.database)
        shutil.copy(FIXTURE.with_name("central.keys.json"), f"{program.database}.keys.json")
        Path(f"{program.database}.keys.json").chmod(0o600)
        assert "run: loyalty-central migrate" in program.refused("member", "list")
        assert program.run(*words).returncode == 0
        assert program.json("member", "list")["members"]
    with program.serving():
        assert program.json("migrate")["schema_before"] == SCHEMA_VERSION


def test_the_totals_of_an_earlier_release_are_the_sums_of_its_transfers(old_database: str) -> None:
    asyncio.run(migrate_database(old_database))

    def found(connection: Connection) -> int:
        (tenant,) = connection.execute(select(metadata.tables["tenants"].c.tenant)).scalars()
        assert moved_totals(connection, tenant, DAY_FIRST, DAY_LAST)
        differences = Differences()
        verify_totals(connection, tenant, differences)
        return differences.count

    assert at(old_database, found) == 0
