"""Fills a central's database by SQL to many entries: what a first turn of real uploads left is copied again and again.

A copy is of other entries, in another journal, to the next members. Its bytes are those of the first: no chain holds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table

from bench.central_site import ENTRY_PREFIX, JOURNAL_PREFIX
from bench.terminal import MEMBERS, member_id
from central_api.storage.columns import Words
from central_api.storage.database import open_database
from central_api.storage.schema_ledger import metadata

__all__ = ["grow"]

# What is there once, however many entries there are; and those that only say what a terminal has not fetched.
ONCE = {"meta", "tenants", "programmes", "terminals", "members", "feeds"}
MEMBER_DIGITS = 4


async def grow(url: str, copies: int, member_blocks: int, advance: Callable[[int], None]) -> None:
    """Copy what is there `copies` times, over `member_blocks` times MEMBERS members."""
    database = open_database(url)
    try:
        tables = [table for table in metadata.sorted_tables if "tenant" in table.c and table.name not in ONCE]
        await database.write(lambda connection: _keep_first(connection, tables))
        for number in range(1, copies + 1):
            await database.write(partial(_copy, tables, number, member_blocks))
            advance(1)
        await database.write(lambda connection: _forget_first(connection, tables))
    finally:
        await database.close()


def _keep_first(connection: Connection, tables: list[Table]) -> None:
    for table in tables:
        connection.exec_driver_sql(f"CREATE TABLE first_{table.name} AS SELECT * FROM {table.name}")


def _copy(tables: list[Table], number: int, member_blocks: int, connection: Connection) -> None:
    for table in tables:
        names = ", ".join(f'"{column.name}"' for column in table.c)
        values = ", ".join(_changed(column, number, member_blocks) for column in table.c)
        # PostgreSQL and SQLite both take it; without WHERE, SQLite would read ON as a join's.
        query = f"SELECT {values} FROM first_{table.name} WHERE true ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) {query}")


def _changed(column: Any, number: int, member_blocks: int) -> str:
    """The column's value in a copy: ids of entries, journals and members are others."""
    name = f'"{column.name}"'
    if column.type is not Words:
        return name
    first_members, members = (member_id(MEMBERS * block)[:-MEMBER_DIGITS] for block in (0, number % member_blocks))
    for old, new in (
        (ENTRY_PREFIX, f"{int(ENTRY_PREFIX[:8], 16) + number:08x}-"),
        (JOURNAL_PREFIX, f"{int(JOURNAL_PREFIX[:8], 16) + number:08x}{JOURNAL_PREFIX[8:]}"),
        (first_members, members),
    ):
        name = f"replace({name}, '{old}', '{new}')"
    return name


def _forget_first(connection: Connection, tables: list[Table]) -> None:
    for table in tables:
        connection.exec_driver_sql(f"DROP TABLE first_{table.name}")
    connection.exec_driver_sql("ANALYZE")
