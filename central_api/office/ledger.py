"""One member's ledger for the back office: transfers, lots, grants and where they are set aside. Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from central_api.capabilities import Capabilities
from central_api.members.decisions import MemberLot, member_lots
from central_api.problems import refuse
from central_api.storage.paging import Paging, rows_after
from central_api.storage.schema import grants, members, transfers
from central_api.storage.schema_ledger import decisions
from central_api.storage.statements import given
from loyalty_sdk.office import (
    DecisionList,
    DecisionView,
    GrantList,
    GrantState,
    GrantView,
    LotList,
    LotView,
    TransferList,
    TransferView,
)

__all__ = ["check_member", "decision_list", "grant_list", "grant_view", "lot_list", "transfer_list"]

_MEMBER = select(members.c.member_id).where(given(members.c.tenant, members.c.member_id))
_GRANT = select(grants).where(given(grants.c.tenant, grants.c.grant_id))


def check_member(connection: Connection, tenant: str, member_id: str) -> None:
    """Raise Refused `not-found` where there is no such member."""
    if connection.execute(_MEMBER, {"tenant": tenant, "member_id": member_id}).first() is None:
        raise refuse("not-found", "there is no such member; search for it by an alias")


def transfer_list(connection: Connection, tenant: str, member_id: str, paging: Paging) -> TransferList:
    """Return a page of a member's transfers, in order of their time. Raises Refused `not-found`."""
    check_member(connection, tenant, member_id)
    query = select(transfers).where(transfers.c.tenant == tenant, transfers.c.member_id == member_id)
    rows, cursor = rows_after(connection, query, (transfers.c.effective_at, transfers.c.id), paging)
    return TransferList(items=tuple(map(_transfer, rows)), next_cursor=cursor)


def decision_list(connection: Connection, tenant: str, member_id: str, paging: Paging) -> DecisionList:
    """Return a page of what people decided about a member: an id begins with its time. Raises Refused `not-found`."""
    check_member(connection, tenant, member_id)
    query = select(decisions).where(decisions.c.tenant == tenant, decisions.c.member_id == member_id)
    rows, cursor = rows_after(connection, query, (decisions.c.decision_id,), paging)
    return DecisionList(items=tuple(map(_decision, rows)), next_cursor=cursor)


def lot_list(
    connection: Connection, capabilities: Capabilities, tenant: str, member_id: str, paging: Paging
) -> LotList:
    """Return a page of a member's lots, those that expire first in front. Raises Refused `not-found`."""
    check_member(connection, tenant, member_id)
    found = member_lots(connection, capabilities, tenant, member_id)
    after = paging.values([str])
    ids = [lot.lot_id for lot in found]
    start = ids.index(after[0]) + 1 if after is not None and after[0] in ids else 0
    page = found[start : start + paging.limit]
    more = start + paging.limit < len(found)
    return LotList(items=tuple(map(_lot, page)), next_cursor=paging.cursor_of([page[-1].lot_id]) if more else None)


def grant_list(
    connection: Connection,
    tenant: str,
    paging: Paging,
    *,
    member_id: str | None = None,
    terminal: str | None = None,
    state: GrantState | None = None,
) -> GrantList:
    """Return a page of grants, in the order of their issue: an id begins with its time."""
    query = select(grants).where(grants.c.tenant == tenant)
    for column, wanted in ((grants.c.member_id, member_id), (grants.c.terminal, terminal), (grants.c.state, state)):
        if wanted is not None:
            query = query.where(column == wanted)
    rows, cursor = rows_after(connection, query, (grants.c.grant_id,), paging)
    return GrantList(items=tuple(map(_grant, rows)), next_cursor=cursor)


def grant_view(connection: Connection, tenant: str, grant_id: str) -> GrantView:
    """Return one grant. Raises Refused `not-found`."""
    row = connection.execute(_GRANT, {"tenant": tenant, "grant_id": grant_id}).first()
    if row is None:
        raise refuse("not-found", "there is no such grant; they are listed in GET /v1/grants")
    return _grant(row)


def _transfer(row: Row[Any]) -> TransferView:
    return TransferView(
        transfer_id=row.id,
        member_id=row.member_id,
        from_account=row.from_account,
        to_account=row.to_account,
        points=row.points,
        reason=row.reason,
        entry_id=row.entry_id or "",
        grant_id=row.grant_id or "",
        terminal=row.terminal,
        effective_at=row.effective_at,
        recorded_at=row.recorded_at,
    )


def _decision(row: Row[Any]) -> DecisionView:
    return DecisionView(
        decision_id=row.decision_id,
        kind=row.kind,
        points=row.points,
        reason=row.reason,
        actor=row.actor,
        decided_at=row.decided_at,
    )


def _lot(lot: MemberLot) -> LotView:
    return LotView(
        lot_id=lot.lot_id,
        points=lot.points,
        remaining=lot.remaining,
        earned_at=lot.earned_at,
        available_at=lot.available_at,
        expires_at=lot.expires_at,
    )


def _grant(row: Row[Any]) -> GrantView:
    return GrantView(
        grant_id=row.grant_id,
        member_id=row.member_id,
        terminal=row.terminal,
        state=row.state,
        recalled=bool(row.recalled),
        points=row.points,
        reserved=row.points - row.spent - row.released,
        spent=row.spent,
        released=row.released,
        overdrawn=row.overdrawn,
        issued_at=row.issued_at,
        not_after=row.not_after,
        redemption_id=row.redemption_id or "",
    )
