"""Terminals for the back office: state, last contact, how far their journals are here, what is set aside there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from central_api.problems import refuse
from central_api.storage.paging import Paging, rows_after
from central_api.storage.schema import entries, grants, journals, terminals
from central_api.storage.schema_office import contacts
from central_api.storage.statements import among, given, total
from loyalty_sdk.office import TerminalJournal, TerminalList, TerminalView

__all__ = ["terminal_list", "terminal_view"]

_TERMINALS = select(terminals, contacts.c.contacted_at, contacts.c.journal, contacts.c.head).join_from(
    terminals,
    contacts,
    (contacts.c.tenant == terminals.c.tenant) & (contacts.c.terminal == terminals.c.terminal),
    isouter=True,
)
_GRANTS = (
    select(
        grants.c.terminal,
        func.count().label("grants_open"),
        total(grants.c.points - grants.c.spent - grants.c.released).label("reserved"),
    )
    .where(given(grants.c.tenant), among(grants.c.terminal), grants.c.state == "open")
    .group_by(grants.c.terminal)
)
_LAST_RECEIVED = (
    select(entries.c.received_at)
    .where(
        entries.c.tenant == journals.c.tenant,
        entries.c.terminal == journals.c.terminal,
        entries.c.journal == journals.c.journal,
    )
    .order_by(entries.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_JOURNALS = (
    select(
        journals.c.terminal,
        journals.c.journal,
        journals.c.watermark,
        journals.c.opened_at,
        _LAST_RECEIVED.label("received_at"),
    )
    .where(given(journals.c.tenant), among(journals.c.terminal))
    .order_by(journals.c.opened_at, journals.c.journal)
)


def terminal_list(connection: Connection, tenant: str, paging: Paging) -> TerminalList:
    """Return a page of the terminals, in order of their names."""
    query = _TERMINALS.where(terminals.c.tenant == tenant)
    rows, cursor = rows_after(connection, query, (terminals.c.terminal,), paging)
    return TerminalList(items=tuple(_views(connection, tenant, rows)), next_cursor=cursor)


def terminal_view(connection: Connection, tenant: str, terminal: str) -> TerminalView:
    """Return one terminal. Raises Refused `not-found`."""
    query = _TERMINALS.where(terminals.c.tenant == tenant, terminals.c.terminal == terminal)
    views = _views(connection, tenant, list(connection.execute(query)))
    if not views:
        raise refuse("not-found", "there is no such terminal; they are listed in GET /v1/terminals")
    return views[0]


def _views(connection: Connection, tenant: str, rows: Sequence[Row[Any]]) -> list[TerminalView]:
    these = {"tenant": tenant, "terminal": [row.terminal for row in rows]}
    aside: dict[str, Any] = {row.terminal: row for row in connection.execute(_GRANTS, these)}
    newest: dict[str, Any] = {row.terminal: row for row in connection.execute(_JOURNALS, these)}
    return [_view(row, newest.get(row.terminal), aside.get(row.terminal)) for row in rows]


def _view(row: Row[Any], newest: Any, aside: Any) -> TerminalView:
    heard: list[datetime | None] = [row.contacted_at, newest.received_at if newest is not None else None]
    return TerminalView(
        terminal=row.terminal,
        state=row.state,
        agent_version=row.agent_version,
        created_at=row.created_at,
        enrolled_at=row.enrolled_at,
        last_contact_at=max((at for at in heard if at is not None), default=None),
        grants_open=0 if aside is None else aside.grants_open,
        reserved=0 if aside is None else aside.reserved,
        journal=None if newest is None else _journal(row, newest),
    )


def _journal(row: Row[Any], newest: Any) -> TerminalJournal:
    said = row.journal == newest.journal and row.head is not None
    return TerminalJournal(
        journal=newest.journal,
        watermark=newest.watermark,
        lag=max(0, row.head - newest.watermark) if said else None,
        opened_at=newest.opened_at,
    )
