"""Entries that wait for a sale or a card: judged again by a job, and named where they have waited too long.

What they wait for wakes them as it arrives, in the same transaction; the job finds those that were not woken all the
same, such as after a repair by hand. To judge one again that still waits changes nothing. Reads and the ledger's own
judging only: nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select

from central_api.capabilities import Capabilities
from central_api.judging.sitting import Sitting
from central_api.ledger.records import Place
from central_api.storage.schema import entries, waiting

__all__ = [
    "HELD_DAYS",
    "NAMES_AT_ONCE",
    "HeldEntry",
    "count_held",
    "count_held_long",
    "held_long",
    "judge_held",
    "names_waited_for",
]

NAMES_AT_ONCE = 50
HELD_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEntry:
    """An entry that waits; `waits_for` is `sale` or `member`."""

    terminal: str
    journal: str
    seq: int
    id: str
    kind: str
    received_at: datetime
    effective_at: datetime
    waits_for: str


def count_held(connection: Connection, tenant: str) -> int:
    """Return how many sales and cards are waited for."""
    query = select(func.count(waiting.c.waits_for.distinct())).where(waiting.c.tenant == tenant)
    return int(connection.execute(query).scalar_one())


def names_waited_for(connection: Connection, tenant: str, after: str, limit: int = NAMES_AT_ONCE) -> list[str]:
    """Return the next `limit` things after a name that entries wait for."""
    query = select(waiting.c.waits_for).distinct().where(waiting.c.tenant == tenant, waiting.c.waits_for > after)
    return list(connection.execute(query.order_by(waiting.c.waits_for).limit(limit)).scalars())


def judge_held(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    names: Sequence[str],
    set_aside: Set[Place] = frozenset(),
) -> None:
    """Judge again what waits for these.

    Raises JudgingFailed, after which the caller comes again with the entry `set_aside`, which is quarantined.
    """
    sitting = Sitting(connection, capabilities, tenant, set_aside)
    sitting.judge_waiting(names)
    sitting.write()


def count_held_long(connection: Connection, tenant: str, now: datetime, days: int = HELD_DAYS) -> int:
    """Return how many entries have been held for longer than that."""
    query = _held(tenant, now - timedelta(days=days)).with_only_columns(func.count(entries.c.id.distinct()))
    return int(connection.execute(query).scalar_one())


def held_long(connection: Connection, tenant: str, now: datetime, days: int, limit: int) -> list[HeldEntry]:
    """Return the entries that have been held for longer than that, those that arrived first in front."""
    query = _held(tenant, now - timedelta(days=days)).with_only_columns(entries, waiting.c.waits_for)
    order = (entries.c.received_at, entries.c.terminal, entries.c.journal, entries.c.seq)
    return [_entry(row) for row in connection.execute(query.order_by(*order).limit(limit))]


def _held(tenant: str, before: datetime) -> Select[Any]:
    same = (entries.c.tenant == waiting.c.tenant) & (entries.c.id == waiting.c.entry_id)
    query = select(entries.c.id).join_from(waiting, entries, same)
    return query.where(waiting.c.tenant == tenant, entries.c.outcome == "held", entries.c.received_at < before)


def _entry(row: Any) -> HeldEntry:
    return HeldEntry(
        terminal=row.terminal,
        journal=row.journal,
        seq=row.seq,
        id=row.id,
        kind=row.kind,
        received_at=row.received_at,
        effective_at=row.effective_at,
        waits_for="sale" if row.waits_for.startswith("receipt:") else "member",
    )
