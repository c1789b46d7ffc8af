"""Statements for many rows at once that SQLite and PostgreSQL both know. No tables of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, cast, func, insert
from sqlalchemy.dialects import postgresql, sqlite

from central_api.columns import Whole

__all__ = ["insert_missing", "insert_rows", "total", "upsert_rows"]

Row = Mapping[str, Any]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form."""
    if rows:
        connection.execute(insert(table), rows)


def upsert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], changing: Sequence[str] | None = None
) -> None:
    """Insert rows of one form; where the primary key is there, set the columns of `changing`, by default all others."""
    if not rows:
        return
    statement = _insert_of(connection)(table)
    keys = [column.name for column in table.primary_key]
    names = [name for name in rows[0] if name not in keys] if changing is None else changing
    changed = {name: statement.excluded[name] for name in names}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form, leaving those alone whose primary key is there."""
    if rows:
        keys = [column.name for column in table.primary_key]
        connection.execute(_insert_of(connection)(table).on_conflict_do_nothing(index_elements=keys), rows)


def total(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return the sum of whole numbers as a whole number, 0 of none: PostgreSQL makes a decimal of it, or nothing."""
    return cast(func.coalesce(func.sum(column), 0), Whole)


def _insert_of(connection: Connection) -> Any:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
