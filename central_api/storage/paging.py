"""Lists in pages. A cursor names the last row that was seen, and works for the list that gave it alone.

So no page skips or repeats a row that was there before, however many are added meanwhile. Knows no table.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Text, literal, tuple_

from central_api.problems import Refused, refuse
from central_api.storage.columns import Instant
from loyalty_sdk.codec import INTEGER_MAX, CodecError, dumps, loads
from loyalty_sdk.office import LIMIT_DEFAULT

__all__ = ["Paging", "rows_after"]

CURSOR_LENGTH_MAX = 2_000
TAG_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """Which page of which list: `name` and `filters` are what the list was asked with."""

    name: str
    filters: Mapping[str, str] = field(default_factory=dict)
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None

    def cursor_of(self, values: Sequence[object]) -> str:
        """Return the cursor after a row with these values in its order."""
        return urlsafe_b64encode(dumps([self._tag(), *values])).decode().rstrip("=")

    def values(self, kinds: Sequence[type]) -> list[Any] | None:
        """Return the values that the cursor names, None without one. Raises Refused `invalid-request`."""
        if not self.cursor:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            found = loads(urlsafe_b64decode(padded.encode("ascii"))) if len(padded) <= CURSOR_LENGTH_MAX else None
        except (binascii.Error, UnicodeError, CodecError):
            raise self._unknown() from None
        if not isinstance(found, list) or len(found) != len(kinds) + 1 or found[0] != self._tag():
            raise self._unknown()
        return [self._value(kind, value) for kind, value in zip(kinds, found[1:], strict=True)]

    def _value(self, kind: type, value: object) -> object:
        if kind is datetime:
            try:
                value = datetime.fromisoformat(value) if isinstance(value, str) else value
            except ValueError:
                raise self._unknown() from None
            fits = isinstance(value, datetime) and value.tzinfo is not None
        elif kind is int:
            fits = type(value) is int and abs(value) <= INTEGER_MAX
        else:
            fits = isinstance(value, str) and "\0" not in value
        if not fits:
            raise self._unknown()
        return value

    def _tag(self) -> str:
        return hashlib.sha256(dumps([self.name, dict(sorted(self.filters.items()))])).hexdigest()[:TAG_LENGTH]

    @staticmethod
    def _unknown() -> Refused:
        return refuse("invalid-request", "the cursor is not one of this list's; begin without a cursor")


def rows_after(
    connection: Connection, query: Select[Any], order: Sequence[Column[Any]], paging: Paging, *, newest: bool = False
) -> tuple[list[Row[Any]], str | None]:
    """Return a page of rows in the order of these columns, which no two rows share, and the cursor of the next page.

    With `newest`, in the opposite order. Raises Refused `invalid-request` for a cursor of another list.
    """
    values = paging.values([_kind(column) for column in order])
    if values is not None:
        seen = tuple_(*(literal(value, column.type) for value, column in zip(values, order, strict=True)))
        query = query.where(tuple_(*order) < seen if newest else tuple_(*order) > seen)
    query = query.order_by(*(_directed(column, newest) for column in order)).limit(paging.limit + 1)
    rows = list(connection.execute(query))
    if len(rows) <= paging.limit:
        return rows, None
    last = rows[paging.limit - 1]
    return rows[: paging.limit], paging.cursor_of([getattr(last, column.name) for column in order])


def _kind(column: Column[Any]) -> type:
    if isinstance(column.type, Instant):
        return datetime
    return str if isinstance(column.type, Text) else int


def _directed(column: Column[Any], newest: bool) -> ColumnElement[Any]:
    return column.desc() if newest else column.asc()
