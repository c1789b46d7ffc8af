"""The connections to the terminal's database file: one that writes, used by one thread at a time, and a few that read.

Knows SQLite and no entry: what is in the file, and what to do when it fails, is decided in `sync.store`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from loyalty_sdk.errors import JournalUnavailable
from sync.schema import APPLICATION_ID, PRAGMAS, SCHEMA_VERSION
from sync.statements import PinnedConnection

__all__ = ["DamageFound", "Database", "ForkFound", "StoreRefused", "is_damage", "is_full"]

READERS_MAX = 8
# Of each; the file's pages are in the system's cache already, and a drain or a check reads every one of them once.
READER_CACHE_KIB = 256
SQLITE_VERSION_MIN = (3, 38, 0)
PRIMARY_CODE = 0xFF
# A full disk has no room for the index of the write-ahead log either, which SQLite reports in words of its own.
FULL_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


class StoreRefused(Exception):
    """The file is not a journal that this release may open; the text names the remedy."""


class DamageFound(sqlite3.DatabaseError):
    """The check of the whole file found damage, which no statement has met yet."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class ForkFound(DamageFound):
    """Central holds another life of this journal: it is replaced by a new one as a damaged one is."""


class Database:
    """The open file; `path` None keeps it in memory, for simulators only: then the writing connection reads too."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._readers: Engine | None = None
        self._guard: sqlite3.Connection | None = None
        self._abandoned: list[sqlite3.Connection] = []

    @property
    def writer(self) -> Connection:
        """The writing connection, opened where it is not. Raises StoreRefused and what SQLite raises."""
        if self._connection is None:
            self.connect()
        assert self._connection is not None
        return self._connection

    def connect(self) -> None:
        """Open the writing connection anew. Readers stay: other threads are at work on them."""
        self.disconnect()
        self._guard_file()
        url = f"sqlite:///{self.path}" if self.path else "sqlite://"
        self._engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(self._engine, "connect", self._prepare_writer)
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        self._connection = self._engine.connect()
        self._guard_file()
        if self.path is not None and self._readers is None:
            self._readers = create_engine(
                url,
                poolclass=QueuePool,
                pool_size=READERS_MAX,
                max_overflow=0,
                connect_args={"check_same_thread": False},
            )
            event.listen(self._readers, "connect", _prepare_reader)

    def disconnect(self) -> None:
        """Close the writing connection."""
        connection, engine = self._connection, self._engine
        self._connection = self._engine = None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
        if engine is not None:
            engine.dispose()

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the file."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        self._close_others()
        for guard in self._abandoned:
            guard.close()
        self._abandoned.clear()

    def abandon(self) -> None:
        """Close every connection and leave the files as they are.

        The guard stays until the end: a reader that is still at work would else delete the log by its name when it
        closes, and by then that is the name of another journal's log.
        """
        self._close_others()
        if self._guard is not None:
            self._abandoned.append(self._guard)
            self._guard = None

    def _close_others(self) -> None:
        readers, self._readers = self._readers, None
        if readers is not None:
            readers.dispose()
        self.disconnect()

    def _guard_file(self) -> None:
        """Keep a connection that may not write: while it is open, no other one folds the log into the file."""
        if self._guard is not None or self.path is None or not self.path.exists() or not self.path.stat().st_size:
            return
        guard = sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True, check_same_thread=False)
        try:
            guard.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except (sqlite3.Error, UnicodeDecodeError):
            guard.close()  # What is wrong with the file, the writing connection will tell.
        else:
            self._guard = guard

    @contextmanager
    def reading(self) -> Iterator[PinnedConnection]:
        """Give a connection for short reads of one consistent state; it cannot write."""
        if self.path is None:
            yield PinnedConnection(self.writer)
            return
        readers = self._readers
        if readers is None:
            raise JournalUnavailable("the journal is closed, or is being replaced: try again in a moment")
        with readers.connect() as connection:
            pinned = PinnedConnection(connection)
            pinned.begin_reading()
            yield pinned

    def scalar(self, statement: str) -> Any:
        """Return one value, read on the writing connection."""
        value = self.writer.exec_driver_sql(statement).scalar()
        self.writer.rollback()
        return value

    def give_back(self, pages: int) -> None:
        """Give free pages back to the file system, between transactions.

        As a script: executed as a statement, the pragma frees one page only.
        """
        driver: Any = self.writer.connection.driver_connection
        driver.executescript(f"PRAGMA incremental_vacuum({pages})")

    def is_sound(self) -> bool:
        """Read the whole file and say whether SQLite finds it whole; takes a second for a million entries."""
        with self.reading() as connection:
            verdict: str = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        return verdict == "ok"

    def _prepare_writer(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        try:
            is_new = _refuse_foreign(connection, self.path)
            for pragma in PRAGMAS:
                # It writes to the file even where it changes nothing: not on every start, and not on a full disk.
                if is_new or "auto_vacuum" not in pragma:
                    connection.execute(pragma)
            _check_log(connection, self.path)
        except BaseException:
            connection.close()  # Now, while the guard keeps it from folding the log into a file that is not ours.
            raise


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file is damaged, or none of its own.

    Where it quotes the damage in its message, sqlite3 cannot read that and raises UnicodeDecodeError instead.
    """
    if isinstance(error, UnicodeDecodeError):
        return True
    code = _extended_code(error)
    return code is not None and code & PRIMARY_CODE in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_full(error: BaseException) -> bool:
    """Whether SQLite says that the disk is full."""
    code = _extended_code(error)
    return code in FULL_CODES


def _extended_code(error: BaseException) -> int | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code: int | None = getattr(cause, "sqlite_errorcode", None)
    return code


def _refuse_foreign(connection: sqlite3.Connection, path: Path | None) -> bool:
    """Refuse a file that is not ours before anything is written to it; say whether it is new. Raises StoreRefused."""
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        wanted = ".".join(map(str, SQLITE_VERSION_MIN))
        raise StoreRefused(
            f"this Python brings SQLite {sqlite3.sqlite_version}, {wanted} or newer is needed: use a newer Python"
        )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    ours = application == APPLICATION_ID and 1 <= version <= SCHEMA_VERSION
    if not ours and (version, application, tables) != (0, 0, 0):
        raise StoreRefused(
            f"{path} is not a journal of this release (its version is {version}, ours {SCHEMA_VERSION}): "
            "install the release that wrote it, or choose another data directory"
        )
    return not ours


def _check_log(connection: sqlite3.Connection, path: Path | None) -> None:
    """Refuse a file without a write-ahead log: SQLite does not say that it could not have one. Raises StoreRefused."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if path is not None and mode != "wal":
        raise StoreRefused(
            f"{path} cannot have a write-ahead log where it lies: put the data directory on a disk of this machine"
        )


def _prepare_reader(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
