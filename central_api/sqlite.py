"""What SQLite asks for: its file, its settings for each connection, and one writer at a time over all processes.

Between processes (the server and the command line) the writer is the holder of a lock on a file beside the database,
held until COMMIT and its checkpoint are over, since SQLite before 3.51.3 can corrupt a WAL database that two
connections write or checkpoint at the same time. Reading connections never checkpoint.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from central_api.unusable import DatabaseUnusable

__all__ = ["BUSY_TIMEOUT_MS", "FileLock", "configure_sqlite", "file_of", "sqlite_engines"]

BUSY_TIMEOUT_MS = 10_000
LOCK_WAIT_S_MAX = 30.0
LOCK_POLL_S = 0.005
JOURNAL_SIZE_LIMIT_BYTES = 8_000_000
READERS_MAX = 8


class FileLock:
    """The right to write: one holder in this process and in all others. A killed process gives it back."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".writer-lock")
        self._here = asyncio.Lock()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Wait for the lock and hold it. Raises DatabaseUnusable after LOCK_WAIT_S_MAX."""
        async with self._here:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                await _lock_within(descriptor, LOCK_WAIT_S_MAX)
                yield
            finally:
                # Closing gives the lock back.
                os.close(descriptor)


def file_of(url: URL) -> Path:
    """Return the file of an address. Raises DatabaseUnusable for a database in memory."""
    if not url.database or url.database == ":memory:":
        raise DatabaseUnusable(f"{str(url)!r} names no file; write it as sqlite:///FILE")
    return Path(url.database)


def sqlite_engines(file: Path) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine that reads and the one that writes."""
    address = f"sqlite+aiosqlite:///{file}"
    writer = create_async_engine(address, pool_size=1, max_overflow=0)
    readers = create_async_engine(address, pool_size=READERS_MAX, max_overflow=0)
    configure_sqlite(writer.sync_engine, writes=True)
    configure_sqlite(readers.sync_engine, writes=False)
    return readers, writer


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
