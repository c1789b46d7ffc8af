"""What people decide about a member's points: adjustments and write-offs. Each is kept, with who and why.

A decision is a fact like an entry: the fold (`central_api.ledger.fold`) counts it at its own time, whatever arrives
later. It judges no entry. Two members are made one by `merging.py`; `settle` does what is due by the calendar.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select

from central_api.capabilities import Capabilities
from central_api.judging.matter import POINTS_MAX
from central_api.ledger.accounts import Account, Movement
from central_api.ledger.books import Books
from central_api.ledger.facts import all_facts
from central_api.ledger.fold import NEVER, Debit, Lot
from central_api.members.merging import check_reason
from central_api.problems import refuse
from central_api.programmes.versions import programme_in_force
from central_api.storage.schema_ledger import decisions, lots, settlements
from central_api.storage.schema_office import merges
from central_api.storage.statements import insert_rows
from loyalty_sdk.rules import points_expire_at

__all__ = ["MemberLot", "adjust", "due_members", "forgive", "member_lots", "settle", "write_off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLot:
    """What one earning gave, net of what came back of it, and what is left of it now.

    `lot_id` is the id of the sale's entry, or of the decision. `available_at` is later than `earned_at` where points
    are pending first; `expires_at` is None where they never expire.
    """

    lot_id: str
    points: int
    remaining: int
    earned_at: datetime
    available_at: datetime
    expires_at: datetime | None


def adjust(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    member_id: str,
    points: int,
    reason: str,
    actor: str,
) -> None:
    """Give points (above 0) or take points (below 0) by hand. What is given expires as what is earned today does.

    Raises Refused: `not-found` for no such member, `invalid-request` for 0 points or no reason, `insufficient-points`
    for more than are available.
    """
    _check(points if points > 0 else -points, reason)
    books, decision_id = Books(connection, tenant, capabilities.now()), capabilities.new_id()
    account, member_id = _account(books, member_id)
    now = books.recorded_at
    if points > 0:
        programme = programme_in_force(connection, tenant, now)
        expires_at = None if programme is None else points_expire_at(programme, now)
        books.accounts.give(member_id, Lot(decision_id, points, now, expires_at), "adjustment", now)
        movements = account.earn(points)
    else:
        if -points > account.available:
            raise refuse("insufficient-points", f"{account.available} points are available; take that many or fewer")
        books.accounts.take(member_id, Debit(decision_id, -points, now), "adjustment")
        movements = account.take_back(-points)
    _keep(books, member_id, movements, decision_id, "adjustment", points, reason, actor)
    books.write()


def write_off(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    member_id: str,
    points: int,
    reason: str,
    actor: str,
) -> None:
    """Forgive so many points of what a member owes: central's loss.

    Raises Refused: `not-found`, `invalid-request` for less than 1 point or no reason, `conflict` for more than is owed.
    """
    _check(points, reason)
    books = Books(connection, tenant, capabilities.now())
    account, member_id = _account(books, member_id)
    if points > account.owed:
        raise refuse("conflict", f"the member owes {account.owed} points; write off that many or fewer")
    forgive(books, member_id, points, decision_id=capabilities.new_id(), reason=reason, actor=actor)
    books.write()


def forgive(books: Books, member_id: str, points: int, *, decision_id: str, reason: str, actor: str) -> None:
    """Book a write-off of at most what is owed; with the account folded, so that it never gives points away."""
    account, member_id = _account(books, member_id)
    points = min(points, account.owed)
    if not points:
        return
    books.accounts.take(member_id, Debit(decision_id, points, books.recorded_at, True), "write_off")
    _keep(books, member_id, account.forgive(points), decision_id, "write_off", points, reason, actor)


def due_members(connection: Connection, tenant: str, now: datetime, limit: int, but: Collection[str] = ()) -> list[str]:
    """Return at most `limit` members for whom something is due, first whom it has been for the longest."""
    query = select(settlements.c.member_id).where(settlements.c.tenant == tenant, settlements.c.next_due_at <= now)
    if but:
        query = query.where(settlements.c.member_id.not_in(but))
    return list(connection.execute(query.order_by(settlements.c.next_due_at).limit(limit)).scalars())


def settle(connection: Connection, capabilities: Capabilities, tenant: str, member_ids: Sequence[str]) -> None:
    """Book what time did to members."""
    books = Books(connection, tenant, capabilities.now())
    # An account is brought to now when it is loaded.
    books.accounts.fetch(member_ids)
    books.write()


def member_lots(connection: Connection, capabilities: Capabilities, tenant: str, member_id: str) -> list[MemberLot]:
    """Return a member's lots, those that expire first first, with what is left of each now."""
    query = select(merges.c.into_member_id).where(merges.c.tenant == tenant, merges.c.member_id == member_id)
    member_id = connection.execute(query).scalar_one_or_none() or member_id
    now = capabilities.now()
    remaining = all_facts(connection, tenant, member_id).folded(now).remaining
    rows = connection.execute(select(lots).where(lots.c.tenant == tenant, lots.c.member_id == member_id))
    found = [
        MemberLot(
            lot_id=row.lot_id,
            points=row.points,
            remaining=remaining.get(row.lot_id, 0),
            earned_at=row.earned_at,
            available_at=row.available_at,
            expires_at=row.expires_at,
        )
        for row in rows
    ]
    return sorted(found, key=lambda lot: (lot.expires_at or NEVER, lot.available_at, lot.lot_id))


def _check(points: int, reason: str) -> None:
    if not 1 <= points <= POINTS_MAX:
        raise refuse("invalid-request", f"give a number of points from 1 to {POINTS_MAX}")
    check_reason(reason)


def _account(books: Books, member_id: str) -> tuple[Account, str]:
    account = books.accounts.get(member_id)
    if account is None:
        raise refuse("not-found", f"there is no member {member_id}; see: loyalty-central member list")
    return account, books.accounts.member_of(member_id)


def _keep(
    books: Books,
    member_id: str,
    movements: list[Movement],
    decision_id: str,
    kind: Literal["adjustment", "write_off"],
    points: int,
    reason: str,
    actor: str,
) -> None:
    """Keep the decision itself, and its movements as transfers."""
    now = books.recorded_at
    books.book(member_id, movements, terminal="", effective_at=now, reason=kind.replace("_", "-"), cause=decision_id)
    row = {
        "tenant": books.tenant,
        "decision_id": decision_id,
        "member_id": member_id,
        "kind": kind,
        "points": points,
        "actor": actor,
        "reason": reason,
        "decided_at": now,
    }
    insert_rows(books.connection, decisions, [row])
