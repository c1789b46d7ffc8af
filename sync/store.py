"""The terminal's database file: opening it, and transactions in which seq and hash are assigned.

One connection writes, pinned for the life of the store and used by one thread (`sync.writer`, or a simulator). A batch
of commands shares one commit, each in a savepoint of its own, so that a refused command leaves the others alone.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from loyalty_sdk.envelope import JournalOpenedBody, first_hash
from loyalty_sdk.errors import JournalUnavailable, LoyaltyError, OutcomeUnknown
from sync.host import Host
from sync.identity import Identity
from sync.schema import APPLICATION_ID, PRAGMAS, SCHEMA_VERSION, STATEMENTS
from sync.transaction import Head, Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Command", "Hooks", "Result", "Store", "StoreRefused"]

T = TypeVar("T")
Command = Callable[[Transaction], Any]
READERS_MAX = 8

_log = logging.getLogger(__name__)


class StoreRefused(Exception):
    """The file is not a journal that this release may open; the text names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one command: its value, or the error to raise to its caller."""

    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Called around each commit with its commands; tests and the demo stop the process exactly there."""

    before_commit: Callable[[Sequence[Command]], None] = lambda commands: None
    after_commit: Callable[[Sequence[Command]], None] = lambda commands: None


class Store:
    """The open database of one terminal."""

    def __init__(
        self, path: Path | None, identity: Identity, host: Host, agent_version: str, hooks: Hooks | None = None
    ) -> None:
        """Prepare; `open` does the work. `path` None keeps the database in memory."""
        self._path = path
        self._identity = identity
        self._host = host
        self._agent_version = agent_version
        self._hooks = hooks or Hooks()
        self._engine: Engine | None = None
        self._readers: Engine | None = None
        self._connection: Connection | None = None
        self._head: Head | None = None

    def open(self) -> None:
        """Open the file, or create it as a new journal. Raises StoreRefused."""
        try:
            self._connect()
            if self._scalar("PRAGMA user_version") == 0:
                self._create()
            self._check_owner()
        except StoreRefused:
            self.close()
            raise
        except DBAPIError as error:
            self.close()
            raise StoreRefused(
                f"{self._path} cannot be opened ({error.orig}): check that the directory exists, may be written and "
                "has room; set a damaged file aside and keep it"
            ) from None

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the file."""
        if self._readers is not None:
            self._readers.dispose()
        self._disconnect()
        self._readers = self._head = None

    @property
    def head_seq(self) -> int:
        """The seq of the journal's last entry as of the last commit; 0 before the first transaction."""
        return 0 if self._head is None else self._head.seq

    def transact(self, commands: Sequence[Command]) -> list[Result]:
        """Run the commands in one transaction and one commit; the results stand in the same order.

        An error of a command is its result. After an error from COMMIT nothing is known of any of them: the file is
        closed, reopened and read again, and every caller is told to retry with the same key (Law 1).
        """
        try:
            return self._transact(commands)
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            _log.error("the journal cannot be written: %s", reason)
            self._recover()
            text = f"the journal cannot be written ({reason}): sell on, record the sale later"
            return [Result(error=JournalUnavailable(text)) for _ in commands]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for short reads of one consistent state; it cannot write."""
        if self._path is None:
            try:
                yield self._writer_connection()
            finally:
                self._writer_connection().rollback()
            return
        assert self._readers is not None, "the store is not open"
        with self._readers.connect() as connection:
            yield connection

    def _transact(self, commands: Sequence[Command]) -> list[Result]:
        connection = self._writer_connection()
        transaction = connection.begin()
        try:
            if self._head is None:
                self._head = self._read_head(connection)
            scope = Transaction(connection, self._head, self._identity, self._host)
            results = [self._run(connection, scope, command) for command in commands]
            self._hooks.before_commit(commands)
        except BaseException:
            transaction.rollback()
            raise
        try:
            transaction.commit()
        except DBAPIError as error:
            _log.error("COMMIT failed: %s", error.orig)
            self._recover()
            text = "the disk refused the commit: retry with the same receipt key"
            return [Result(error=OutcomeUnknown(text)) for _ in commands]
        self._head = scope.head
        self._hooks.after_commit(commands)
        return results

    def _run(self, connection: Connection, scope: Transaction, command: Command) -> Result:
        head = scope.head
        savepoint = connection.begin_nested()
        try:
            value = command(scope)
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and not isinstance(error, IntegrityError):
                raise  # The file or the disk failed, not the command: nothing of this transaction can be relied on.
            savepoint.rollback()
            scope.head = head
            if not isinstance(error, LoyaltyError):
                _log.exception("a command failed")
            return Result(error=error)
        savepoint.commit()
        return Result(value=value)

    def _recover(self) -> None:
        """Reopen the writing connection. Readers stay: other threads are at work on them."""
        self._head = None
        if self._path is None:
            self._writer_connection().rollback()  # Closing would throw the database away.
            return
        try:
            self._disconnect()
            self._connect()
        except (SQLAlchemyError, OSError, StoreRefused) as error:
            _log.error("the journal cannot be reopened: %s", error)

    def _disconnect(self) -> None:
        connection, engine = self._connection, self._engine
        self._connection = self._engine = None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
        if engine is not None:
            engine.dispose()

    def _connect(self) -> None:
        self._disconnect()
        url = f"sqlite:///{self._path}" if self._path else "sqlite://"
        self._engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(self._engine, "connect", self._prepare_writer)
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        self._connection = self._engine.connect()
        if self._path is not None and self._readers is None:
            self._readers = create_engine(
                url,
                poolclass=QueuePool,
                pool_size=READERS_MAX,
                max_overflow=0,
                connect_args={"check_same_thread": False},
            )
            event.listen(self._readers, "connect", _prepare_reader)
            event.listen(self._readers, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    def _prepare_writer(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        _refuse_foreign(connection, self._path)
        for pragma in PRAGMAS:
            connection.execute(pragma)

    def _writer_connection(self) -> Connection:
        if self._connection is None:
            self._connect()
        assert self._connection is not None
        return self._connection

    def _scalar(self, statement: str) -> Any:
        connection = self._writer_connection()
        value = connection.exec_driver_sql(statement).scalar()
        connection.rollback()
        return value

    def _create(self) -> None:
        """Make the tables and the journal's first entry in one transaction."""
        connection = self._writer_connection()
        journal = self._host.new_id()
        with connection.begin():
            for statement in (*STATEMENTS, f"PRAGMA user_version = {SCHEMA_VERSION}"):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            head = Head(seq=0, hash=first_hash(self._identity.terminal, journal), journal=journal)
            scope = Transaction(connection, head, self._identity, self._host)
            scope.set_meta(terminal=self._identity.terminal, journal=journal, epoch=self._identity.epoch)
            scope.set_meta(watermark="0", watermark_hash="")
            scope.append("journal_opened", JournalOpenedBody(agent_version=self._agent_version))

    def _check_owner(self) -> None:
        """Refuse another terminal's journal: entries of two terminals in one chain fit nobody."""
        terminal = self._scalar("SELECT value FROM meta WHERE name = 'terminal'")
        if terminal != self._identity.terminal:
            raise StoreRefused(
                f"{self._path} is the journal of terminal {terminal}, this is {self._identity.terminal}: "
                "put back the identity file of that terminal, or choose another data directory"
            )

    def _read_head(self, connection: Connection) -> Head:
        journal = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'journal'").scalar_one()
        row = connection.exec_driver_sql("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").one()
        return Head(seq=row.seq, hash=row.hash, journal=journal)


def _refuse_foreign(connection: sqlite3.Connection, path: Path | None) -> None:
    """Refuse a file that is not ours before anything is written to it. Raises StoreRefused."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (version, application) != (SCHEMA_VERSION, APPLICATION_ID) and (version, application, tables) != (0, 0, 0):
        raise StoreRefused(
            f"{path} is not a journal of this release (its version is {version}, ours {SCHEMA_VERSION}): "
            "install the release that wrote it, or choose another data directory"
        )


def _prepare_reader(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
