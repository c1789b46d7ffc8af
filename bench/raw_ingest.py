"""The other side of central's ingest: the same entries with a balance for each member, by the driver and nothing else.

No HTTP, no signature, no rules, no ledger: a batch of 100 rows in a transaction of its own, durable as central's.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import asyncpg
from sqlalchemy.engine import URL

from bench.central_places import Place
from bench.central_process import TERMINALS, Turn, measured
from bench.central_site import Upload

__all__ = ["RawPostgresql", "RawSqlite", "raw_side"]

TABLES = (
    "CREATE TABLE raw_entries (id text PRIMARY KEY, member_id text NOT NULL, points {whole} NOT NULL, bytes {bytes})",
    "CREATE TABLE raw_balances (member_id text PRIMARY KEY, balance {whole} NOT NULL)",
)
BALANCE = "ON CONFLICT (member_id) DO UPDATE SET balance = raw_balances.balance + excluded.balance"
UNNEST = (
    "INSERT INTO raw_entries SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[]) "
    "ON CONFLICT (id) DO NOTHING"
)
# In sorted order, so that no two batches wait for each other.
UNNEST_BALANCE = (
    "INSERT INTO raw_balances SELECT member, sum(points) FROM unnest($1::text[], $2::bigint[]) AS new (member, points) "
    f"GROUP BY member ORDER BY member {BALANCE}"
)


class RawSqlite:
    """sqlite3 with WAL and FULL: a batch is two executemany and a commit."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        for table in TABLES:
            self._connection.execute(table.format(whole="integer", bytes="blob"))

    def turn(self, uploads: Sequence[Sequence[Upload]]) -> Turn:
        """Store the entries of uploads."""
        batches = [upload for mine in uploads for upload in mine]
        with measured([], here=True) as figures:
            for upload in batches:
                self._connection.execute("BEGIN IMMEDIATE")
                entries = "INSERT INTO raw_entries VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
                self._connection.executemany(entries, upload.rows)
                balances = [(member, points) for _, member, points, _ in upload.rows]
                self._connection.executemany(f"INSERT INTO raw_balances VALUES (?, ?) {BALANCE}", balances)
                self._connection.execute("COMMIT")
        return figures.turn(len(batches))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class RawPostgresql:
    """asyncpg with as many connections as there are terminals: a batch is two statements over arrays and a commit."""

    def __init__(self, place: Place) -> None:
        self._pid = place.server_pid
        self._runner = asyncio.Runner()
        self._connections = self._runner.run(self._open(place.url))

    def turn(self, uploads: Sequence[Sequence[Upload]]) -> Turn:
        """Store the entries of uploads, each terminal's by a connection of its own."""
        with measured([self._pid], here=True) as figures:
            self._runner.run(self._store_all(uploads))
        return figures.turn(sum(map(len, uploads)))

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._close())
        self._runner.close()

    async def _open(self, url: URL) -> list[asyncpg.Connection]:
        address = url.render_as_string(hide_password=False)
        connections = [await asyncpg.connect(address) for _ in range(TERMINALS)]
        for table in TABLES:
            await connections[0].execute(table.format(whole="bigint", bytes="bytea"))
        return connections

    async def _store_all(self, uploads: Sequence[Sequence[Upload]]) -> None:
        await asyncio.gather(*map(self._store, self._connections, uploads))

    async def _store(self, connection: asyncpg.Connection, uploads: Sequence[Upload]) -> None:
        for upload in uploads:
            ids, members, points, data = zip(*upload.rows, strict=True)
            async with connection.transaction():
                await connection.execute(UNNEST, ids, members, points, data)
                await connection.execute(UNNEST_BALANCE, members, points)

    async def _close(self) -> None:
        for connection in self._connections:
            await connection.close()


def raw_side(place: Place) -> closing[RawPostgresql | RawSqlite]:
    """Return the raw side of a kind of database, which is closed at the end."""
    if place.kind == "SQLite":
        return closing(RawSqlite(Path(str(place.url.database))))
    return closing(RawPostgresql(place))
