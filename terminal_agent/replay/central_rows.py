"""Central's database for the check, whichever database it is: SQLite with plain sqlite3, others with SQLAlchemy.

Reads only. An asynchronous driver in the address (as postgresql+asyncpg) is driven by an event loop of its own.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, create_engine, make_url, text
from sqlalchemy.engine import URL

from terminal_agent.demo.rows import CentralRows, EntryRow, TransferRow, read_central, receipt_of

__all__ = ["grants_open", "read_by_sqlalchemy", "read_central_rows"]

T = TypeVar("T")

_ENTRIES = "SELECT seq, id, kind, bytes, hash, outcome, reason, member_id FROM entries ORDER BY terminal, journal, seq"
_TRANSFERS = "SELECT member_id, from_account, to_account, points FROM transfers"
_BALANCES = "SELECT member_id, available + pending AS available, owed FROM balances"
_RESERVED = "SELECT member_id, sum(points) AS points FROM reservations GROUP BY member_id"
_RECEIPTS = "SELECT store, register, business_date, series, number FROM receipts"
_GRANTS_OPEN = "SELECT count(*) FROM grants WHERE state = 'open'"


def read_central_rows(database_url: str) -> CentralRows:
    """Read all that the check looks at, in one moment."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return read_central(Path(str(url.database)))
    return read_by_sqlalchemy(url)


def read_by_sqlalchemy(url: URL) -> CentralRows:
    """Read the same rows from any database that SQLAlchemy knows."""
    return _read(url, _rows)


def grants_open(database_url: str) -> int:
    """Count the grants that no entry has closed yet."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return _read(url, lambda connection: int(connection.execute(text(_GRANTS_OPEN)).scalar_one()))
    # Read-only, since central alone may write and checkpoint its file.
    file = f"{Path(str(url.database)).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as database:
        return int(database.execute(_GRANTS_OPEN).fetchone()[0])


def _read(url: URL, read: Callable[[Connection], T]) -> T:
    """Run `read` in one read-only transaction."""
    if url.get_dialect().is_async:
        return asyncio.run(_read_async(url, read))
    engine = create_engine(url)
    try:
        with engine.connect().execution_options(**_isolation(url)) as connection:
            return read(connection)
    finally:
        engine.dispose()


async def _read_async(url: URL, read: Callable[[Connection], T]) -> T:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**_isolation(url))
            return await connection.run_sync(read)
    finally:
        await engine.dispose()


def _isolation(url: URL) -> dict[str, Any]:
    """So that all tables show the same moment."""
    return {} if url.get_backend_name() == "sqlite" else {"isolation_level": "REPEATABLE READ"}


def _rows(connection: Connection) -> CentralRows:
    def rows(query: str) -> list[Row[Any]]:
        return list(connection.execute(text(query)))

    balances = rows(_BALANCES)
    return CentralRows(
        entries=tuple(_entry(row) for row in rows(_ENTRIES)),
        transfers=tuple(TransferRow(**row._mapping) for row in rows(_TRANSFERS)),
        available={row.member_id: int(row.available) for row in balances},
        owed={row.member_id: int(row.owed) for row in balances},
        # PostgreSQL sums whole numbers to a decimal.
        reserved={row.member_id: int(row.points) for row in rows(_RESERVED)},
        receipts=tuple(receipt_of(*tuple(row)) for row in rows(_RECEIPTS)),
        grants_open=int(rows(_GRANTS_OPEN)[0][0]),
    )


def _entry(row: Row[Any]) -> EntryRow:
    envelope: dict[str, Any] = json.loads(row.bytes)
    key = envelope["receipt_key"]
    place = ("store", "register", "business_date", "series", "number")
    return EntryRow(
        terminal=envelope["terminal"],
        journal=envelope["journal"],
        seq=row.seq,
        id=row.id,
        kind=row.kind,
        receipt=None if key is None else receipt_of(*(key[field] for field in place)),
        data=bytes(row.bytes),
        hash=bytes(row.hash),
        outcome=row.outcome,
        reason=row.reason,
        member_id=row.member_id,
    )
