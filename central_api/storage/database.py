"""The open database and its transactions: an SQLite file or a PostgreSQL server. Knows no table.

Ledger functions take a synchronous Connection; `read` and `write` run them beside the event loop: on SQLite in threads,
on PostgreSQL by an asynchronous driver. On SQLite one writes at a time, by a lock over all processes; on PostgreSQL
many do, and `write` runs the work again from its start where it met another writer: work must leave nothing behind but
what it writes to its connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from central_api.storage.postgresql import PostgresqlEngines, is_conflict, is_lost
from central_api.storage.sqlite import SqliteEngines, configure_sqlite, file_of
from central_api.storage.unusable import CommitUnknown, DatabaseUnusable

__all__ = [
    "CommitUnknown",
    "Database",
    "DatabaseUnusable",
    "address_of",
    "configure_sqlite",
    "open_database",
    "shown",
]

ATTEMPTS_MAX = 10
ATTEMPT_PAUSE_S = 0.01

T = TypeVar("T")


class Engines(Protocol):
    """The connections to one kind of database, and who may write when."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction that sees one state of the database."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction that is on the disk when this returns."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True)
class Database:
    """One open database. Close it with `close`."""

    url: URL
    engines: Engines

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction that sees one state of the database. Raises DatabaseUnusable."""
        with self._reachable():
            return await self.engines.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; it is on the disk when this returns. Raises DatabaseUnusable."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with self._reachable():
                    return await self.engines.write(work)
            except DBAPIError as error:
                if not is_conflict(error):
                    raise
            # The others are let through first; who waits longer each time meets fewer of them.
            await asyncio.sleep(ATTEMPT_PAUSE_S * attempt)
        raise DatabaseUnusable("too many are writing the same at once; try again later")

    async def close(self) -> None:
        """Close all connections; the last one leaves an SQLite database without a WAL."""
        await self.engines.close()

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if not is_lost(error):
                raise
            raise DatabaseUnusable(f"{shown(self.url)} does not answer: {error.orig}; try again later") from error


def address_of(text: str) -> URL:
    """Return a database's address. Raises DatabaseUnusable for one that central cannot keep its data in."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise DatabaseUnusable(f"{text!r} is no database address; write it as sqlite:///loyalty-central.db") from None
    if url.get_backend_name() == "sqlite":
        file_of(url)
    elif url.get_backend_name() != "postgresql" or not url.database:
        raise DatabaseUnusable(f"{shown(url)}: write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    return url


def open_database(text: str) -> Database:
    """Open the database at an address; connections are made when they are needed. Raises DatabaseUnusable."""
    url = address_of(text)
    if url.get_backend_name() == "postgresql":
        return Database(url, PostgresqlEngines(url))
    return Database(url, SqliteEngines(file_of(url)))


def shown(url: URL) -> str:
    """Return an address without its password."""
    return url.render_as_string(hide_password=True)
