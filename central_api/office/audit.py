"""The audit trail for the back office. Reads only; what is noted, and when, is in `central_api.storage.audit`."""

from __future__ import annotations

from sqlalchemy import Connection, select

from central_api.storage.paging import Paging, rows_after
from central_api.storage.schema_office import acts
from loyalty_sdk.office import ActList, ActView

__all__ = ["act_list"]

_SHOWN = (acts.c.act_id, acts.c.acted_at, acts.c.actor, acts.c.act, acts.c.subject, acts.c.detail)


def act_list(connection: Connection, tenant: str, paging: Paging) -> ActList:
    """Return a page of what was done, the newest first."""
    query = select(*_SHOWN).where(acts.c.tenant == tenant)
    rows, cursor = rows_after(connection, query, (acts.c.acted_at, acts.c.act_id), paging, newest=True)
    return ActList(items=tuple(ActView(**row._mapping) for row in rows), next_cursor=cursor)
