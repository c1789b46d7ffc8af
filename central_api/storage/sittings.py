"""The numbers of sittings: of two that touch the same members or sales, the later one has the higher number.

Taken when a sitting ends, with all that it locked still locked: whoever waits for that takes a number after this one.
PostgreSQL's sequence gives them without anybody waiting; on SQLite, where one writes at a time, they are counted.
"""

from __future__ import annotations

from sqlalchemy import Connection, Integer, Text, cast, select
from sqlalchemy.dialects.sqlite import insert

from central_api.storage.locks import locks_rows
from central_api.storage.schema import meta, sittings

__all__ = ["next_sitting"]

_NEXT = select(sittings.next_value())
_FIRST = insert(meta).values(name=sittings.name, value="1")
_COUNTED = _FIRST.on_conflict_do_update(
    index_elements=[meta.c.name], set_={"value": cast(cast(meta.c.value, Integer) + 1, Text)}
).returning(meta.c.value)


def next_sitting(connection: Connection) -> int:
    """Return the number of the sitting that ends now."""
    return int(connection.execute(_NEXT if locks_rows(connection) else _COUNTED).scalar_one())
