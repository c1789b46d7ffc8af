"""Statements for many rows at once that SQLite and PostgreSQL both know. No tables of their own.

To build a statement costs five times what running it does, so those of every call are built once: as constants beside
the functions that run them, whose values are bound by `given` and `among`, or here, by the table and its columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, bindparam, cast, func, insert
from sqlalchemy.dialects import postgresql, sqlite

from central_api.columns import Whole

__all__ = ["among", "given", "insert_missing", "insert_rows", "total", "upsert_rows"]

STATEMENTS_MAX = 256

Row = Mapping[str, Any]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form."""
    if rows:
        connection.execute(_insert(table), rows)


def upsert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], changing: Sequence[str] | None = None
) -> None:
    """Insert rows of one form; where the primary key is there, set the columns of `changing`, by default all others."""
    if rows:
        names = tuple(rows[0] if changing is None else changing)
        connection.execute(_upsert(table, names, connection.dialect.name), rows)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form, leaving those alone whose primary key is there."""
    if rows:
        connection.execute(_insert_where_missing(table, connection.dialect.name), rows)


def given(*columns: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that each column has the value bound under its name; in an UPDATE that would set it."""
    return and_(*(column == bindparam(column.name) for column in columns))


def among(column: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values bound, as a list, under its name."""
    return column.in_(bindparam(column.name, expanding=True))


def total(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return the sum of whole numbers as a whole number, 0 of none: PostgreSQL makes a decimal of it, or nothing."""
    return cast(func.coalesce(func.sum(column), 0), Whole)


@lru_cache(STATEMENTS_MAX)
def _insert(table: Table) -> Any:
    return insert(table)


@lru_cache(STATEMENTS_MAX)
def _upsert(table: Table, names: Sequence[str], dialect: str) -> Any:
    statement, keys = _dialect_insert(table, dialect), _keys(table)
    changed = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


@lru_cache(STATEMENTS_MAX)
def _insert_where_missing(table: Table, dialect: str) -> Any:
    return _dialect_insert(table, dialect).on_conflict_do_nothing(index_elements=_keys(table))


def _dialect_insert(table: Table, dialect: str) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]
