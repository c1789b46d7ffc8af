"""What SQLite asks for: its file, its settings for each connection, and one writer at a time over all processes.

Work runs in threads, one for all that write: the driver itself is synchronous, and a thread for each statement would
cost more than the statements. Between processes (the server and the command line) the writer is the holder of a lock on
a file beside the database, held until COMMIT and its checkpoint are over, since SQLite before 3.51.3 can corrupt a WAL
database that two connections write or checkpoint at the same time. Reading connections never checkpoint.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from central_api.storage.unusable import DatabaseUnusable

__all__ = ["BUSY_TIMEOUT_MS", "FileLock", "SqliteEngines", "configure_sqlite", "file_of"]

BUSY_TIMEOUT_MS = 10_000
LOCK_WAIT_S_MAX = 30.0
LOCK_POLL_S = 0.005
JOURNAL_SIZE_LIMIT_BYTES = 8_000_000
READERS_MAX = 8
# With the 2 MB that SQLite takes by itself, the indexes of a few hundred thousand entries are read again and again.
WRITER_CACHE_KIB = 64_000

T = TypeVar("T")
Hold = Callable[[], AbstractContextManager[None]]


class FileLock:
    """The right to write, for one of all processes. A killed process gives it back."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".writer-lock")

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the lock and hold it. Raises DatabaseUnusable after LOCK_WAIT_S_MAX."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock_within(descriptor, LOCK_WAIT_S_MAX)
            yield
        finally:
            # Closing gives the lock back.
            os.close(descriptor)


class _Stopped(Exception):
    """Nobody waits any more for what a thread does."""


class SqliteEngines:
    """The connections to one file, each in a thread; those that read see one state."""

    def __init__(self, file: Path) -> None:
        self._lock = FileLock(file)
        self._writer = _engine(file, 1, writes=True)
        self._readers = _engine(file, READERS_MAX, writes=False)
        self._writing = ThreadPoolExecutor(1, "central-writer")
        self._reading = ThreadPoolExecutor(READERS_MAX, "central-reader")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction of its own."""
        return await _in_thread(self._reading, self._readers, nullcontext, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, after those that came before and when no other process writes."""
        return await _in_thread(self._writing, self._writer, self._lock.hold, work)

    async def close(self) -> None:
        """Close all connections; the last one leaves a database without a WAL."""
        self._reading.shutdown()
        self._writing.shutdown()
        self._readers.dispose()
        with self._lock.hold():
            self._writer.dispose()


def file_of(url: URL) -> Path:
    """Return the file of an address. Raises DatabaseUnusable for a database in memory."""
    if not url.database or url.database == ":memory:":
        raise DatabaseUnusable(f"{str(url)!r} names no file; write it as sqlite:///FILE")
    return Path(url.database)


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
        f"cache_size = -{WRITER_CACHE_KIB}",
        "journal_mode = WAL",
        "synchronous = FULL",
        f"journal_size_limit = {JOURNAL_SIZE_LIMIT_BYTES}",
    ]


def _engine(file: Path, connections_max: int, *, writes: bool) -> Engine:
    address = URL.create("sqlite", database=str(file))
    engine = create_engine(address, pool_size=connections_max, max_overflow=0)
    configure_sqlite(engine, writes=writes)
    return engine


async def _in_thread(executor: ThreadPoolExecutor, engine: Engine, hold: Hold, work: Callable[[Connection], T]) -> T:
    """Run work in a transaction in a thread.

    Where whoever waits is cancelled, it ends at its next statement, but for those of `select_rows`.
    """
    stopped = threading.Event()

    def run() -> T:
        with hold(), engine.begin() as connection:
            _end_when(stopped, connection)
            return work(connection)

    try:
        return await asyncio.get_running_loop().run_in_executor(executor, run)
    except asyncio.CancelledError:
        stopped.set()
        raise


def _end_when(stopped: threading.Event, connection: Connection) -> None:
    @event.listens_for(connection, "before_cursor_execute")
    def check(*_: Any) -> None:
        if stopped.is_set():
            raise _Stopped


def _lock_within(descriptor: int, seconds: float) -> None:
    """Poll, since waiting in the system call would have no end."""
    for _ in range(int(seconds / LOCK_POLL_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_POLL_S)
        else:
            return
    raise DatabaseUnusable(f"another process has been writing for {seconds:.0f} s; end it, or try again later")
