"""What the tables are built of: column types that SQLite and PostgreSQL keep alike, and short ways to declare them.

Knows no table. On PostgreSQL texts have the collation C, so that they sort by their bytes, as SQLite's do: what is
ordered by the database is then ordered the same everywhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Text, text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Instant", "Whole", "Words", "flag", "key", "one_of", "time", "whole", "words"]

INSTANTS_KEPT = 1_024

Whole = BigInteger().with_variant(Integer, "sqlite")
Words = Text().with_variant(Text(collation="C"), "postgresql")


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as UTC text of fixed width: `2026-05-01T08:30:00.000+00:00`."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the text type that sorts by bytes."""
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Refuse naive times: they would sort wrongly without anybody noticing."""
        return None if value is None else _instant_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return an aware datetime in UTC."""
        return None if value is None else datetime.fromisoformat(value)


@lru_cache(INSTANTS_KEPT)
def _instant_text(value: datetime) -> str:
    """Times come in many rows of a transaction, and equal ones are the same instant."""
    if value.tzinfo is None:
        raise ValueError("a time without its offset cannot be stored")
    return value.astimezone(UTC).isoformat(timespec="milliseconds")


def key(name: str) -> Column[Any]:
    """Return a text column of the primary key."""
    return Column(name, Words, primary_key=True)


def words(name: str, default: str | None = None) -> Column[Any]:
    """Return a text column that is always there."""
    return Column(name, Words, nullable=False, server_default=None if default is None else text(f"'{default}'"))


def whole(name: str, default: int | None = None) -> Column[Any]:
    """Return a column of whole numbers of 64 bits that is always there."""
    return Column(name, Whole, nullable=False, server_default=None if default is None else text(str(default)))


def flag(name: str) -> list[Any]:
    """Return a column of 0 or 1, and its constraint."""
    return [Column(name, Integer, nullable=False, server_default=text("0")), CheckConstraint(f"{name} IN (0, 1)")]


def time(name: str, *, nullable: bool = False) -> Column[Any]:
    """Return a column of instants."""
    return Column(name, Instant, nullable=nullable)


def one_of(name: str, allowed: tuple[str, ...]) -> CheckConstraint:
    """Return the constraint that a text is one of these."""
    return CheckConstraint(f"{name} IN ({', '.join(repr(value) for value in allowed)})")
