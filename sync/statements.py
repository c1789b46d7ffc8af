"""The journal's statements, on sqlite3's own connection beneath SQLAlchemy's.

SQLAlchemy opens, pools and prepares connections. A statement through it costs 50 microseconds where sqlite3 needs 5,
and a sale has eight, BEGIN and COMMIT among them; so these go straight to the driver, under the same names.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

__all__ = ["PinnedConnection", "Row", "Rows"]


class Row(sqlite3.Row):
    """A row whose columns are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except IndexError:
            raise AttributeError(name) from None

    @property
    def _mapping(self) -> dict[str, Any]:
        return dict(zip(self.keys(), tuple(self), strict=True))


class Rows(sqlite3.Cursor):
    """What a statement gave; the methods are those of SQLAlchemy's result that are used here."""

    def all(self) -> list[Any]:
        """Return every row."""
        return self.fetchall()

    def one_or_none(self) -> Any:
        """Return the first row, or None."""
        return self.fetchone()

    def one(self) -> Any:
        """Return the first row; its absence is a fault of the database."""
        row = self.fetchone()
        if row is None:
            raise sqlite3.DatabaseError("a row that must be there is missing")
        return row

    def scalar(self) -> Any:
        """Return the first column of the first row, or None."""
        row = self.fetchone()
        return None if row is None else row[0]

    def scalar_one(self) -> Any:
        """Return the first column of the first row; its absence is a fault of the database."""
        return self.one()[0]


class PinnedConnection:
    """A connection while one thread has it: its transactions, and the statements within them."""

    def __init__(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        self._driver: sqlite3.Connection = driver

    def begin(self) -> None:
        """Begin a transaction that writes, so that it waits for another writer now and not in its middle."""
        self._driver.execute("BEGIN IMMEDIATE")

    def begin_reading(self) -> None:
        """Begin a transaction that reads: all its statements see the state that the first one does.

        It ends when the connection goes back to its pool.
        """
        self._driver.execute("BEGIN")

    def commit(self) -> None:
        """Commit; returns once the transaction is on the disk. Raises what sqlite3 raises."""
        self._driver.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction; does nothing where SQLite has done it already."""
        self._driver.rollback()

    def exec_driver_sql(self, statement: str, parameters: tuple[Any, ...] = ()) -> Rows:
        """Run one statement with `?` parameters. Raises what sqlite3 raises."""
        rows = self._driver.cursor(Rows)
        rows.row_factory = Row
        return rows.execute(statement, parameters)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is written within when it raises; a failure of the file itself leaves nothing to undo."""
        self._driver.execute("SAVEPOINT one")
        try:
            yield
        except BaseException as error:
            if not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.IntegrityError):
                self._driver.execute("ROLLBACK TO one")
                self._driver.execute("RELEASE one")
            raise
        self._driver.execute("RELEASE one")
