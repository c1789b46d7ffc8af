"""Snapshots: what a terminal gets to know of members, all read in one transaction.

`includes_seq` is the journal's watermark in the same transaction as the balance, so that the terminal knows which of
its own entries the balance contains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, select

from central_api.capabilities import Capabilities
from central_api.ledger.facts import folded_members
from central_api.ledger.fold import Folded
from central_api.storage.personal import MemberKey, mask_name, opened_member_key
from central_api.storage.schema import balances, journals, member_keys, members, reservations
from central_api.storage.schema_ledger import settlements
from central_api.storage.shelf import KEYS_PER_QUERY_MAX
from central_api.storage.statements import among, given, select_rows, total
from central_api.terminals.terminals import Terminal
from loyalty_sdk.protocol import Snapshot

__all__ = ["NAME_PURPOSE", "member_name", "snapshots_for"]

NAME_PURPOSE = "name"


def _same_member(table: Table) -> ColumnElement[bool]:
    return (table.c.tenant == members.c.tenant) & (table.c.member_id == members.c.member_id)


_RESERVED = select(total(reservations.c.points)).where(_same_member(reservations)).scalar_subquery()
_WATERMARK = (
    select(journals.c.watermark)
    .where(given(journals.c.tenant, journals.c.terminal, journals.c.journal))
    .scalar_subquery()
)
_MEMBERS = (
    select(
        members.c.member_id,
        members.c.name_sealed,
        members.c.tier,
        members.c.revision,
        member_keys.c.wrapped,
        balances.c.available,
        balances.c.owed,
        settlements.c.next_due_at,
        _RESERVED.label("reserved"),
        _WATERMARK.label("includes_seq"),
    )
    .join_from(members, balances, _same_member(balances), isouter=True)
    .join(member_keys, _same_member(member_keys), isouter=True)
    .join(settlements, _same_member(settlements), isouter=True)
    .where(given(members.c.tenant), among(members.c.member_id))
)


def snapshots_for(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, journal: str, member_ids: Sequence[str]
) -> list[Snapshot]:
    """Return the snapshots of those members who exist, in the order asked for."""
    if not member_ids:
        return []
    as_of = capabilities.now()
    found = {}
    rows = _rows(connection, terminal, journal, member_ids)
    # What time did to points counts at its date, whether or not it is booked yet.
    due = [row.member_id for row in rows if row.next_due_at is not None and row.next_due_at <= as_of]
    now = folded_members(connection, terminal.tenant, due, as_of) if due else {}
    for row in rows:
        found[row.member_id] = Snapshot(
            member_id=row.member_id,
            name_masked=mask_name(_name(capabilities, terminal.tenant, row)),
            tier=row.tier,
            balance=_spendable(row, now.get(row.member_id)) + row.reserved,
            revision=row.revision,
            as_of=as_of,
            includes_seq=row.includes_seq or 0,
        )
    return [found[member_id] for member_id in member_ids if member_id in found]


def _spendable(row: Row[Any], folded: Folded | None) -> int:
    """Available less owed points."""
    if folded is None:
        return (row.available or 0) - (row.owed or 0)
    return folded.figures.available - folded.owed


def member_name(sealed: bytes | None, key: MemberKey | None) -> str:
    """Return a member's name, empty for one who gave none or was erased."""
    return "" if sealed is None or key is None else key.open(NAME_PURPOSE, sealed).decode()


def _name(capabilities: Capabilities, tenant: str, row: Row[Any]) -> str:
    if row.name_sealed is None or row.wrapped is None:
        return ""
    return member_name(row.name_sealed, opened_member_key(capabilities, tenant, row.member_id, row.wrapped))


def _rows(connection: Connection, terminal: Terminal, journal: str, member_ids: Sequence[str]) -> list[Row[Any]]:
    place = {"tenant": terminal.tenant, "terminal": terminal.terminal, "journal": journal}
    found: list[Row[Any]] = []
    for start in range(0, len(member_ids), KEYS_PER_QUERY_MAX):
        part = member_ids[start : start + KEYS_PER_QUERY_MAX]
        found += select_rows(connection, _MEMBERS, {**place, "member_id": part})
    return found
