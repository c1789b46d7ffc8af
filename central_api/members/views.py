"""Members as the back office sees them: figures as of now, names and aliases opened, or masked. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select

from central_api.capabilities import Capabilities
from central_api.etags import tagged
from central_api.ledger.facts import load_facts
from central_api.ledger.fold import Figures
from central_api.members.snapshots import member_name
from central_api.problems import refuse
from central_api.storage.paging import Paging, rows_after
from central_api.storage.personal import MemberKey, mask_name, opened_member_key
from central_api.storage.schema import aliases, balances, member_keys, members, reservations
from central_api.storage.schema_ledger import settlements
from central_api.storage.schema_office import merges
from central_api.storage.shelf import KEYS_PER_QUERY_MAX
from central_api.storage.statements import among, given, total
from loyalty_sdk.office import AliasView, MemberList, MemberView

__all__ = ["ALIAS_PURPOSE", "every_member", "member_list", "member_view", "member_views"]

ALIAS_PURPOSE = "alias\n"
ALIAS_SHOWN_MAX = 4


def _same_member(table: Table) -> ColumnElement[bool]:
    return (table.c.tenant == members.c.tenant) & (table.c.member_id == members.c.member_id)


_RESERVED = select(total(reservations.c.points)).where(_same_member(reservations)).scalar_subquery()
_MEMBERS: Select[Any] = (
    select(
        members,
        member_keys.c.wrapped,
        balances.c.available,
        balances.c.pending,
        balances.c.owed,
        _RESERVED.label("reserved"),
        settlements.c.next_due_at,
        merges.c.into_member_id,
    )
    .join_from(members, balances, _same_member(balances), isouter=True)
    .join(member_keys, _same_member(member_keys), isouter=True)
    .join(settlements, _same_member(settlements), isouter=True)
    .join(merges, _same_member(merges), isouter=True)
)
_ONE = _MEMBERS.where(given(members.c.tenant, members.c.member_id))
_ALIASES = (
    select(aliases.c.member_id, aliases.c.digest, aliases.c.kind, aliases.c.sealed)
    .where(given(aliases.c.tenant), among(aliases.c.member_id))
    .order_by(aliases.c.digest)
)


def member_view(
    connection: Connection, capabilities: Capabilities, tenant: str, member_id: str, *, masked: bool = False
) -> MemberView:
    """Return one member. Raises Refused `not-found`."""
    row = connection.execute(_ONE, {"tenant": tenant, "member_id": member_id}).first()
    if row is None:
        raise refuse("not-found", "there is no such member; search for it by an alias")
    (view,) = member_views(connection, capabilities, tenant, [row], masked=masked)
    return view


def member_list(
    connection: Connection, capabilities: Capabilities, tenant: str, paging: Paging, *, masked: bool
) -> MemberList:
    """Return a page of the members, in order of their ids."""
    query = _MEMBERS.where(members.c.tenant == tenant)
    rows, cursor = rows_after(connection, query, (members.c.member_id,), paging)
    views = member_views(connection, capabilities, tenant, rows, masked=masked)
    return MemberList(items=tuple(views), next_cursor=cursor)


def every_member(connection: Connection, capabilities: Capabilities, tenant: str) -> Iterator[MemberView]:
    """Return all members, oldest first."""
    query = _MEMBERS.where(members.c.tenant == tenant).order_by(members.c.created_at, members.c.member_id)
    rows = list(connection.execute(query))
    for start in range(0, len(rows), KEYS_PER_QUERY_MAX):
        yield from member_views(connection, capabilities, tenant, rows[start : start + KEYS_PER_QUERY_MAX])


def member_views(
    connection: Connection, capabilities: Capabilities, tenant: str, rows: Sequence[Row[Any]], *, masked: bool = False
) -> list[MemberView]:
    """Return at most KEYS_PER_QUERY_MAX rows of members as views."""
    keys = {row.member_id: opened_member_key(capabilities, tenant, row.member_id, row.wrapped) for row in _kept(rows)}
    named = _aliases(connection, tenant, keys, masked=masked)
    figures = _figures(connection, tenant, rows, capabilities.now())
    return [_view(row, figures[row.member_id], keys, named.get(row.member_id, []), masked=masked) for row in rows]


def _kept(rows: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    """Those that were not erased."""
    return (row for row in rows if row.wrapped is not None)


def _figures(connection: Connection, tenant: str, rows: Sequence[Row[Any]], now: datetime) -> Mapping[str, Figures]:
    """The points as of now: expiry takes effect at its date, though nobody has booked it yet."""
    found = {row.member_id: Figures(row.available or 0, row.pending or 0, row.owed or 0) for row in rows}
    due = [row.member_id for row in rows if row.next_due_at is not None and row.next_due_at <= now]
    for member_id, facts in load_facts(connection, tenant, due, now).items():
        found[member_id] = facts.folded(now).figures
    return found


def _aliases(
    connection: Connection, tenant: str, keys: Mapping[str, MemberKey], *, masked: bool
) -> dict[str, list[AliasView]]:
    named: dict[str, list[AliasView]] = {}
    for row in connection.execute(_ALIASES, {"tenant": tenant, "member_id": list(keys)}):
        alias = keys[row.member_id].open(ALIAS_PURPOSE + row.digest, row.sealed).decode()
        shown = _mask_alias(alias) if masked else alias
        named.setdefault(row.member_id, []).append(AliasView(alias_id=row.digest, alias=shown, kind=row.kind))
    return named


def _view(
    row: Row[Any],
    figures: Figures,
    keys: Mapping[str, MemberKey],
    named: Sequence[AliasView],
    *,
    masked: bool,
) -> MemberView:
    name = member_name(row.name_sealed, keys.get(row.member_id))
    return tagged(
        MemberView(
            member_id=row.member_id,
            name=mask_name(name) if masked else name,
            tier=row.tier,
            aliases=tuple(sorted(named, key=lambda one: (one.alias, one.alias_id))),
            balance=figures.available + row.reserved - figures.owed,
            available=figures.available,
            pending=figures.pending,
            reserved=row.reserved,
            owed=figures.owed,
            revision=row.revision,
            created_at=row.created_at,
            merged_into=row.into_member_id or "",
        )
    )


def _mask_alias(alias: str) -> str:
    """Show the last characters, and never half of them or more."""
    shown = min(ALIAS_SHOWN_MAX, (len(alias) - 1) // 2)
    return "*" * (len(alias) - shown) + alias[len(alias) - shown :]
