"""Grants at the terminal: points that central set aside here, the only thing that can be redeemed.

A grant's points are free, held, spent or released; the table's CHECK keeps their sum within the grant. Nothing here
decides when to redeem: see `sync.holds` and `sync.sales`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from loyalty_sdk.codec import CodecError, decode, encode, loads
from loyalty_sdk.envelope import GrantClosedBody, GrantUse
from loyalty_sdk.protocol import GrantDocument, SignedDocument
from sync.identity import SignatureRefused
from sync.statements import PinnedConnection
from sync.transaction import Transaction

__all__ = [
    "EARLIEST",
    "LATEST",
    "close_wanted",
    "earmark",
    "free_points",
    "mark_recalled",
    "restore_spent",
    "spend_held",
    "store_grant",
    "unhold",
    "uses_of_hold",
]

CLOSED_AT_ONCE_MAX = 200
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def store_grant(transaction: Transaction, signed: SignedDocument, *, redemption_id: str | None = None) -> None:
    """Keep a grant that central signed for this terminal. Raises SignatureRefused, CodecError.

    As long as the feed is read anew, or central may hold another life of this journal, an earlier life of this till's
    disk may have spent of it: then it waits for central to confirm what is left. Not so the one of `redemption_id`,
    for which the POS asks just now.
    """
    grant = decode(GrantDocument, loads(transaction.identity.verify("grant", signed)))
    if not EARLIEST <= grant.not_after <= LATEST:
        raise CodecError(f"grant {grant.grant_id} ends at {grant.not_after}, which no calendar here reaches")
    if grant.points < 1:
        raise CodecError(f"grant {grant.grant_id} is over {grant.points} points; a grant has 1 or more")
    ours = (transaction.identity.tenant, transaction.identity.terminal)
    if (grant.tenant, grant.terminal) != ours:
        raise SignatureRefused(f"grant {grant.grant_id} is for terminal {grant.terminal}, not for this one")
    is_known_whole = transaction.is_proven and transaction.meta("feed_anew") is None
    is_asked_for = redemption_id is not None and grant.redemption_id == redemption_id
    transaction.execute(
        "INSERT INTO grants (grant_id, member_id, points, not_after, redemption_id, document, key_id, signature,"
        " confirmed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (grant_id) DO NOTHING",
        (
            grant.grant_id,
            grant.member_id,
            grant.points,
            encode(grant.not_after.astimezone(UTC)),  # SQLite reads no offset with seconds in it.
            grant.redemption_id,
            signed.document,
            signed.key_id,
            signed.signature,
            int(is_known_whole or is_asked_for),
        ),
    )


def free_points(connection: PinnedConnection, member_id: str, now: datetime) -> int:
    """Return the points of a member that can be held here now."""
    return sum(free for _, free in _free_grants(connection, member_id, now, redemption_id=None))


def earmark(transaction: Transaction, hold_id: str, member_id: str, points: int) -> bool:
    """Hold `points` of the member's grants: those issued for this redemption first, then the earliest to end.

    False, with nothing held, where the free points do not suffice.
    """
    taken: list[tuple[str, int]] = []
    for grant_id, free in _free_grants(transaction.connection, member_id, _latest_time(transaction), hold_id):
        share = min(free, points - sum(part for _, part in taken))
        if share > 0:
            taken.append((grant_id, share))
    if sum(part for _, part in taken) != points:
        return False
    for grant_id, share in taken:
        transaction.execute("UPDATE grants SET held = held + ? WHERE grant_id = ?", (share, grant_id))
        transaction.execute("INSERT INTO hold_grants VALUES (?, ?, ?)", (hold_id, grant_id, share))
    return True


def uses_of_hold(transaction: Transaction, hold_id: str) -> tuple[GrantUse, ...]:
    """Return what a hold has of which grants, with each grant as central signed it."""
    rows = transaction.execute(
        "SELECT g.grant_id, h.points, g.document, g.key_id, g.signature FROM hold_grants h"
        " JOIN grants g ON g.grant_id = h.grant_id WHERE h.hold_id = ? ORDER BY g.grant_id",
        (hold_id,),
    )
    return tuple(GrantUse(**row._mapping) for row in rows)


def spend_held(transaction: Transaction, uses: Sequence[GrantUse]) -> None:
    """Turn held points into spent ones."""
    _move(transaction, uses, "held = held - points_used, spent = spent + points_used")


def unhold(transaction: Transaction, uses: Sequence[GrantUse]) -> None:
    """Make held points free again; of a closed grant they go back to central with the release entry."""
    _move(transaction, uses, "held = held - points_used, released = released + iif(state = 'closed', points_used, 0)")


def restore_spent(transaction: Transaction, uses: Sequence[GrantUse]) -> None:
    """Undo spending in a void: grants still open get their points back; a closed one leaves that to central (Law 9)."""
    _move(transaction, uses, "spent = spent - iif(state = 'open', points_used, 0)")


def mark_recalled(transaction: Transaction, grant_ids: Sequence[str]) -> None:
    """Note that central wants these grants back; the next `close_wanted` closes them."""
    for grant_id in grant_ids:
        transaction.execute("UPDATE grants SET recalled = 1 WHERE grant_id = ?", (grant_id,))


def close_wanted(transaction: Transaction) -> int:
    """Close expired and recalled grants by entry, less what is held or spent. Returns how many, at most 200 at once."""
    rows = transaction.execute(
        "SELECT grant_id, member_id, points - spent - held AS free, recalled, document, key_id, signature FROM grants"
        " WHERE state = 'open' AND confirmed = 1 AND (recalled = 1 OR unixepoch(not_after) < unixepoch(?)) LIMIT ?",
        (encode(_latest_time(transaction)), CLOSED_AT_ONCE_MAX),
    ).all()
    for row in rows:
        transaction.execute(
            "UPDATE grants SET state = 'closed', released = ? WHERE grant_id = ?", (row.free, row.grant_id)
        )
        body = GrantClosedBody(
            grant_id=row.grant_id,
            member_id=row.member_id,
            points=row.free,
            reason="recalled" if row.recalled else "expired",
        )
        transaction.append("grant_closed", body, grants=_given_back(row))
    return len(rows)


def _given_back(row: Any) -> tuple[GrantUse, ...]:
    """The grant with what is given back of it, be it nothing: a restored central may never have heard of it."""
    use = GrantUse(
        grant_id=row.grant_id,
        points=row.free,
        document=row.document,
        key_id=row.key_id,
        signature=row.signature,
    )
    return (use,)


def _latest_time(transaction: Transaction) -> datetime:
    """Our clock, but never earlier than central's: setting a clock back revives no grant (Law 10)."""
    now, seen = transaction.host.now(), transaction.central_time_seen()
    return now if seen is None else max(now, seen)


def _free_grants(
    connection: PinnedConnection, member_id: str, now: datetime, redemption_id: str | None
) -> list[tuple[str, int]]:
    rows = connection.exec_driver_sql(
        "SELECT grant_id, points - spent - held AS free FROM grants"
        " WHERE member_id = ? AND state = 'open' AND confirmed = 1 AND recalled = 0"
        " AND unixepoch(not_after) >= unixepoch(?)"
        " ORDER BY redemption_id IS NOT ?, unixepoch(not_after), grant_id",
        (member_id, encode(now), redemption_id),
    )
    return [(row.grant_id, row.free) for row in rows if row.free > 0]


def _move(transaction: Transaction, uses: Sequence[GrantUse], change: str) -> None:
    for use in uses:
        transaction.execute(
            f"UPDATE grants SET {change} FROM (SELECT ? AS points_used) WHERE grant_id = ?", (use.points, use.grant_id)
        )
