"""What a server does when PostgreSQL goes away and comes back, with transactions that met another, and with threads."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from central_api.storage.database import ATTEMPTS_MAX, DatabaseUnusable, open_database
from tests.support.postgresql import Server

# More than a pool holds.
CONNECTIONS = 40


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


def test_connections_that_the_server_ended_are_made_anew(postgresql: Server) -> None:
    with postgresql.database() as url:

        async def run() -> list[str]:
            database = open_database(url.render_as_string(hide_password=False))
            sleep = text("SELECT pg_sleep(0.05)")
            await asyncio.gather(*(database.read(lambda connection: connection.execute(sleep)) for _ in range(5)))
            ended = text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await database.write(lambda connection: connection.execute(ended).all())
            refused = []
            for _ in range(CONNECTIONS):
                try:
                    assert await database.write(one) == 1
                except DatabaseUnusable as error:
                    refused.append(str(error))
            await database.close()
            return refused

        # One call at most finds out; the others get connections that are new.
        refused = asyncio.run(run())
        assert len(refused) <= 1
        assert all("try again later" in text for text in refused)


def test_work_that_always_meets_another_is_given_up(postgresql: Server) -> None:
    with postgresql.database() as url:
        tries: list[int] = []

        def doubled(connection: Connection) -> None:
            tries.append(1)
            connection.execute(text("CREATE TEMPORARY TABLE once (key integer PRIMARY KEY) ON COMMIT DROP"))
            connection.execute(text("INSERT INTO once VALUES (1), (1)"))

        async def run() -> None:
            database = open_database(url.render_as_string(hide_password=False))
            with pytest.raises(DatabaseUnusable, match="too many are writing the same"):
                await database.write(doubled)
            assert await database.read(one) == 1
            await database.close()

        asyncio.run(run())
        assert len(tries) == ATTEMPTS_MAX


def test_readers_cannot_write_and_see_one_moment(postgresql: Server) -> None:
    with postgresql.database() as url:

        def settings(connection: Connection) -> tuple[str, str]:
            isolation = connection.execute(text("SHOW transaction_isolation")).scalar_one()
            return isolation, connection.execute(text("SHOW transaction_read_only")).scalar_one()

        async def run() -> list[tuple[str, str]]:
            database = open_database(url.render_as_string(hide_password=False))
            found = [await database.read(settings), await database.write(settings), await database.read(settings)]
            await database.close()
            return found

        seen = ("repeatable read", "on")
        assert asyncio.run(run()) == [seen, ("read committed", "off"), seen]


def test_on_sqlite_one_writes_after_the_other_and_nobody_waits_to_read(tmp_path: Path) -> None:
    async def run() -> tuple[int, int]:
        database = open_database(f"sqlite:///{tmp_path}/central.db")
        await database.write(lambda connection: connection.execute(text("CREATE TABLE counted (number integer)")))
        inside, read = threading.Event(), threading.Event()

        def writes(connection: Connection) -> None:
            connection.execute(text("INSERT INTO counted SELECT count(*) FROM counted"))
            inside.set()
            assert read.wait(60)

        def reads(connection: Connection) -> int:
            assert inside.wait(60)
            return int(connection.execute(text("SELECT count(*) FROM counted")).scalar_one())

        writing = [asyncio.create_task(database.write(writes)) for _ in range(3)]
        before = await database.read(reads)
        read.set()
        await asyncio.gather(*writing)
        last = await database.read(reads)
        await database.close()
        return before, last

    assert asyncio.run(run()) == (0, 3)


def test_work_that_nobody_waits_for_any_more_ends_and_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> int:
        database = open_database(f"sqlite:///{tmp_path}/central.db")
        await database.write(lambda connection: connection.execute(text("CREATE TABLE counted (number integer)")))
        inside = threading.Event()

        def for_ever(connection: Connection) -> None:
            while True:
                connection.execute(text("INSERT INTO counted VALUES (1)"))
                inside.set()

        task = asyncio.create_task(database.write(for_ever))
        await asyncio.to_thread(inside.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        query = text("SELECT count(*) FROM counted")
        found = await database.write(lambda connection: int(connection.execute(query).scalar_one()))
        await database.close()
        return found

    assert asyncio.run(run()) == 0
