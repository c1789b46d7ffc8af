"""The back office's calls about points: decisions about a member, its transfers, lots and grants. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from sqlalchemy import Connection

from central_api.api.office_calls import Asked, Office
from central_api.api.openapi_office import Cursor, Id, Limit, Name, describe_list, describe_read, describe_write
from central_api.members import decisions, merging
from central_api.members.views import member_view
from central_api.office import ledger as office_ledger
from central_api.office.api_keys import ApiKey
from central_api.office.entries import member_entry_list
from central_api.storage.audit import Act
from central_api.storage.paging import Paging
from central_api.terminals import terminals
from loyalty_sdk.office import (
    LIMIT_DEFAULT,
    Adjustment,
    DecisionList,
    EntryList,
    GrantList,
    GrantState,
    GrantView,
    LotList,
    MemberView,
    Merge,
    TransferList,
    WriteOff,
)

__all__ = ["add_ledger_calls"]

State = Annotated[GrantState | None, Query()]


def add_ledger_calls(app: FastAPI, office: Office) -> None:
    """Add the calls that decide about points and those that show them."""
    _add_decisions(app, office)
    _add_merge(app, office)
    _add_history(app, office)
    _add_holdings(app, office)
    _add_grants(app, office)


def _add_decisions(app: FastAPI, office: Office) -> None:
    capabilities = office.capabilities

    @app.post(
        "/v1/members/{member_id}/adjustments",
        summary="Give or take points by hand",
        **describe_write(
            MemberView,
            "not-found",
            "insufficient-points",
            "conflict",
            scope="back-office",
            question=Adjustment,
            etag=True,
        ),
    )
    async def adjust(request: Request, member_id: Id) -> Response:
        asked = await office.asked(request, "back-office", Adjustment)
        points, reason = asked.question.points, asked.question.reason
        return await _decided(
            office,
            asked,
            member_id,
            lambda connection, key: decisions.adjust(
                connection, capabilities, key.tenant, member_id, points, reason, key.actor
            ),
        )

    @app.post(
        "/v1/members/{member_id}/write-offs",
        summary="Write off what a member owes",
        **describe_write(MemberView, "not-found", "conflict", scope="administrator", question=WriteOff, etag=True),
    )
    async def write_off(request: Request, member_id: Id) -> Response:
        asked = await office.asked(request, "administrator", WriteOff)
        points, reason = asked.question.points, asked.question.reason
        return await _decided(
            office,
            asked,
            member_id,
            lambda connection, key: decisions.write_off(
                connection, capabilities, key.tenant, member_id, points, reason, key.actor
            ),
        )


def _add_merge(app: FastAPI, office: Office) -> None:
    @app.post(
        "/v1/members/{member_id}/merge",
        summary="Make one member of two",
        **describe_write(MemberView, "not-found", "conflict", scope="administrator", question=Merge, etag=True),
    )
    async def merge(request: Request, member_id: Id) -> Response:
        asked = await office.asked(request, "administrator", Merge)
        source_id, reason = asked.question.source_member_id, asked.question.reason
        return await _decided(
            office,
            asked,
            member_id,
            lambda connection, key: merging.merge(
                connection, office.capabilities, key.tenant, source_id, member_id, reason, key.actor
            ),
        )


def _add_history(app: FastAPI, office: Office) -> None:
    @app.get(
        "/v1/members/{member_id}/transfers",
        summary="A member's transfers between accounts",
        **describe_list(TransferList, "not-found"),
    )
    async def list_transfers(
        request: Request, member_id: Id, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Response:
        paging = _of_member("transfers", member_id, limit, cursor)
        return await office.read(
            request,
            lambda connection, key: office_ledger.transfer_list(connection, key.tenant, member_id, paging),
        )

    @app.get(
        "/v1/members/{member_id}/decisions",
        summary="What people decided about a member's points",
        **describe_list(DecisionList, "not-found"),
    )
    async def list_decisions(
        request: Request, member_id: Id, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Response:
        paging = _of_member("decisions", member_id, limit, cursor)
        return await office.read(
            request,
            lambda connection, key: office_ledger.decision_list(connection, key.tenant, member_id, paging),
        )

    @app.get(
        "/v1/members/{member_id}/entries",
        summary="A member's journal entries",
        **describe_list(EntryList, "not-found"),
    )
    async def list_entries(
        request: Request, member_id: Id, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Response:
        paging = _of_member("entries", member_id, limit, cursor)
        return await office.read(
            request, lambda connection, key: member_entry_list(connection, key.tenant, member_id, paging)
        )


def _add_holdings(app: FastAPI, office: Office) -> None:
    @app.get(
        "/v1/members/{member_id}/lots",
        summary="What is left of each earning",
        **describe_list(LotList, "not-found"),
    )
    async def list_lots(
        request: Request, member_id: Id, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Response:
        paging = _of_member("lots", member_id, limit, cursor)
        return await office.read(
            request,
            lambda connection, key: office_ledger.lot_list(
                connection, office.capabilities, key.tenant, member_id, paging
            ),
        )

    @app.get(
        "/v1/members/{member_id}/grants",
        summary="Points set aside for a member",
        **describe_list(GrantList, "not-found"),
    )
    async def list_member_grants(
        request: Request, member_id: Id, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Response:
        paging = _of_member("grants", member_id, limit, cursor)

        def work(connection: Connection, key: ApiKey) -> GrantList:
            office_ledger.check_member(connection, key.tenant, member_id)
            return office_ledger.grant_list(connection, key.tenant, paging, member_id=member_id)

        return await office.read(request, work)


def _add_grants(app: FastAPI, office: Office) -> None:
    @app.get("/v1/grants", summary="Points set aside at terminals", **describe_list(GrantList))
    async def list_grants(
        request: Request,
        member_id: Name = None,
        terminal: Name = None,
        state: State = None,
        limit: Limit = LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Response:
        filters = {"member_id": member_id or "", "terminal": terminal or "", "state": state or ""}
        paging = Paging(name="grants", filters=filters, limit=limit, cursor=cursor)
        return await office.read(
            request,
            lambda connection, key: office_ledger.grant_list(
                connection, key.tenant, paging, member_id=member_id, terminal=terminal, state=state
            ),
        )

    @app.get("/v1/grants/{grant_id}", summary="One grant", **describe_read(GrantView, "not-found"))
    async def read_grant(request: Request, grant_id: Id) -> Response:
        return await office.read(
            request, lambda connection, key: office_ledger.grant_view(connection, key.tenant, grant_id)
        )

    @app.post(
        "/v1/grants/{grant_id}/recall",
        summary="Want a grant back",
        **describe_write(GrantView, "not-found", "conflict", scope="back-office"),
    )
    async def recall_grant(request: Request, grant_id: Id) -> Response:
        asked = await office.asked_nothing(request, "back-office")

        def work(connection: Connection, key: ApiKey) -> GrantView:
            terminals.recall_grant(connection, office.capabilities, key.tenant, grant_id)
            return office_ledger.grant_view(connection, key.tenant, grant_id)

        return await office.act(asked, work, lambda view: Act("grant-recalled", grant_id))


async def _decided(
    office: Office,
    asked: Asked[Adjustment] | Asked[WriteOff] | Asked[Merge],
    member_id: str,
    decide: Callable[[Connection, ApiKey], None],
) -> Response:
    """Let a person's decision be booked, and answer with the member as it is then."""

    def work(connection: Connection, key: ApiKey) -> MemberView:
        decide(connection, key)
        return member_view(connection, office.capabilities, key.tenant, member_id, masked=key.is_masked)

    return await office.write(asked, work)


def _of_member(name: str, member_id: str, limit: int, cursor: str | None) -> Paging:
    return Paging(name=f"members/{name}", filters={"member_id": member_id}, limit=limit, cursor=cursor)
