"""Journal entries and the quarantine for the back office. Reads only; `central_api.judging.quarantine` judges anew."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, select

from central_api.capabilities import Capabilities
from central_api.judging.quarantine import IS_QUARANTINED, Judged, judge_anew, quarantined_places
from central_api.ledger.records import Place
from central_api.office.ledger import check_member
from central_api.problems import refuse
from central_api.storage.paging import Paging, rows_after
from central_api.storage.schema import entries
from loyalty_sdk.office import (
    QUARANTINE_JUDGED_MAX,
    EntryList,
    EntryView,
    JudgedEntry,
    QuarantineJudged,
    QuarantineRequest,
)
from loyalty_sdk.protocol import Outcome

__all__ = ["entry_list", "entry_view", "judge_quarantine", "member_entry_list", "quarantine_list"]

# Without the bytes, which a list does not show.
_COLUMNS = tuple(column for column in entries.c if column is not entries.c.bytes)
_BY_PLACE: tuple[Column[Any], ...] = (entries.c.terminal, entries.c.journal, entries.c.seq)
_BY_TIME: tuple[Column[Any], ...] = (entries.c.effective_at, *_BY_PLACE)


def entry_list(
    connection: Connection,
    tenant: str,
    paging: Paging,
    *,
    terminal: str | None = None,
    journal: str | None = None,
    member_id: str | None = None,
    outcome: Outcome | None = None,
) -> EntryList:
    """Return a page of entries by terminal, journal and seq; those of one member in order of their time."""
    wanted = {"terminal": terminal, "journal": journal, "member_id": member_id, "outcome": outcome}
    query = _of_tenant(tenant)
    for name, value in wanted.items():
        if value is not None:
            query = query.where(entries.c[name] == value)
    return _page(connection, query, paging, _BY_PLACE if member_id is None else _BY_TIME)


def member_entry_list(connection: Connection, tenant: str, member_id: str, paging: Paging) -> EntryList:
    """Return a page of one member's entries, in order of their time. Raises Refused `not-found`."""
    check_member(connection, tenant, member_id)
    return _page(connection, _of_tenant(tenant).where(entries.c.member_id == member_id), paging, _BY_TIME)


def quarantine_list(connection: Connection, tenant: str, paging: Paging) -> EntryList:
    """Return a page of what could not be judged, in canonical order."""
    return _page(connection, _of_tenant(tenant).where(IS_QUARANTINED), paging, _BY_TIME)


def entry_view(connection: Connection, tenant: str, entry_id: str) -> EntryView:
    """Return one entry with its bytes, by its id or `terminal/journal/seq`. Raises Refused `not-found`."""
    query = select(entries).where(entries.c.tenant == tenant)
    terminal, journal, seq = (*entry_id.split("/", 2), "", "")[:3]
    if seq.isascii() and seq.isdigit() and len(seq) <= 15:
        here = (entries.c.terminal == terminal) & (entries.c.journal == journal) & (entries.c.seq == int(seq))
        query = query.where(here)
    else:
        query = query.where(entries.c.id == entry_id)
    row = connection.execute(query).first()
    if row is None:
        raise refuse("not-found", "there is no such entry; they are listed in GET /v1/entries")
    return _view(row, data=bytes(row.bytes))


def judge_quarantine(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    question: QuarantineRequest,
    set_aside: Set[Place],
) -> QuarantineJudged:
    """Judge the entries that are named, or the next of all. Raises Refused `not-found`, or JudgingFailed."""
    places, cursor = _places(connection, tenant, question)
    judged = judge_anew(connection, capabilities, tenant, places, set_aside) if places else []
    return QuarantineJudged(judged=tuple(map(_judged, judged)), next_cursor=cursor)


def _places(connection: Connection, tenant: str, question: QuarantineRequest) -> tuple[Sequence[Place], str | None]:
    if not question.all:
        named = (place for name in question.entries for place in quarantined_places(connection, tenant, name))
        return list(dict.fromkeys(named)), None
    paging = Paging(name="quarantine/judge", limit=QUARANTINE_JUDGED_MAX, cursor=question.cursor)
    query = select(*_BY_TIME).where(entries.c.tenant == tenant, IS_QUARANTINED)
    rows, cursor = rows_after(connection, query, _BY_TIME, paging)
    return [(row.terminal, row.journal, row.seq) for row in rows], cursor


def _of_tenant(tenant: str) -> Select[Any]:
    return select(*_COLUMNS).where(entries.c.tenant == tenant)


def _page(connection: Connection, query: Select[Any], paging: Paging, order: Sequence[Column[Any]]) -> EntryList:
    rows, cursor = rows_after(connection, query, order, paging)
    return EntryList(items=tuple(map(_view, rows)), next_cursor=cursor)


def _view(row: Row[Any], data: bytes | None = None) -> EntryView:
    return EntryView(
        entry_id=row.id or f"{row.terminal}/{row.journal}/{row.seq}",
        terminal=row.terminal,
        journal=row.journal,
        seq=row.seq,
        kind=row.kind or "",
        member_id=row.member_id or "",
        outcome=row.outcome,
        reason=row.reason,
        points=row.points,
        effective_at=row.effective_at,
        received_at=row.received_at,
        clamped=bool(row.clamped),
        hash=bytes(row.hash).hex(),
        data=data,
    )


def _judged(one: Judged) -> JudgedEntry:
    outcome: Any = one.outcome
    return JudgedEntry(
        entry_id=one.id or f"{one.terminal}/{one.journal}/{one.seq}",
        terminal=one.terminal,
        journal=one.journal,
        seq=one.seq,
        outcome=outcome,
        reason=one.reason,
    )
