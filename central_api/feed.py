"""The feed of changes: what each terminal is to hear of, numbered in the order in which transactions commit.

A number is one above the highest there is, taken inside the writing transaction. SQLite has one writer, so numbers
commit in their order and a cursor never passes an open transaction. PostgreSQL will need more: there a reader must stop
below the lowest number of any transaction still open, or writers must take numbers under one advisory lock.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from central_api.schema import changes, interest, members
from central_api.shelf import KEYS_PER_QUERY_MAX
from central_api.statements import upsert_rows

__all__ = ["entries_judged_again", "grant_issued", "grants_wanted_back", "members_changed"]


def members_changed(connection: Connection, tenant: str, member_ids: Sequence[str]) -> None:
    """Raise the members' revisions, and tell the terminals that want to hear of them."""
    if not member_ids:
        return
    connection.execute(
        update(members)
        .where(members.c.tenant == tenant, members.c.member_id == bindparam("changed"))
        .values(revision=members.c.revision + 1),
        [{"changed": member_id} for member_id in member_ids],
    )
    _tell(connection, tenant, "snapshot", _interested(connection, tenant, member_ids))


def grant_issued(connection: Connection, tenant: str, terminal: str, grant_id: str) -> None:
    """Tell a terminal of its grant: the answer that carried it may be lost, and then nobody else could close it."""
    _tell(connection, tenant, "grant", [(terminal, grant_id)])


def grants_wanted_back(connection: Connection, tenant: str, found: Sequence[tuple[str, str]]) -> None:
    """Tell terminals of grants that central wants back: (terminal, grant id)."""
    _tell(connection, tenant, "grant_recalled", found)


def entries_judged_again(connection: Connection, tenant: str, found: Sequence[tuple[str, str]]) -> None:
    """Tell terminals of entries that were held and are judged now: (terminal, `journal/seq`)."""
    _tell(connection, tenant, "outcome", found)


def _interested(connection: Connection, tenant: str, member_ids: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for start in range(0, len(member_ids), KEYS_PER_QUERY_MAX):
        part = member_ids[start : start + KEYS_PER_QUERY_MAX]
        query = (
            select(interest.c.terminal, interest.c.member_id)
            .where(interest.c.tenant == tenant, interest.c.member_id.in_(part))
            .order_by(interest.c.member_id, interest.c.terminal)
        )
        found += [(row.terminal, row.member_id) for row in connection.execute(query)]
    return found


def _tell(connection: Connection, tenant: str, what: str, found: Sequence[tuple[str, str]]) -> None:
    if not found:
        return
    query = select(func.coalesce(func.max(changes.c.number), 0)).where(changes.c.tenant == tenant)
    last: int = connection.execute(query).scalar_one()
    rows = [
        {"tenant": tenant, "terminal": terminal, "what": what, "key": key, "number": number}
        for number, (terminal, key) in enumerate(found, start=last + 1)
    ]
    upsert_rows(connection, changes, rows)
