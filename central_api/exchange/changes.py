"""Answers GET /v1/changes: what one terminal is to hear, read in one transaction. The feed itself is `feed.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from central_api.capabilities import Capabilities
from central_api.exchange.journals import entry_outcomes
from central_api.ledger.feed import FeedCursor, cursor_at, is_of_another_life, parse_cursor
from central_api.members.snapshots import snapshots_for
from central_api.problems import refuse
from central_api.programmes.versions import version_in_force
from central_api.storage.installation import epoch_of
from central_api.storage.schema import changes, grants
from central_api.storage.statements import among, given, select_rows
from central_api.terminals.terminals import Terminal
from loyalty_sdk.protocol import ChangesPage, EntryOutcome, SignedDocument

__all__ = ["changes_page"]

_CHANGES = (
    select(changes.c.number, changes.c.what, changes.c.key)
    .where(given(changes.c.tenant, changes.c.terminal), changes.c.number > bindparam("after"))
    .order_by(changes.c.number)
    .limit(bindparam("count"))
)
_GRANTS = (
    select(grants.c.document, grants.c.key_id, grants.c.signature)
    .where(given(grants.c.tenant), among(grants.c.grant_id), grants.c.state == "open")
    .order_by(grants.c.grant_id)
)


def changes_page(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, journal: str, cursor: str, limit: int
) -> ChangesPage:
    """Return at most `limit` changes after the cursor.

    Raises Refused: `invalid-request` for a cursor made up, `epoch-changed` for one of another life of this feed.
    """
    after = parse_cursor(cursor)
    if after is None:
        raise refuse("invalid-request", "the cursor is none that central gave; leave it empty to begin anew")
    if is_of_another_life(connection, terminal.tenant, terminal.terminal, after):
        raise refuse("epoch-changed", "central told of changes that it does not have; report, and read the feed anew")
    found = _rows(connection, terminal, after, limit + 1)
    page = found[:limit]
    members = [row.key for row in page if row.what == "snapshot"]
    return ChangesPage(
        epoch=epoch_of(connection),
        cursor=cursor_at(connection, terminal.tenant, terminal.terminal, page[-1].number) if page else cursor,
        more=len(found) > limit,
        snapshots=tuple(snapshots_for(connection, capabilities, terminal, journal, members)),
        grants=tuple(_grants(connection, terminal, page)),
        grants_recalled=tuple(row.key for row in page if row.what == "grant_recalled"),
        outcomes=tuple(_outcomes(connection, terminal, journal, page)),
        programme_version=version_in_force(connection, terminal.tenant, capabilities.now()),
        central_time=capabilities.now(),
    )


def _rows(connection: Connection, terminal: Terminal, after: FeedCursor, limit: int) -> Sequence[Any]:
    values = {"tenant": terminal.tenant, "terminal": terminal.terminal, "after": after.number, "count": limit}
    return select_rows(connection, _CHANGES, values)


def _outcomes(connection: Connection, terminal: Terminal, journal: str, page: Sequence[Row[Any]]) -> list[EntryOutcome]:
    """The entries of this journal that were judged again; those of an earlier journal nobody waits for."""
    found: list[EntryOutcome] = []
    for row in page:
        name, _, seq = row.key.rpartition("/")
        if row.what == "outcome" and name == journal:
            found += entry_outcomes(connection, terminal, journal, int(seq), int(seq))
    return found


def _grants(connection: Connection, terminal: Terminal, page: Sequence[Row[Any]]) -> list[SignedDocument]:
    """The grants that are still open, oldest first; the limit of a page keeps them below a query's limit of keys."""
    wanted = [row.key for row in page if row.what == "grant"]
    if not wanted:
        return []
    found = select_rows(connection, _GRANTS, {"tenant": terminal.tenant, "grant_id": wanted})
    return [SignedDocument(**row._asdict()) for row in found]
