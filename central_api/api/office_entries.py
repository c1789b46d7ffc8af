"""The back office's calls about journal entries and the quarantine. Nothing is decided here."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from central_api.api.office_calls import Office
from central_api.api.openapi_office import Cursor, Id, Limit, Name, describe_list, describe_read, describe_write
from central_api.office import entries as office_entries
from central_api.storage.paging import Paging
from loyalty_sdk.office import LIMIT_DEFAULT, EntryList, EntryView, QuarantineJudged, QuarantineRequest
from loyalty_sdk.protocol import Outcome

__all__ = ["add_entry_calls"]

Wanted = Annotated[Outcome | None, Query()]


def add_entry_calls(app: FastAPI, office: Office) -> None:
    """Add the calls that show entries, and the one that judges quarantined ones anew."""
    _add_entries(app, office)
    _add_quarantine(app, office)


def _add_entries(app: FastAPI, office: Office) -> None:
    @app.get("/v1/entries", summary="List journal entries", **describe_list(EntryList))
    async def list_entries(
        request: Request,
        terminal: Name = None,
        journal: Name = None,
        member_id: Name = None,
        outcome: Wanted = None,
        limit: Limit = LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Response:
        filters = {"terminal": terminal, "journal": journal, "member_id": member_id, "outcome": outcome}
        paging = Paging(
            name="entries",
            filters={name: value or "" for name, value in filters.items()},
            limit=limit,
            cursor=cursor,
        )
        return await office.read(
            request,
            lambda connection, key: office_entries.entry_list(
                connection,
                key.tenant,
                paging,
                terminal=terminal,
                journal=journal,
                member_id=member_id,
                outcome=outcome,
            ),
        )

    @app.get(
        "/v1/entries/{entry_id:path}",
        summary="One entry with its exact bytes",
        **describe_read(EntryView, "not-found"),
    )
    async def read_entry(request: Request, entry_id: Id) -> Response:
        return await office.read(
            request, lambda connection, key: office_entries.entry_view(connection, key.tenant, entry_id)
        )


def _add_quarantine(app: FastAPI, office: Office) -> None:
    @app.get("/v1/quarantine", summary="What could not be judged", **describe_list(EntryList))
    async def list_quarantine(request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Response:
        paging = Paging(name="quarantine", limit=limit, cursor=cursor)
        return await office.read(
            request, lambda connection, key: office_entries.quarantine_list(connection, key.tenant, paging)
        )

    @app.post(
        "/v1/quarantine/judge",
        summary="Judge quarantined entries anew",
        **describe_write(QuarantineJudged, "not-found", scope="back-office", question=QuarantineRequest),
    )
    async def judge(request: Request) -> Response:
        asked = await office.asked(request, "back-office", QuarantineRequest)
        return await office.judge(
            asked,
            lambda connection, key, set_aside: office_entries.judge_quarantine(
                connection, office.capabilities, key.tenant, asked.question, set_aside
            ),
        )
