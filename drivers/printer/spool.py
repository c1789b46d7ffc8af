"""Print jobs on disk: what is to be printed, and what is known of it. Sends nothing and knows no printer.

Laws:
1. `sent` is durable before the first byte leaves. A job that was marked is never given out again: after a kill
   it is `unknown`, and only a person who looked at the paper may print it again, as a copy.
2. One reference is one job. Submitting it again returns the job that is there, whatever became of it.
3. One process has the file. A second one is refused, because two would print everything twice.
4. The queue and the history have limits; the bytes of a job go when it ends, for they name a customer.

    queued ──> sent ──> printed     the printer said so
      │         ├─────> sent        settled: all bytes left, and this printer never says more
      │         └─────> unknown     it may be on the paper
      └───────> failed              not a byte left, and none will
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from drivers.errors import DocumentInvalid, SpoolError, SpoolFull, SpoolTaken, SpoolUnusable

__all__ = ["Job", "JobState", "Spool", "WaitingJob"]

JOB_BYTES_MAX = 256 * 1024
_REFERENCE_CHARACTERS_MAX = 256
_PRUNE_EVERY = 50
_LISTED_MAX = 1000

_APPLICATION_ID = 0x504F534C
_VERSION = 1
_SCHEMA = """
CREATE TABLE job (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'printed', 'failed', 'unknown')),
    data BLOB NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    queued_at TEXT NOT NULL,
    sent_at TEXT,
    settled_at TEXT,
    CHECK ((state = 'queued') <= (sent_at IS NULL AND settled_at IS NULL)),
    CHECK ((state = 'sent') <= (sent_at IS NOT NULL))
) STRICT;
CREATE INDEX job_queued ON job (number) WHERE state = 'queued';
CREATE INDEX job_settled ON job (number) WHERE settled_at IS NOT NULL;
"""
_COLUMNS = "number, reference, state, reason, queued_at, sent_at, settled_at"
_KILLED = "the program stopped while this job was printing: look at the paper, and print a copy if it is missing"


class JobState(StrEnum):
    """What is known of a job."""

    QUEUED = "queued"
    SENT = "sent"
    PRINTED = "printed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the spool knows it. `settled_at` is set when no more will be known of it."""

    number: int
    reference: str
    state: JobState
    reason: str
    queued_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """The oldest job that has not left, with its bytes."""

    number: int
    reference: str
    data: bytes
    queued_at: datetime


class Spool:
    """The jobs of one printer in one SQLite file; its methods may be called from any thread.

    `now` gives aware times. Opening turns jobs that were sent without an end into `unknown`.
    Raises SpoolTaken, SpoolUnusable, SpoolError.
    """

    def __init__(
        self, path: Path, *, now: Callable[[], datetime], queued_max: int = 500, history_max: int = 10_000
    ) -> None:
        self._path = path
        self._now = now
        self._queued_max = queued_max
        self._history_max = history_max
        self._lock = threading.RLock()
        with self._errors():
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        # Exclusive before the first access: SQLite itself then keeps a second process out, until this one ends
        # in whatever way.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Builds of SQLite differ in what they take for granted.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA secure_delete = ON")
        self._connection.execute(f"PRAGMA journal_size_limit = {1024 * 1024}")
        with self._transaction() as connection:
            self._check_or_create(connection)
            connection.execute(
                "UPDATE job SET state = 'unknown', data = x'', reason = ?, settled_at = ? "
                "WHERE state = 'sent' AND settled_at IS NULL",
                (_KILLED, self._timestamp()),
            )

    def _check_or_create(self, connection: sqlite3.Connection) -> None:
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if (application_id, version) == (_APPLICATION_ID, _VERSION):
            return
        if tables:
            raise SpoolUnusable(
                f"{self._path} is no print spool of this version: configure another file for the spool, or move it"
            )
        for statement in filter(str.strip, _SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")

    def submit(self, reference: str, data: bytes) -> Job:
        """Queue a job durably, or return the one that has this reference. Raises SpoolFull, DocumentInvalid."""
        if not 1 <= len(reference) <= _REFERENCE_CHARACTERS_MAX:
            raise DocumentInvalid(f"a print job's reference must have 1 to {_REFERENCE_CHARACTERS_MAX} characters")
        with self._transaction() as connection:
            known = self._find(connection, reference)
            if known is not None:
                return known
            self._check_room(connection, data)
            connection.execute(
                "INSERT INTO job (reference, state, data, queued_at) VALUES (?, 'queued', ?, ?)",
                (reference, data, self._timestamp()),
            )
            job = self._find(connection, reference)
        assert job is not None  # It was inserted in this very transaction.
        return job

    def _check_room(self, connection: sqlite3.Connection, data: bytes) -> None:
        if len(data) > JOB_BYTES_MAX:
            raise DocumentInvalid(f"a print job of {len(data)} bytes: print it in parts of {JOB_BYTES_MAX}")
        if self._count_waiting(connection) >= self._queued_max:
            raise SpoolFull(
                f"{self._queued_max} receipts wait for the printer already: switch it on, and print this one later"
            )

    def next_queued(self) -> WaitingJob | None:
        """Return the oldest job that has not left, or None."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT number, reference, data, queued_at FROM job WHERE state = 'queued' ORDER BY number LIMIT 1"
            ).fetchone()
        if row is None:
            return None
        return WaitingJob(number=row[0], reference=row[1], data=row[2], queued_at=datetime.fromisoformat(row[3]))

    def mark_sent(self, number: int) -> None:
        """Note durably that the bytes of a queued job begin to leave; call it before the first one does."""
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE job SET state = 'sent', sent_at = ? WHERE number = ? AND state = 'queued'",
                (self._timestamp(), number),
            ).rowcount
            if changed != 1:
                raise SpoolError(f"print job {number} is not queued and may not be sent: look at its state")

    def settle(self, number: int, state: JobState, reason: str = "") -> None:
        """Note how a job ended and let its bytes go.

        A queued job can only fail; a sent one ends as printed, unknown, or sent where no more will be known.
        """
        before = JobState.QUEUED if state is JobState.FAILED else JobState.SENT
        refusal = SpoolError(f"print job {number} cannot end as {state.value}: look at its state")
        if state is JobState.QUEUED:
            raise refusal
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE job SET state = ?, reason = ?, settled_at = ?, data = x'' "
                "WHERE number = ? AND state = ? AND settled_at IS NULL",
                (state, reason, self._timestamp(), number, before),
            ).rowcount
            if changed != 1:
                raise refusal
            if number % _PRUNE_EVERY == 0:
                self._prune(connection)

    def _prune(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "DELETE FROM job WHERE settled_at IS NOT NULL AND number <= (SELECT number FROM job "
            "WHERE settled_at IS NOT NULL ORDER BY number DESC LIMIT 1 OFFSET ?)",
            (self._history_max,),
        )

    def job(self, reference: str) -> Job | None:
        """Return the job with this reference, or None when there is none or it is long gone."""
        with self._reading() as connection:
            return self._find(connection, reference)

    def jobs(self, limit: int = 50) -> tuple[Job, ...]:
        """Return the latest jobs, newest first, at most 1000."""
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM job ORDER BY number DESC LIMIT ?", (min(max(limit, 0), _LISTED_MAX),)
            ).fetchall()
        return tuple(_job(row) for row in rows)

    def jobs_waiting(self) -> int:
        """Return how many jobs have not left yet."""
        with self._reading() as connection:
            return self._count_waiting(connection)

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs of the kept history are in each state."""
        with self._reading() as connection:
            found = dict(connection.execute("SELECT state, count(*) FROM job GROUP BY state"))
        return {state: found.get(state.value, 0) for state in JobState}

    def close(self) -> None:
        """Close the file; safe to call twice. The printer that uses the spool is stopped before."""
        with self._lock:
            self._connection.close()

    def _find(self, connection: sqlite3.Connection, reference: str) -> Job | None:
        row = connection.execute(f"SELECT {_COLUMNS} FROM job WHERE reference = ?", (reference,)).fetchone()
        return None if row is None else _job(row)

    def _count_waiting(self, connection: sqlite3.Connection) -> int:
        count: int = connection.execute("SELECT count(*) FROM job WHERE state = 'queued'").fetchone()[0]
        return count

    def _timestamp(self) -> str:
        return self._now().isoformat()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors():
            yield self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._spool_error(error) from error

    def _spool_error(self, error: sqlite3.Error) -> SpoolError:
        # The lower eight bits name the kind; the rest only details it.
        kind = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if kind == sqlite3.SQLITE_FULL:
            return SpoolFull(f"the disk under the print spool {self._path} is full: free space")
        if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return SpoolTaken(f"another process has the print spool {self._path}: stop it, or configure another file")
        if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return SpoolUnusable(
                f"the print spool {self._path} is damaged ({error}): move the file away, a new one is made at start"
            )
        return SpoolError(
            f"the print spool {self._path} cannot be used ({error}): check the disk and the folder's permissions"
        )


def _job(row: tuple[int, str, str, str, str, str | None, str | None]) -> Job:
    number, reference, state, reason, queued_at, sent_at, settled_at = row
    return Job(
        number=number,
        reference=reference,
        state=JobState(state),
        reason=reason,
        queued_at=datetime.fromisoformat(queued_at),
        sent_at=datetime.fromisoformat(sent_at) if sent_at else None,
        settled_at=datetime.fromisoformat(settled_at) if settled_at else None,
    )
