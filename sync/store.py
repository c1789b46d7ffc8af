"""The terminal's database as a whole: opening, bringing up to date or replacing it, and transactions.

A batch of commands shares one commit, and a refused one leaves the others alone (`sync.batch`). One thread at a time
calls it, to which `sync.writer` sees, or a simulator; only `reading` is for others too.

| what goes wrong                       | what follows                                                                 |
|---------------------------------------|------------------------------------------------------------------------------|
| a command refuses                     | its savepoint is rolled back, its caller gets the error                      |
| COMMIT fails                          | reopened, the head read again; callers: unknown, retry with the same key     |
| the disk is full                      | the reserve is given up; what frees space or ends something still goes       |
| the disk fails otherwise, read-only   | reopened; callers: the journal cannot be written, sell on, record it later   |
| central holds another life of it      | set aside, and a new journal begun as after damage (`begin_anew`)            |
| the file is damaged                   | set aside and salvaged into a new journal; callers: retry with the same key  |
| the file is of an older release       | brought up to date, step by step                                             |
| of a newer one, or somebody else's    | refused, untouched                                                           |
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from loyalty_sdk.envelope import JournalOpenedBody, first_hash
from loyalty_sdk.errors import JournalUnavailable, OutcomeUnknown
from sync.batch import Command, Result, run_batch
from sync.chain import is_chained
from sync.database import DamageFound, Database, ForkFound, StoreRefused, is_damage, is_full
from sync.host import Host
from sync.identity import Identity
from sync.journal import watermark
from sync.migrations import migrate
from sync.pruning import Prune
from sync.replacement import Replacement, finish_replacements
from sync.reserve import Reserve
from sync.salvage import Salvage, read_damaged, take_up
from sync.schema import APPLICATION_ID, SCHEMA_VERSION, STATEMENTS
from sync.statements import PinnedConnection
from sync.transaction import Head, Transaction

__all__ = ["Command", "Hooks", "Result", "Store", "StoreRefused", "begin_anew", "report_damage"]

PAGES_GIVEN_BACK = 512
FAILURES = (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError, OSError, StoreRefused)

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"

_log = logging.getLogger(__name__)


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
        self._database = Database(path)
        self._reserve = None if path is None else Reserve(path.with_suffix(".reserve"))
        self._identity = identity
        self._host = host
        self._agent_version = agent_version
        self._hooks = hooks or Hooks()
        self._head: Head | None = None
        self._proven: set[str] = set()
        self._full = False
        self._damage: Exception | None = None
        self._replacements = 0

    def open(self) -> None:
        """Open the file: as it is, brought up to date, salvaged, or as a new journal. Raises StoreRefused."""
        try:
            self._open()
        except FAILURES as error:
            self._open_again(error)
        if self._reserve is not None and not self._full:
            self._reserve.fill()

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the file."""
        self._database.close()
        self._head = None

    @property
    def head_seq(self) -> int:
        """The seq of the journal's last entry as of the last commit; 0 before the first transaction."""
        return 0 if self._head is None else self._head.seq

    @property
    def journal(self) -> str:
        """The journal's id; another one once a damaged journal was replaced."""
        with self.reading() as connection:
            return watermark(connection).journal

    @property
    def trouble(self) -> str:
        """What keeps the journal from being written, with the remedy; empty when nothing does."""
        return "the disk is full, nothing can be recorded: free space on it" if self._full else ""

    @contextmanager
    def reading(self) -> Iterator[PinnedConnection]:
        """Give a connection for short reads of one consistent state; it cannot write. Raises JournalUnavailable.

        Damage that a reader meets is noted; the writer replaces the file before its next commands.
        """
        replacements = self._replacements
        try:
            with self._database.reading() as connection:
                yield connection
        except (DBAPIError, sqlite3.Error, UnicodeDecodeError) as error:
            if not is_damage(error) or self._path is None:
                raise
            if replacements == self._replacements:  # Or else the damage is that of the file before.
                self._damage = error
            raise JournalUnavailable("the journal is damaged and will be replaced: try again in a moment") from None

    def is_sound(self) -> bool:
        """Check the whole file and the chain, on reading connections; from any thread.

        SQLite does not notice a changed byte within an entry; central would, and would take no more of the journal.
        `report_damage` says what was found.
        """
        replacements = self._replacements
        try:
            return self._database.is_sound() and (is_chained(self._database) or replacements != self._replacements)
        except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
            return not is_damage(error)

    def transact(self, commands: Sequence[Command]) -> list[Result]:
        """Run the commands in one transaction and one commit; the results stand in the same order.

        An error of a command is its result. After an error of the file or the disk see the table above.
        """
        if self._full and self._reserve is not None and self._reserve.fill():
            self._full = False
        try:
            if self._damage is not None:
                self._replace_damaged(self._damage)
            if not self._full:
                return self._transact(commands)
        except FAILURES as error:
            return self._failed(error, commands)
        return self._transact_on_reserve(commands)

    def _open(self) -> None:
        """Open the file and read the head; the store is open where there is a head."""
        if self._path is not None:
            finish_replacements(self._path)
            _refuse_truncated(self._path)
        self._database.connect()
        version = self._database.scalar("PRAGMA user_version")
        if version == 0:
            self._create(self._database.writer)
        elif version < SCHEMA_VERSION:
            migrate(self._database.writer, version)
        self._check_owner()
        with self._database.writer.begin():
            self._head = _read_head(self._database.writer)

    def _open_again(self, error: Exception) -> None:
        """Open once more, with a new file for a damaged one or with the reserve's space. Raises StoreRefused."""
        try:
            if is_damage(error) and self._path is not None:
                self._replace_damaged(error)
            elif is_full(error) and self._give_up_reserve():
                self._open()
            else:
                raise error
        except FAILURES as final:
            self._database.abandon()
            self.close()
            if isinstance(final, StoreRefused):
                raise
            raise StoreRefused(
                f"{self._path} cannot be opened ({_reason(final)}): check that the directory exists, may be "
                "written and has room"
            ) from None

    def _give_up_reserve(self) -> bool:
        self._full = self._reserve is not None and self._reserve.give_up()
        return self._full

    def _failed(self, error: Exception, commands: Sequence[Command]) -> list[Result]:
        if not isinstance(error, ForkFound):
            _log.error("the journal cannot be written: %s", _reason(error))
        if is_damage(error) and (self._path is not None or isinstance(error, ForkFound)):
            try:
                self._replace_damaged(error)
            except FAILURES as again:
                error = again
            else:
                text = "the journal was replaced by a new one: retry with the same receipt key"
                return [Result(error=OutcomeUnknown(text)) for _ in commands]
        if is_full(error) and self._reserve is not None:
            self._full = True
            self._reserve.give_up()
            self._recover()
            return self._transact_on_reserve(commands)
        self._recover()
        text = f"the journal cannot be written ({_reason(error)}): sell on, record the sale later"
        return [Result(error=JournalUnavailable(text)) for _ in commands]

    def _transact_on_reserve(self, commands: Sequence[Command]) -> list[Result]:
        """On a full disk: what frees space or ends something has room, the rest is told so at once."""
        allowed = [command for command in commands if getattr(command, "uses_reserve", False)]
        try:
            results = iter(self._transact(allowed) if allowed else [])
        except FAILURES as error:
            _log.error("the reserve does not suffice: %s", _reason(error))
            self._recover()
            allowed, results = [], iter(())
        refused = Result(error=JournalUnavailable(f"{self.trouble}; sell on, record the sale later"))
        return [next(results) if command in allowed else refused for command in commands]

    def _transact(self, commands: Sequence[Command]) -> list[Result]:
        if self._head is None:
            self._open()
        assert self._head is not None, "an open store has a head"
        connection = PinnedConnection(self._database.writer)
        new_transaction = partial(Transaction, connection, self._head, self._identity, self._host, self._proven)
        try:
            transaction, results = run_batch(new_transaction, commands)
            self._hooks.before_commit(commands)
        except BaseException:
            connection.rollback()
            raise
        try:
            connection.commit()
            self._head = transaction.head
        except sqlite3.Error as error:
            if is_full(error) or is_damage(error):
                raise
            _log.error("COMMIT failed: %s", error)
            self._recover()
            text = "the disk refused the commit: retry with the same receipt key"
            return [Result(error=OutcomeUnknown(text)) for _ in commands]
        except BaseException:
            self._head = None  # Interrupted: whether it is on the disk, the file will tell.
            raise
        self._hooks.after_commit(commands)
        if any(isinstance(command, Prune) for command in commands):
            self._tidy()
        return results

    def _tidy(self) -> None:
        """Give free pages back to the file system, and make a reserve that found no room at the start.

        The commit stands, so that no caller hears of a failure.
        """
        if self._reserve is not None and not self._full:
            self._reserve.fill()
        try:
            self._database.give_back(PAGES_GIVEN_BACK)
        except sqlite3.Error as error:
            _log.warning("free pages stay in the file: %s", error)

    def _recover(self) -> None:
        """Reopen the file and read the head again; where that fails, the next commands try it."""
        self._head = None
        if self._path is None:
            PinnedConnection(self._database.writer).rollback()  # Closing would throw the database away.
            with self._database.writer.begin():
                self._head = _read_head(self._database.writer)
            return
        try:
            self._open()
        except FAILURES as error:
            _log.error("the journal cannot be reopened: %s", _reason(error))

    def _replace_damaged(self, error: Exception) -> None:
        """Build a new journal from what can be read of the damaged one, and put it in its place."""
        if self._path is None:
            self._replace_in_memory()
            return
        self._head = None
        self._database.abandon()
        replacement = Replacement.begun(self._path, self._host.now())
        _log.error("%s is damaged (%s); it is kept as %s", self._path, _reason(error), replacement.aside)
        building = Database(replacement.building)
        try:
            forked = isinstance(error, ForkFound)
            self._create(building.writer, read_damaged(self._path), replacement.aside, forked=forked)
        finally:
            building.close()
        replacement.finish()
        self._damage = None
        self._replacements += 1
        self._open()

    def _replace_in_memory(self) -> None:
        """Begin a forked journal anew where there is no file, for simulators: by way of a copy that is thrown away."""
        driver: Any = self._database.writer.connection.driver_connection
        with TemporaryDirectory() as directory:
            copy = Path(directory) / "journal.db"
            driver.execute("VACUUM INTO ?", (str(copy),))
            driver.execute("PRAGMA foreign_keys = OFF")
            for (table,) in driver.execute(_TABLES).fetchall():
                driver.execute(f"DROP TABLE {table}")
            driver.execute("PRAGMA foreign_keys = ON")
            self._create(self._database.writer, read_damaged(copy), copy, forked=True)
        self._replacements += 1
        with self._database.writer.begin():
            self._head = _read_head(self._database.writer)

    def _create(
        self,
        connection: Connection,
        salvage: Salvage | None = None,
        aside: Path | None = None,
        *,
        forked: bool = False,
    ) -> None:
        """Make the tables and the journal's first entry, and take up what was salvaged, in one transaction."""
        journal = self._host.new_id()
        previous_hash = None if salvage is None else salvage.head_hash
        with connection.begin():
            for statement in (*STATEMENTS, f"PRAGMA user_version = {SCHEMA_VERSION}"):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            start = first_hash(self._identity.terminal, journal, previous_hash or b"")
            head = Head(seq=0, hash=start, journal=journal)
            scope = Transaction(PinnedConnection(connection), head, self._identity, self._host)
            scope.set_meta(terminal=self._identity.terminal, journal=journal, epoch=self._identity.epoch)
            scope.set_meta(watermark="0", watermark_hash="", feed_anew="1")
            body = JournalOpenedBody(
                agent_version=self._agent_version,
                previous_journal=None if salvage is None else salvage.journal,
                previous_hash=None if previous_hash is None else previous_hash.hex(),
            )
            scope.append("journal_opened", body)
            if salvage is not None and aside is not None:
                take_up(scope, salvage, aside, forked=forked)

    def _check_owner(self) -> None:
        """Refuse another terminal's journal: entries of two terminals in one chain fit nobody."""
        terminal = self._database.scalar("SELECT value FROM meta WHERE name = 'terminal'")
        if terminal != self._identity.terminal:
            raise StoreRefused(
                f"{self._path} is the journal of terminal {terminal}, this is {self._identity.terminal}: "
                "put back the identity file of that terminal, or choose another data directory"
            )


def report_damage(transaction: Transaction) -> None:
    """Command: tell the store that its file is damaged, so that it replaces it."""
    raise DamageFound("the check of the file found damage")


def begin_anew(transaction: Transaction) -> None:
    """Command: tell the store that central holds another life of this journal, so that it begins a new one (Law 4)."""
    raise ForkFound("central holds another life of this journal")


def _read_head(connection: Connection) -> Head:
    journal = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'journal'").scalar_one()
    row = connection.exec_driver_sql("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").one()
    return Head(seq=row.seq, hash=row.hash, journal=journal)


def _refuse_truncated(path: Path) -> None:
    """SQLite takes an empty file for a new one and deletes its log: with a log, it is a journal that was cut off."""
    log = path.with_name(path.name + "-wal")
    if path.exists() and path.stat().st_size == 0 and log.exists() and log.stat().st_size > 0:
        raise DamageFound("the file is empty, its write-ahead log is not")


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)
