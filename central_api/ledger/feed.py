"""The feed of changes: what each terminal is to hear of, numbered in the order in which transactions commit.

Every terminal has a feed of its own. Whoever tells it something locks its row in `feeds` and takes the numbers after
the last one; the lock is held until COMMIT, so that numbers of one feed commit in their order and a cursor never passes
an open transaction. It is taken last, after everything was judged, and by nobody who tells that terminal nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, update

from central_api.storage.schema import changes, feeds, interest, members
from central_api.storage.shelf import KEYS_PER_QUERY_MAX
from central_api.storage.statements import among, given, insert_missing, upsert_rows
from loyalty_sdk.codec import INTEGER_MAX

__all__ = ["entries_judged_again", "feed_number", "grant_issued", "grants_wanted_back", "is_beyond", "members_changed"]

CURSOR_DIGITS_MAX = 15

_RAISE_REVISION = (
    update(members)
    .where(members.c.tenant == bindparam("of_tenant"), among(members.c.member_id, "changed"))
    .values(revision=members.c.revision + 1)
)
_INTERESTED = (
    select(interest.c.terminal, interest.c.member_id)
    .where(given(interest.c.tenant), among(interest.c.member_id))
    .order_by(interest.c.member_id, interest.c.terminal)
)
_NUMBER = select(feeds.c.number).where(given(feeds.c.tenant, feeds.c.terminal))
_FEEDS = (
    select(feeds.c.terminal, feeds.c.number)
    .where(given(feeds.c.tenant), among(feeds.c.terminal))
    .order_by(feeds.c.terminal)
    .with_for_update()
)


def members_changed(connection: Connection, tenant: str, member_ids: Sequence[str]) -> None:
    """Raise the members' revisions, and tell the terminals that want to hear of them."""
    if not member_ids:
        return
    connection.execute(_RAISE_REVISION, {"of_tenant": tenant, "changed": member_ids})
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


def feed_number(cursor: str) -> int | None:
    """Return the number of the change that a cursor stands at, 0 before the first; None for a cursor made up."""
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= CURSOR_DIGITS_MAX) or int(cursor) > INTEGER_MAX:
        return None
    return int(cursor)


def is_beyond(connection: Connection, tenant: str, terminal: str, number: int) -> bool:
    """Say whether a terminal heard of a change that its feed does not have: central was restored to before it."""
    last = connection.execute(_NUMBER, {"tenant": tenant, "terminal": terminal}).scalar()
    return number > (last or 0)


def _interested(connection: Connection, tenant: str, member_ids: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for start in range(0, len(member_ids), KEYS_PER_QUERY_MAX):
        part = member_ids[start : start + KEYS_PER_QUERY_MAX]
        rows = connection.execute(_INTERESTED, {"tenant": tenant, "member_id": part}).all()
        found += [(row.terminal, row.member_id) for row in rows]
    return found


def _tell(connection: Connection, tenant: str, what: str, found: Sequence[tuple[str, str]]) -> None:
    if not found:
        return
    last = _locked_feeds(connection, tenant, sorted({terminal for terminal, _ in found}))
    rows = []
    for terminal, key in found:
        last[terminal] += 1
        rows.append({"tenant": tenant, "terminal": terminal, "what": what, "key": key, "number": last[terminal]})
    upsert_rows(connection, changes, rows)
    numbers = [{"tenant": tenant, "terminal": terminal, "number": number} for terminal, number in last.items()]
    upsert_rows(connection, feeds, numbers)


def _locked_feeds(connection: Connection, tenant: str, terminals: Sequence[str]) -> dict[str, int]:
    """The last number of each feed, locked in sorted order; feeds that are new begin with 0."""
    found: dict[str, int] = {}
    for start in range(0, len(terminals), KEYS_PER_QUERY_MAX):
        part = terminals[start : start + KEYS_PER_QUERY_MAX]
        these = {"tenant": tenant, "terminal": part}
        held = {row.terminal: row.number for row in connection.execute(_FEEDS, these)}
        if missing := [terminal for terminal in part if terminal not in held]:
            insert_missing(connection, feeds, [{"tenant": tenant, "terminal": terminal} for terminal in missing])
            held = {row.terminal: row.number for row in connection.execute(_FEEDS, these)}
        found |= held
    return found
