"""Versions of the programme for the back office: pages of them, and one with its signed document. Reads only."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from central_api.etags import tagged
from central_api.problems import refuse
from central_api.programmes.versions import kept_programme, programme_versions
from central_api.storage.paging import Paging
from loyalty_sdk.office import ProgrammeList, ProgrammeView

__all__ = ["programme_list", "programme_view"]


def programme_list(connection: Connection, tenant: str, now: datetime, paging: Paging) -> ProgrammeList:
    """Return a page of the versions, the newest first."""
    after = paging.values([int])
    found = programme_versions(
        connection, tenant, now, before=None if after is None else after[0], limit=paging.limit + 1
    )
    page = found[: paging.limit]
    cursor = paging.cursor_of([page[-1].version]) if len(found) > paging.limit else None
    return ProgrammeList(items=tuple(map(tagged, page)), next_cursor=cursor)


def programme_view(connection: Connection, tenant: str, now: datetime, version: int) -> ProgrammeView:
    """Return one version with its document as it is signed. Raises Refused `not-found`."""
    found = programme_versions(connection, tenant, now, before=version + 1, limit=1)
    if not found or found[0].version != version:
        raise refuse("not-found", "there is no such version; they are listed in GET /v1/programmes")
    return tagged(replace(found[0], signed=kept_programme(connection, tenant, version)))
