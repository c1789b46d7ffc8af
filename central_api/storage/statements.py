"""Statements for many rows or keys at once that SQLite and PostgreSQL both know. No tables of their own.

To build a statement costs five times what running it does, so those of every call are built once: as constants beside
the functions that run them, whose values are bound by `given` and `among`, or here, by the table and its columns. Rows
go to the driver itself, a column at a time: SQLAlchemy handles each value of each row. On SQLite queries go to the
driver as well, which needs a tenth of what SQLAlchemy adds to a short one. See docs/decisions/0018.
"""

from __future__ import annotations

import json
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from central_api.storage.columns import Whole

__all__ = [
    "among",
    "among_keys",
    "given",
    "insert_missing",
    "insert_rows",
    "select_row",
    "select_rows",
    "select_value",
    "total",
    "upsert_rows",
]

STATEMENTS_MAX = 256

Row = Mapping[str, Any]


def select_rows(connection: Connection, query: Select[Any], values: Row) -> Sequence[Any]:
    """Return the rows of a query that is a constant; a column is an attribute of its row."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        try:
            return _reading(query, connection.dialect).run(driver, values)
        except sqlite3.Error:
            pass  # It is asked again, for SQLAlchemy to tell the error as those of all other statements are told.
    return connection.execute(query, values).all()


def select_row(connection: Connection, query: Select[Any], values: Row) -> Any:
    """Return the first row of a query that is a constant, None where there is none."""
    return next(iter(select_rows(connection, query, values)), None)


def select_value(connection: Connection, query: Select[Any], values: Row) -> Any:
    """Return the first column of the first row of a query that is a constant, None where there is none."""
    row = select_row(connection, query, values)
    return None if row is None else row[0]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form."""
    if rows:
        _writing(table, tuple(rows[0]), None, connection.dialect).run(connection, rows)


def upsert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], changing: Sequence[str] | None = None
) -> None:
    """Insert rows of one form; where the primary key is there, set the columns of `changing`, by default all others.

    No two rows have the same key.
    """
    if rows:
        names = tuple(rows[0])
        changed = tuple(name for name in changing or names if not table.c[name].primary_key)
        _writing(table, names, changed, connection.dialect).run(connection, rows)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of one form, leaving those alone whose primary key is there."""
    if rows:
        _writing(table, tuple(rows[0]), (), connection.dialect).run(connection, rows)


def given(*columns: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that each column has the value bound under its name; in an UPDATE that would set it."""
    return and_(*(column == bindparam(column.name) for column in columns))


def among(column: Column[Any], name: str = "") -> ColumnElement[bool]:
    """Return the condition that a column has one of the values bound, as a list, under its name or the one given."""
    return _Among(column, bindparam(name or column.name, type_=_Values(column.type)))


def among_keys(name: str, *columns: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that columns of text together have one of the keys bound, a list of tuples, under `name`."""
    return _AmongKeys(bindparam(name, type_=_Values()), *columns)


def total(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return the sum of whole numbers as a whole number, 0 of none: PostgreSQL makes a decimal of it, or nothing."""
    return cast(func.coalesce(func.sum(column), 0), Whole)


class _Values(TypeDecorator[Sequence[Any]]):
    """Any number of values in one parameter, so that a statement is the same for all: an array, or a JSON text.

    Without a type, they are keys of several values each.
    """

    impl = Text
    cache_ok = True

    def __init__(self, of: TypeEngine[Any] | None = None) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that the driver is given."""
        return dialect.type_descriptor(Text() if self._is_json(dialect) else ARRAY(self.of or Text()))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return the list itself, or its text."""
        return json.dumps(value) if self._is_json(dialect) else value

    def _is_json(self, dialect: Dialect) -> bool:
        return self.of is None or dialect.name == "sqlite"


class _Condition(FunctionElement[bool]):
    """A condition that is written differently on each database."""

    type = Boolean()

    def self_group(self, against: Any = None) -> Any:
        """Return itself: SQLAlchemy would compare it with 1 on SQLite, which then finds no index for it."""
        return self


class _Among(_Condition):
    """Of the column and the values."""

    inherit_cache = True


@compiles(_Among)
def _in_array(element: _Among, compiler: Any, **named: Any) -> str:
    column, values = (compiler.process(one, **named) for one in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(_Among, "sqlite")
def _in_json(element: _Among, compiler: Any, **named: Any) -> str:
    column, values = (compiler.process(one, **named) for one in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


class _AmongKeys(_Condition):
    """Of the keys and their columns."""

    inherit_cache = True


@compiles(_AmongKeys)
def _in_json_array(element: _AmongKeys, compiler: Any, **named: Any) -> str:
    keys, *columns = (compiler.process(one, **named) for one in element.clauses)
    fields = ", ".join(f"value ->> {number}" for number in range(len(columns)))
    return f"({', '.join(columns)}) IN (SELECT {fields} FROM json_array_elements(CAST({keys} AS json)))"


@compiles(_AmongKeys, "sqlite")
def _in_json_rows(element: _AmongKeys, compiler: Any, **named: Any) -> str:
    keys, *columns = (compiler.process(one, **named) for one in element.clauses)
    fields = ", ".join(f"json_extract(value, '$[{number}]')" for number in range(len(columns)))
    return f"({', '.join(columns)}) IN (SELECT {fields} FROM json_each({keys}))"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A query of the driver's: its parameters in their order, and its rows; processors are by number in both."""

    text: str
    constants: Row
    names: Sequence[str]
    bound: Mapping[int, Callable[[Any], Any]]
    row: Callable[[Iterable[Any]], Any]
    found: Mapping[int, Callable[[Any], Any]]

    def run(self, driver: sqlite3.Connection, values: Row) -> list[Any]:
        """Return all rows."""
        given = {**self.constants, **values}
        parameters = _processed([given[name] for name in self.names], self.bound)
        rows = driver.execute(self.text, parameters)
        if not self.found:
            return [self.row(row) for row in rows]
        return [self.row(_processed(list(row), self.found)) for row in rows]


def _processed(values: list[Any], processors: Mapping[int, Callable[[Any], Any]]) -> list[Any]:
    for number, process in processors.items():
        values[number] = process(values[number])
    return values


@lru_cache(STATEMENTS_MAX)
def _reading(query: Select[Any], dialect: Dialect) -> _Reading:
    """Compile the query, as SQLAlchemy would, and keep what it says of parameters and columns."""
    compiled: Any = query.compile(dialect=dialect)
    if compiled.post_compile_params:
        raise ValueError("a query that is a constant asks for a list of values by `among`: its text is always the same")
    binds = [compiled.binds[name] for name in compiled.positiontup]
    columns = list(query.selected_columns)
    bound = (bind.type.dialect_impl(dialect).bind_processor(dialect) for bind in binds)
    found = (column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns)
    found_class: Any = namedtuple("Found", [column.key for column in columns])  # type: ignore[misc]  # by the query
    return _Reading(
        text=compiled.string,
        constants={bind.key: bind.value for bind in binds if not bind.required},
        names=[bind.key for bind in binds],
        bound={number: process for number, process in enumerate(bound) if process},
        row=found_class._make,
        found={number: process for number, process in enumerate(found) if process},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """A statement of the driver's, and how to make its values: the processors by the number of their column."""

    text: str
    values: Callable[[Row], tuple[Any, ...]]
    processors: Mapping[int, Callable[[Any], Any]]
    in_columns: bool

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Send all rows at once."""
        columns: list[Sequence[Any]] = list(zip(*map(self.values, rows), strict=True))
        for number, process in self.processors.items():
            columns[number] = [process(value) for value in columns[number]]
        connection.exec_driver_sql(self.text, tuple(columns) if self.in_columns else list(zip(*columns, strict=True)))


@lru_cache(STATEMENTS_MAX)
def _writing(table: Table, names: Sequence[str], changed: Sequence[str] | None, dialect: Dialect) -> _Writing:
    """Build the statement; `changed` is None where a key that is there is an error, empty where it is left alone."""
    quote = dialect.identifier_preparer.quote
    columns = [table.c[name] for name in names]
    impls = [column.type.dialect_impl(dialect) for column in columns]
    on_server = dialect.name == "postgresql"
    if on_server:
        arrays = ", ".join(f"${number}::{_type_name(one, dialect)}[]" for number, one in enumerate(impls, start=1))
        source = f"SELECT * FROM unnest({arrays})"
    else:
        source = f"VALUES ({', '.join('?' * len(names))})"
    text = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, names))}) {source}"
    if changed is not None:
        keys = ", ".join(quote(column.name) for column in table.primary_key)
        settings = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in changed)
        text += f" ON CONFLICT ({keys}) DO " + (f"UPDATE SET {settings}" if changed else "NOTHING")
    found = {number: process for number, one in enumerate(impls) if (process := one.bind_processor(dialect))}
    return _Writing(text=text, values=itemgetter(*names), processors=found, in_columns=on_server)


def _type_name(of: TypeEngine[Any], dialect: Dialect) -> str:
    """The type's name without its collation, which the column has."""
    return of.compile(dialect).partition(" ")[0]
