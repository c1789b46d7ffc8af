"""Central's database for the check, whichever database it is: SQLite with plain sqlite3, others with SQLAlchemy.

Reads, and clears a server's database for the next run. An asynchronous driver (PostgreSQL's is asyncpg) is driven by an
event loop of its own.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, create_engine, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from terminal_agent.demo.processes import ProcessFailed
from terminal_agent.demo.rows import CentralRows, TransferRow, entry_row, read_central, receipt_of

__all__ = ["clear_database", "grants_open", "read_by_sqlalchemy", "read_central_rows"]

T = TypeVar("T")

MARKER = "made_by_a_loyalty_demo"

_ENTRIES = "SELECT seq, id, kind, bytes, hash, outcome, reason, member_id FROM entries ORDER BY terminal, journal, seq"
_TRANSFERS = "SELECT member_id, from_account, to_account, points FROM transfers"
_BALANCES = "SELECT member_id, available + pending AS available, owed FROM balances"
_RESERVED = "SELECT member_id, sum(points) AS points FROM reservations GROUP BY member_id"
_RECEIPTS = "SELECT store, register, business_date, series, number FROM receipts"
_GRANTS_OPEN = "SELECT count(*) FROM grants WHERE state = 'open'"


def clear_database(database_url: str) -> None:
    """Empty a server's database that an earlier run has filled. Raises ProcessFailed for one that holds anything else.

    An SQLite file lies in the run's directory, and is cleared with it.
    """
    try:
        url = _with_driver(database_url)
        if url.get_backend_name() != "sqlite":
            _in_transaction(url, _clear, {})
    except (SQLAlchemyError, OSError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise ProcessFailed(f"the database cannot be used: {reason}; write postgresql://USER@HOST/DATABASE") from None


def read_central_rows(database_url: str) -> CentralRows:
    """Read all that the check looks at, in one moment."""
    url = _with_driver(database_url)
    if url.get_backend_name() == "sqlite":
        return read_central(Path(str(url.database)))
    return read_by_sqlalchemy(url)


def read_by_sqlalchemy(url: URL) -> CentralRows:
    """Read the same rows from any database that SQLAlchemy knows."""
    return _in_transaction(url, _rows, _one_moment(url))


def grants_open(database_url: str) -> int:
    """Count the grants that no entry has closed yet."""
    url = _with_driver(database_url)
    if url.get_backend_name() != "sqlite":
        return _in_transaction(url, lambda connection: int(connection.execute(text(_GRANTS_OPEN)).scalar_one()), {})
    # Read-only, since central alone may write and checkpoint its file.
    file = f"{Path(str(url.database)).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as database:
        return int(database.execute(_GRANTS_OPEN).fetchone()[0])


def _with_driver(database_url: str) -> URL:
    """The address with the driver that central brings along."""
    url = make_url(database_url)
    return url.set(drivername="postgresql+asyncpg") if url.drivername in ("postgresql", "postgres") else url


def _clear(connection: Connection) -> None:
    tables = inspect(connection).get_table_names()
    if tables and MARKER not in tables:
        raise ProcessFailed("the database holds something that no demo or replay made; name an empty one")
    for table in tables:
        connection.execute(text(f'DROP TABLE "{table}" CASCADE'))
    connection.execute(text(f"CREATE TABLE {MARKER} (nothing integer)"))


def _in_transaction(url: URL, work: Callable[[Connection], T], options: dict[str, Any]) -> T:
    if url.get_dialect().is_async:
        return asyncio.run(_in_async_transaction(url, work, options))
    engine = create_engine(url, execution_options=options)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


async def _in_async_transaction(url: URL, work: Callable[[Connection], T], options: dict[str, Any]) -> T:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url, execution_options=options)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _one_moment(url: URL) -> dict[str, Any]:
    """So that all tables show the same moment."""
    return {} if url.get_backend_name() == "sqlite" else {"isolation_level": "REPEATABLE READ"}


def _rows(connection: Connection) -> CentralRows:
    def rows(query: str) -> list[Row[Any]]:
        return list(connection.execute(text(query)))

    balances = rows(_BALANCES)
    return CentralRows(
        entries=tuple(entry_row(*tuple(row)) for row in rows(_ENTRIES)),
        transfers=tuple(TransferRow(**row._mapping) for row in rows(_TRANSFERS)),
        available={row.member_id: int(row.available) for row in balances},
        owed={row.member_id: int(row.owed) for row in balances},
        # PostgreSQL sums whole numbers to a decimal.
        reserved={row.member_id: int(row.points) for row in rows(_RESERVED)},
        receipts=tuple(receipt_of(*tuple(row)) for row in rows(_RECEIPTS)),
        grants_open=int(rows(_GRANTS_OPEN)[0][0]),
    )
