"""Verifies Law 8 by the database itself: every balance and reservation is the sum of its transfers, and of its grants.

One page of members at a time; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select, union_all

from central_api.storage.schema import balances, grants, members, reservations, transfers
from central_api.storage.schema_ledger import settlements
from central_api.storage.statements import total
from central_api.verification.differences import Differences

__all__ = ["MEMBERS_AT_ONCE", "member_page", "verify_sums"]

MEMBERS_AT_ONCE = 500


def member_page(connection: Connection, tenant: str, after: str) -> list[str]:
    """Return the next members after an id."""
    query = select(members.c.member_id).where(members.c.tenant == tenant, members.c.member_id > after)
    return list(connection.execute(query.order_by(members.c.member_id).limit(MEMBERS_AT_ONCE)).scalars())


def verify_sums(connection: Connection, tenant: str, page: Sequence[str], differences: Differences) -> None:
    """Compare what is stored of a page of members with the sums of their transfers and grants."""
    sums = _sums(connection, tenant, page)
    stored = {row.member_id: row for row in connection.execute(_of(balances, tenant, page))}
    settled = {row.member_id: row for row in connection.execute(_of(settlements, tenant, page))}
    for member in page:
        row = stored.get(member)
        held = {"available": 0, "pending": 0, "owed": 0} if row is None else _figures(row)
        mine = sums.get(member, {})
        for account, sign in (("available", 1), ("pending", 1), ("owed", -1)):
            differences.compare(account, f"member {member}", held[account], sign * mine.get(account, 0))
        expired = settled[member].expired if member in settled else 0
        differences.compare("expired", f"member {member}", expired, mine.get("expired", 0))
        differences.compare("sum of all accounts", f"member {member}", 0, sum(mine.values()))
    _verify_reservations(connection, tenant, page, sums, differences)


def _verify_reservations(
    connection: Connection, tenant: str, page: Sequence[str], sums: dict[str, dict[str, int]], differences: Differences
) -> None:
    stored = {(row.member_id, row.terminal): row.points for row in connection.execute(_of(reservations, tenant, page))}
    granted = _granted(connection, tenant, page)
    for member, terminal in sorted(stored.keys() | granted.keys()):
        key = (member, terminal)
        where = f"member {member} at {terminal}"
        differences.compare("reserved by grants", where, stored.get(key, 0), granted.get(key, 0))
    for member in page:
        held = sum(points for (name, _), points in stored.items() if name == member)
        differences.compare("reserved", f"member {member}", held, sums.get(member, {}).get("reserved", 0))


def _sums(connection: Connection, tenant: str, page: Sequence[str]) -> dict[str, dict[str, int]]:
    """Each account's balance by member: what came less what went."""
    mine = (transfers.c.tenant == tenant) & transfers.c.member_id.in_(page)
    came = select(transfers.c.member_id, transfers.c.to_account.label("account"), transfers.c.points).where(mine)
    went = select(transfers.c.member_id, transfers.c.from_account, -transfers.c.points).where(mine)
    both = union_all(came, went).subquery()
    query = select(both.c.member_id, both.c.account, total(both.c.points).label("points"))
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query.group_by(both.c.member_id, both.c.account)):
        found.setdefault(row.member_id, {})[row.account] = row.points
    return found


def _granted(connection: Connection, tenant: str, page: Sequence[str]) -> dict[tuple[str, str], int]:
    left = total(grants.c.points - grants.c.spent - grants.c.released).label("points")
    query = select(grants.c.member_id, grants.c.terminal, left).where(
        grants.c.tenant == tenant, grants.c.member_id.in_(page)
    )
    rows = connection.execute(query.group_by(grants.c.member_id, grants.c.terminal))
    return {(row.member_id, row.terminal): row.points for row in rows}


def _of(table: Any, tenant: str, page: Sequence[str]) -> Select[Any]:
    return select(table).where(table.c.tenant == tenant, table.c.member_id.in_(page))


def _figures(row: Row[Any]) -> dict[str, int]:
    return {"available": row.available, "pending": row.pending, "owed": row.owed}
