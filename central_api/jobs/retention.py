"""Deletes what nobody can use any more, a little at a time. The ledger, its entries and receipts stay for ever.

- answers kept for an Idempotency-Key, after the hours for which a write may be repeated;
- one-time codes of terminals, once they have expired: until then a used one answers the same terminal again;
- the secrets of API keys that have expired or were revoked. Who the key was stays, since its deeds name it.

The feed of changes is not among them: it holds each thing once, and a terminal that was restored reads it anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, or_, select, tuple_, update

from central_api.storage.schema import enrolment_codes
from central_api.storage.schema_office import api_keys, idempotency_keys
from loyalty_sdk.office import IDEMPOTENCY_HOURS

__all__ = ["ROWS_AT_ONCE", "count_useless", "remove_useless"]

ROWS_AT_ONCE = 500


def count_useless(connection: Connection, tenant: str, now: datetime) -> int:
    """Return how many rows `remove_useless` would remove in all."""
    counted = (
        select(func.count()).select_from(table).where(useless)
        for table, useless in (*_deleted(tenant, now), (api_keys, _spent_secrets(tenant, now)))
    )
    return sum(int(connection.execute(query).scalar_one()) for query in counted)


def remove_useless(connection: Connection, tenant: str, now: datetime, limit: int = ROWS_AT_ONCE) -> int:
    """Remove at most `limit` rows of each kind. Returns how many; 0 where there are none."""
    removed = 0
    for table, useless in _deleted(tenant, now):
        statement = delete(table).where(_some(table, useless, limit))
        removed += connection.execute(statement).rowcount
    spent = _some(api_keys, _spent_secrets(tenant, now), limit)
    return removed + connection.execute(update(api_keys).where(spent).values(secret_hash="")).rowcount


def _deleted(tenant: str, now: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
    repeatable_since = now - timedelta(hours=IDEMPOTENCY_HOURS)
    answers = (idempotency_keys.c.tenant == tenant) & (idempotency_keys.c.created_at < repeatable_since)
    codes = (enrolment_codes.c.tenant == tenant) & (enrolment_codes.c.expires_at < now)
    return [(idempotency_keys, answers), (enrolment_codes, codes)]


def _spent_secrets(tenant: str, now: datetime) -> ColumnElement[bool]:
    over = or_(api_keys.c.expires_at < now, api_keys.c.revoked_at.is_not(None))
    return (api_keys.c.tenant == tenant) & (api_keys.c.secret_hash != "") & over


def _some(table: Table, useless: ColumnElement[bool], limit: int) -> ColumnElement[bool]:
    keys: tuple[Any, ...] = tuple(table.primary_key)
    return tuple_(*keys).in_(select(*keys).where(useless).limit(limit))
