"""Entries that central could not judge: listed with bytes and reason, and judged anew once what was wrong is mended.

They arrived authentic and stand in their journal; only what became of them changes, and the feed tells their terminal.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, literal, or_, select, tuple_

from central_api.capabilities import Capabilities
from central_api.judging.reading import read_entry
from central_api.judging.sitting import Sitting, attachment_place
from central_api.ledger.records import EntryRow, Place
from central_api.problems import refuse
from central_api.storage.schema import attachments, entries

__all__ = ["IS_QUARANTINED", "JUDGED_AT_ONCE_MAX", "Judged", "judge_anew", "quarantined", "quarantined_places"]

JUDGED_AT_ONCE_MAX = 200
# Written into the statement, so that the database knows that its index of the quarantine serves.
IS_QUARANTINED = entries.c.outcome == literal("quarantined", literal_execute=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one entry that was judged anew."""

    terminal: str
    journal: str
    seq: int
    id: str
    outcome: str
    reason: str


def quarantined(connection: Connection, tenant: str, limit: int) -> list[Row[Any]]:
    """Return quarantined entries, those that were received first in front."""
    query = select(entries).where(entries.c.tenant == tenant, IS_QUARANTINED)
    return list(connection.execute(query.order_by(*_ORDER).limit(limit)))


def quarantined_places(connection: Connection, tenant: str, name: str | None = None) -> list[Place]:
    """Return where quarantined entries stand, in canonical order: all, or the one of an id or `terminal/journal/seq`.

    Raises Refused `not-found`.
    """
    query = select(entries.c.terminal, entries.c.journal, entries.c.seq).where(
        entries.c.tenant == tenant, IS_QUARANTINED
    )
    if name is not None:
        query = query.where(_named(name))
    found = [(row.terminal, row.journal, row.seq) for row in connection.execute(query.order_by(*_ORDER))]
    if name is not None and not found:
        raise refuse("not-found", f"nothing quarantined is called {name}; see: loyalty-central quarantine list")
    return found


def judge_anew(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    places: Sequence[Place],
    set_aside: Set[Place] = frozenset(),
) -> list[Judged]:
    """Judge at most JUDGED_AT_ONCE_MAX entries anew, in canonical order. Raises JudgingFailed.

    After that the caller comes again with the entry `set_aside`, which stays quarantined.
    """
    rows = _stored_rows(connection, capabilities, tenant, places)
    sitting = Sitting(connection, capabilities, tenant, set_aside)
    sitting.judge_anew(rows)
    sitting.write()
    return [
        Judged(
            terminal=row.terminal,
            journal=row.journal,
            seq=row.seq,
            id=row.id or row.id_claimed,
            outcome=row.verdict.outcome,
            reason=row.verdict.reason,
        )
        for row in rows
    ]


_ORDER = (entries.c.effective_at, entries.c.terminal, entries.c.journal, entries.c.seq)


def _named(name: str) -> Any:
    terminal, _, place = name.partition("/")
    journal, _, seq = place.partition("/")
    here = (entries.c.terminal == terminal) & (entries.c.journal == journal)
    number = int(seq) if seq.isascii() and seq.isdigit() and len(seq) <= 15 else 0
    return or_(entries.c.id == name, entries.c.id_claimed == name, here & (entries.c.seq == number))


def _stored_rows(
    connection: Connection, capabilities: Capabilities, tenant: str, places: Sequence[Place]
) -> list[EntryRow]:
    """Read the entries again, under a lock: nobody else judges them meanwhile."""
    place = tuple_(entries.c.terminal, entries.c.journal, entries.c.seq)
    query = (
        select(entries)
        .where(entries.c.tenant == tenant, IS_QUARANTINED, place.in_(list(places)))
        .order_by(*_ORDER)
        .with_for_update()
    )
    rows = [_row(values) for values in connection.execute(query)]
    sealed = _sealed(connection, tenant, rows)
    for row in rows:
        row.sealed = sealed.get(row.id_claimed) or sealed.get(attachment_place(row))
        read_entry(row, capabilities.keys, tenant)
    _mark_duplicates(connection, tenant, rows)
    return rows


def _row(values: Row[Any]) -> EntryRow:
    received_at: datetime = values.received_at
    return EntryRow(
        terminal=values.terminal,
        journal=values.journal,
        seq=values.seq,
        data=bytes(values.bytes),
        hash=bytes(values.hash),
        received_at=received_at,
        effective_at=values.effective_at,
        id_claimed=values.id or values.id_claimed,
    )


def _sealed(connection: Connection, tenant: str, rows: Sequence[EntryRow]) -> dict[str, bytes]:
    names = [name for row in rows for name in (row.id_claimed, attachment_place(row)) if name]
    query = select(attachments.c.entry_id, attachments.c.sealed).where(
        attachments.c.tenant == tenant,
        attachments.c.entry_id.in_(names),
        attachments.c.member_id.is_(None),
    )
    return {row.entry_id: bytes(row.sealed) for row in connection.execute(query)}


def _mark_duplicates(connection: Connection, tenant: str, rows: Sequence[EntryRow]) -> None:
    """An id belongs to the first entry that named it: another one may have taken it meanwhile."""
    ids = [row.entry.id for row in rows if row.entry is not None]
    query = select(entries.c.id, entries.c.terminal, entries.c.journal, entries.c.seq).where(
        entries.c.tenant == tenant, entries.c.id.in_(ids)
    )
    owners: dict[str, Place] = {row.id: (row.terminal, row.journal, row.seq) for row in connection.execute(query)}
    for row in rows:
        if row.entry is not None:
            row.is_duplicate = owners.setdefault(row.entry.id, row.place) != row.place
