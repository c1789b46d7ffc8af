"""Snapshots: what a terminal gets to know of members, all read in one transaction.

`includes_seq` is the journal's watermark in the same transaction as the balance, so that the terminal knows which of
its own entries the balance contains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from central_api.capabilities import Capabilities
from central_api.journals import watermark_of
from central_api.personal import MemberKey, mask_name, member_keys_of
from central_api.schema import balances, members, reservations
from central_api.shelf import KEYS_PER_QUERY_MAX
from central_api.statements import total
from central_api.terminals import Terminal
from loyalty_sdk.protocol import Snapshot

__all__ = ["NAME_PURPOSE", "member_name", "snapshots_for"]

NAME_PURPOSE = "name"


def snapshots_for(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, journal: str, member_ids: Sequence[str]
) -> list[Snapshot]:
    """Return the snapshots of those members who exist, in the order asked for."""
    includes_seq, _ = watermark_of(connection, terminal, journal)
    keys = member_keys_of(connection, capabilities, terminal.tenant, member_ids)
    as_of = capabilities.now()
    found = {}
    for row in _rows(connection, terminal.tenant, member_ids):
        found[row.member_id] = Snapshot(
            member_id=row.member_id,
            name_masked=mask_name(member_name(row.name_sealed, keys.get(row.member_id))),
            tier=row.tier,
            balance=(row.available or 0) + row.reserved - (row.owed or 0),
            revision=row.revision,
            as_of=as_of,
            includes_seq=includes_seq,
        )
    return [found[member_id] for member_id in member_ids if member_id in found]


def member_name(sealed: bytes | None, key: MemberKey | None) -> str:
    """Return a member's name, empty for one who gave none or was erased."""
    return "" if sealed is None or key is None else key.open(NAME_PURPOSE, sealed).decode()


def _rows(connection: Connection, tenant: str, member_ids: Sequence[str]) -> list[Row[Any]]:
    reserved = (
        select(total(reservations.c.points))
        .where(reservations.c.tenant == members.c.tenant, reservations.c.member_id == members.c.member_id)
        .scalar_subquery()
    )
    same = (members.c.tenant == balances.c.tenant) & (members.c.member_id == balances.c.member_id)
    query = select(members, balances.c.available, balances.c.owed, reserved.label("reserved")).join_from(
        members, balances, same, isouter=True
    )
    found: list[Row[Any]] = []
    for start in range(0, len(member_ids), KEYS_PER_QUERY_MAX):
        part = member_ids[start : start + KEYS_PER_QUERY_MAX]
        found += connection.execute(query.where(members.c.tenant == tenant, members.c.member_id.in_(part)))
    return found
