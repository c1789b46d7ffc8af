"""The feed of changes: what each terminal is to hear of, numbered in the order in which transactions commit.

Every terminal has a feed of its own. Whoever tells it something locks its row in `feeds` and takes the numbers after
the last one; the lock is held until COMMIT, so that numbers of one feed commit in their order and a cursor never passes
an open transaction. It is taken last, after everything was judged, and by nobody who tells that terminal nothing.

Numbers alone do not say of which life of this database they are: after a restore they are given again. So a cursor also
names the moment at which its feed was told last. Every moment is kept in `tellings`; a backup lacks those after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update

from central_api.storage.schema import changes, feeds, interest, members, tellings
from central_api.storage.shelf import KEYS_PER_QUERY_MAX
from central_api.storage.statements import among, given, insert_missing, select_row, select_rows, upsert_rows
from loyalty_sdk.codec import INTEGER_MAX

__all__ = [
    "FeedCursor",
    "cursor_at",
    "entries_judged_again",
    "grant_issued",
    "grants_wanted_back",
    "is_of_another_life",
    "members_changed",
    "parse_cursor",
]

_CURSOR = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,16}))?", re.ASCII)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

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
_FEED = select(feeds.c.number, feeds.c.moment).where(given(feeds.c.tenant, feeds.c.terminal))
_TOLD = select(tellings.c.moment).where(given(tellings.c.tenant, tellings.c.moment))
_FEEDS = (
    select(feeds.c.terminal, feeds.c.number)
    .where(given(feeds.c.tenant), among(feeds.c.terminal))
    .order_by(feeds.c.terminal)
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """A change that a terminal has heard of, 0 before the first, and the moment at which its feed was told last.

    `moment` is in microseconds since 1970, None in a cursor of release 0.1.0.
    """

    number: int = 0
    moment: int | None = None


def members_changed(connection: Connection, tenant: str, member_ids: Sequence[str], now: datetime) -> None:
    """Raise the members' revisions, and tell the terminals that want to hear of them."""
    if not member_ids:
        return
    connection.execute(_RAISE_REVISION, {"of_tenant": tenant, "changed": member_ids})
    _tell(connection, tenant, "snapshot", _interested(connection, tenant, member_ids), now)


def grant_issued(connection: Connection, tenant: str, terminal: str, grant_id: str, now: datetime) -> None:
    """Tell a terminal of its grant: the answer that carried it may be lost, and then nobody else could close it."""
    _tell(connection, tenant, "grant", [(terminal, grant_id)], now)


def grants_wanted_back(connection: Connection, tenant: str, found: Sequence[tuple[str, str]], now: datetime) -> None:
    """Tell terminals of grants that central wants back: (terminal, grant id)."""
    _tell(connection, tenant, "grant_recalled", found, now)


def entries_judged_again(connection: Connection, tenant: str, found: Sequence[tuple[str, str]], now: datetime) -> None:
    """Tell terminals of entries that were held and are judged now: (terminal, `journal/seq`)."""
    _tell(connection, tenant, "outcome", found, now)


def parse_cursor(text: str) -> FeedCursor | None:
    """Read what `cursor_at` wrote, or release 0.1.0, a number alone; empty is the beginning. None for one made up."""
    if not text:
        return FeedCursor()
    found = _CURSOR.fullmatch(text)
    if found is None:
        return None
    number, moment = int(found[1]), None if found[2] is None else int(found[2])
    return None if max(number, moment or 0) > INTEGER_MAX else FeedCursor(number, moment)


def cursor_at(connection: Connection, tenant: str, terminal: str, number: int) -> str:
    """Return the cursor of a terminal that heard of everything up to this number."""
    moment = select_row(connection, _FEED, {"tenant": tenant, "terminal": terminal}).moment
    return f"{number}-{moment}" if moment else str(number)


def is_of_another_life(connection: Connection, tenant: str, terminal: str, cursor: FeedCursor) -> bool:
    """Say whether a terminal heard of a change that its feed does not have: central was restored to before it."""
    if cursor.moment is not None:
        return select_row(connection, _TOLD, {"tenant": tenant, "moment": cursor.moment}) is None
    feed = select_row(connection, _FEED, {"tenant": tenant, "terminal": terminal})
    return cursor.number > (0 if feed is None else feed.number)


def _interested(connection: Connection, tenant: str, member_ids: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for start in range(0, len(member_ids), KEYS_PER_QUERY_MAX):
        part = member_ids[start : start + KEYS_PER_QUERY_MAX]
        rows = select_rows(connection, _INTERESTED, {"tenant": tenant, "member_id": part})
        found += [(row.terminal, row.member_id) for row in rows]
    return found


def _tell(connection: Connection, tenant: str, what: str, found: Sequence[tuple[str, str]], now: datetime) -> None:
    if not found:
        return
    moment = (now - _BEGINNING) // timedelta(microseconds=1)
    insert_missing(connection, tellings, [{"tenant": tenant, "moment": moment}])
    last = _locked_feeds(connection, tenant, sorted({terminal for terminal, _ in found}))
    rows = []
    for terminal, key in found:
        last[terminal] += 1
        rows.append({"tenant": tenant, "terminal": terminal, "what": what, "key": key, "number": last[terminal]})
    upsert_rows(connection, changes, rows)
    told = [
        {"tenant": tenant, "terminal": terminal, "number": number, "moment": moment}
        for terminal, number in last.items()
    ]
    upsert_rows(connection, feeds, told)


def _locked_feeds(connection: Connection, tenant: str, terminals: Sequence[str]) -> dict[str, int]:
    """The last number of each feed, locked in sorted order; feeds that are new begin with 0."""
    found: dict[str, int] = {}
    for start in range(0, len(terminals), KEYS_PER_QUERY_MAX):
        part = terminals[start : start + KEYS_PER_QUERY_MAX]
        these = {"tenant": tenant, "terminal": part}
        held = {row.terminal: row.number for row in select_rows(connection, _FEEDS, these)}
        if missing := [terminal for terminal in part if terminal not in held]:
            insert_missing(connection, feeds, [{"tenant": tenant, "terminal": terminal} for terminal in missing])
            held = {row.terminal: row.number for row in select_rows(connection, _FEEDS, these)}
        found |= held
    return found
