"""The database's engine and its transactions. Knows SQLite's settings and no table but the schema as a whole.

Ledger functions take a synchronous Connection; `read` and `write` run them on the asynchronous engine by `run_sync`.
There is one writer: in the process by a lock, between processes (the server and the command line) by a lock on a file
beside the database, which is held until COMMIT and its checkpoint are over, since SQLite before 3.51.3 can corrupt a
WAL database that two connections write or checkpoint at the same time. Reading connections never checkpoint.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

__all__ = ["BUSY_TIMEOUT_MS", "Database", "DatabaseUnusable", "configure_sqlite", "database_path", "open_database"]

BUSY_TIMEOUT_MS = 10_000
LOCK_WAIT_S_MAX = 30.0
LOCK_POLL_S = 0.005
JOURNAL_SIZE_LIMIT_BYTES = 8_000_000
READERS_MAX = 8

T = TypeVar("T")


class DatabaseUnusable(Exception):
    """The database's address or file cannot be used; the text names the remedy."""


@dataclass(slots=True)
class Database:
    """One open database. Close it with `close`."""

    readers: AsyncEngine
    writer: AsyncEngine
    lock_path: Path
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction that sees one state of the database."""
        async with self.readers.connect() as connection, connection.begin():
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction as the only writer; it is on the disk when this returns."""
        async with self._lock, self._file_lock(), self.writer.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """Close all connections; the last one leaves a database without a WAL."""
        await self.readers.dispose()
        async with self._lock, self._file_lock():
            await self.writer.dispose()

    @asynccontextmanager
    async def _file_lock(self) -> AsyncIterator[None]:
        descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await _lock_within(descriptor, LOCK_WAIT_S_MAX)
            yield
        finally:
            # Closing gives the lock back, also when this process is killed.
            os.close(descriptor)


def database_path(url: str) -> Path:
    """Return the file of a database's address. Raises DatabaseUnusable for anything but `sqlite:///FILE`."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseUnusable(f"{url!r} is no database address; write it as sqlite:///loyalty-central.db") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise DatabaseUnusable(f"{url!r}: this release keeps its data in an SQLite file; write sqlite:///FILE")
    return Path(parsed.database)


def open_database(url: str) -> Database:
    """Open the database at `url`; connections are made when they are needed."""
    path = database_path(url)
    address = f"sqlite+aiosqlite:///{path}"
    writer = create_async_engine(address, pool_size=1, max_overflow=0)
    readers = create_async_engine(address, pool_size=READERS_MAX, max_overflow=0)
    configure_sqlite(writer.sync_engine, writes=True)
    configure_sqlite(readers.sync_engine, writes=False)
    return Database(readers=readers, writer=writer, lock_path=path.with_name(path.name + ".writer-lock"))


def configure_sqlite(engine: Any, *, writes: bool) -> None:
    """Give every connection of a synchronous engine the settings that Law 1 asks for."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # The driver's own transactions begin too late; `on_begin` begins them.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _pragmas(writes=writes):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A deferred transaction that turns into a writer would be refused at once, whatever the timeout.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _pragmas(*, writes: bool) -> list[str]:
    common = [f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON"]
    if not writes:
        return [*common, "wal_autocheckpoint = 0", "query_only = ON"]
    return [
        *common,
        "journal_mode = WAL",
        "synchronous = FULL",
        f"journal_size_limit = {JOURNAL_SIZE_LIMIT_BYTES}",
    ]


async def _lock_within(descriptor: int, seconds: float) -> None:
    """Poll, since waiting in the system call would stop the event loop."""
    for _ in range(int(seconds / LOCK_POLL_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(LOCK_POLL_S)
        else:
            return
    raise DatabaseUnusable(f"another process has been writing for {seconds:.0f} s; end it, or try again later")
