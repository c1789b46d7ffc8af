"""Books what is due, as one step of central's job `settle` does."""

from __future__ import annotations

from sqlalchemy import Connection

from central_api.capabilities import Capabilities
from central_api.members.decisions import due_members, settle

__all__ = ["settle_due"]


def settle_due(connection: Connection, capabilities: Capabilities, tenant: str, limit: int) -> int:
    """Settle at most `limit` members for whom something is due. Returns how many; 0 means that nothing is due."""
    due = due_members(connection, tenant, capabilities.now(), limit)
    settle(connection, capabilities, tenant, due)
    return len(due)
