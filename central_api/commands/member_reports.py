"""Members for the command line: all of them, or one with its grants, entries and transfers. Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from central_api.capabilities import Capabilities
from central_api.members.views import every_member, member_view
from central_api.storage.schema import entries, grants, transfers
from loyalty_sdk.office import MemberView

__all__ = ["member_report", "member_rows"]

HISTORY_MAX = 1_000
COLUMNS = ("member_id", "name", "tier", "available", "pending", "reserved", "owed", "revision", "created_at")


def member_rows(connection: Connection, capabilities: Capabilities, tenant: str) -> list[dict[str, Any]]:
    """Return every member with name, aliases and points, oldest first."""
    return [_row(view) for view in every_member(connection, capabilities, tenant)]


def member_report(
    connection: Connection, capabilities: Capabilities, tenant: str, member_id: str, latest: int
) -> dict[str, Any]:
    """Return one member with its points, and the `latest` (HISTORY_MAX at most) grants, entries and transfers."""
    report = _row(member_view(connection, capabilities, tenant, member_id))
    report["grants"] = _latest(connection, _grants(tenant, member_id), latest)
    report["entries"] = _latest(connection, _entries(tenant, member_id), latest)
    report["transfers"] = _latest(connection, _transfers(tenant, member_id), latest)
    return report


def _row(view: MemberView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in COLUMNS} | {"aliases": [one.alias for one in view.aliases]}


def _latest(connection: Connection, query: Select[Any], latest: int) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query.limit(min(latest, HISTORY_MAX))).mappings()]


def _grants(tenant: str, member_id: str) -> Select[Any]:
    names = ("grant_id", "terminal", "points", "spent", "released", "overdrawn", "not_after", "state", "recalled")
    query = select(*(grants.c[name] for name in names))
    query = query.where(grants.c.tenant == tenant, grants.c.member_id == member_id)
    return query.order_by(grants.c.issued_at.desc(), grants.c.grant_id.desc())


def _entries(tenant: str, member_id: str) -> Select[Any]:
    names = ("effective_at", "terminal", "seq", "kind", "outcome", "reason", "points", "id")
    query = select(*(entries.c[name] for name in names))
    query = query.where(entries.c.tenant == tenant, entries.c.member_id == member_id)
    return query.order_by(entries.c.effective_at.desc(), entries.c.terminal, entries.c.journal, entries.c.seq.desc())


def _transfers(tenant: str, member_id: str) -> Select[Any]:
    names = ("effective_at", "from_account", "to_account", "points", "terminal", "reason", "id")
    query = select(*(transfers.c[name] for name in names))
    query = query.where(transfers.c.tenant == tenant, transfers.c.member_id == member_id)
    return query.order_by(transfers.c.effective_at.desc(), transfers.c.id.desc())
