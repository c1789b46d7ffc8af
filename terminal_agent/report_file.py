"""The Z reports of this terminal on disk, numbered for each register without gaps. Counts nothing.

A file of its own: reports are the shop's, not central's, so they are no entries of the journal, and a print spool may
be thrown away. The receipts that a report contains are kept with it, so that none is ever in two of them.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from loyalty_sdk.codec import CodecError, decode, dumps, loads
from loyalty_sdk.programme import ReceiptTexts
from loyalty_sdk.reports import Report

__all__ = ["FiledReport", "ReportFile", "ReportFileUnusable"]

_APPLICATION_ID = 0x4C4F595A  # "LOYZ"
_VERSION = 1
_SCHEMA = (
    """CREATE TABLE z_report (
        store TEXT NOT NULL,
        register TEXT NOT NULL,
        number INTEGER NOT NULL CHECK (number >= 1),
        business_date TEXT NOT NULL,
        document TEXT NOT NULL,
        entry_ids BLOB NOT NULL,
        PRIMARY KEY (store, register, number)
    ) STRICT""",
    "CREATE INDEX z_report_by_date ON z_report (business_date)",
)
_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM z_report WHERE store = ? AND register = ?"
_INSERT = "INSERT INTO z_report VALUES (?, ?, ?, ?, ?, ?)"
_ENTRY_ID_BYTES = 16


class ReportFileUnusable(Exception):
    """Z reports cannot be kept or read; the text names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledReport:
    """A Z report as it was made, with the texts around it then: it prints the same ever after."""

    report: Report
    programme_name: str
    texts: ReceiptTexts


class ReportFile:
    """The file of Z reports; its methods may be called from any thread. Raises ReportFileUnusable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._errors():
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        with self._transaction() as connection:
            application_id = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if (application_id, version) == (_APPLICATION_ID, _VERSION):
                return
            if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                raise ReportFileUnusable(f"{self._path} holds no Z reports of this version: move it away")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")

    def file(self, filed: FiledReport, entry_ids: list[bytes]) -> FiledReport:
        """Keep a Z report durably under the next number of its register, and return it with that number."""
        report = filed.report
        with self._transaction() as connection:
            (number,) = connection.execute(_NEXT, (report.store, report.register)).fetchone()
            numbered = replace(filed, report=replace(report, number=number))
            document = dumps(numbered).decode()
            day = report.business_date.isoformat()
            joined = b"".join(entry_ids)
            connection.execute(_INSERT, (report.store, report.register, number, day, document, joined))
        return numbered

    def numbered(self, store: str, register: str, number: int) -> FiledReport | None:
        """Return the Z report of that number, or None."""
        rows = self._read(
            "SELECT document FROM z_report WHERE store = ? AND register = ? AND number = ?", store, register, number
        )
        return self._decoded(rows[0][0]) if rows else None

    def of_date(self, store: str, register: str, business_date: date) -> tuple[int, ...]:
        """Return the numbers of the Z reports of a register and date, in order."""
        rows = self._read(
            "SELECT number FROM z_report WHERE store = ? AND register = ? AND business_date = ? ORDER BY number",
            store,
            register,
            business_date.isoformat(),
        )
        return tuple(number for (number,) in rows)

    def closed_entries(self, business_date: date) -> frozenset[bytes]:
        """Return the ids of the entries that Z reports of a date contain, of every register."""
        rows = self._read("SELECT entry_ids FROM z_report WHERE business_date = ?", business_date.isoformat())
        return frozenset(
            joined[at : at + _ENTRY_ID_BYTES] for (joined,) in rows for at in range(0, len(joined), _ENTRY_ID_BYTES)
        )

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            self._connection.close()

    def _decoded(self, document: str) -> FiledReport:
        try:
            filed: FiledReport = decode(FiledReport, loads(document))
            return filed
        except CodecError as error:
            raise ReportFileUnusable(f"a Z report in {self._path} does not read ({error}): restore the file") from None

    def _read(self, statement: str, *values: str | int) -> list[Any]:
        with self._lock, self._errors():
            return self._connection.execute(statement, values).fetchall()

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
            raise ReportFileUnusable(
                f"the Z reports in {self._path} cannot be used ({error}): check the disk and the folder's permissions; "
                "move a damaged file away, and the numbers begin at 1 again"
            ) from None
