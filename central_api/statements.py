"""Statements for many rows at once that SQLite and PostgreSQL both know. No tables of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["insert_missing", "insert_rows", "upsert_rows"]

Row = Mapping[str, Any]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form."""
    if rows:
        connection.execute(insert(table), rows)


def upsert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form; where the primary key is there, set all other columns named in the rows."""
    if not rows:
        return
    statement = _insert_of(connection)(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form, leaving those alone whose primary key is there."""
    if rows:
        keys = [column.name for column in table.primary_key]
        connection.execute(_insert_of(connection)(table).on_conflict_do_nothing(index_elements=keys), rows)


def _insert_of(connection: Connection) -> Any:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
