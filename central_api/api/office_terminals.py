"""The back office's calls about terminals: list, enrol, recall what is set aside there, revoke. Decides nothing."""

from __future__ import annotations

from datetime import timedelta

from fastapi import FastAPI, Request, Response
from sqlalchemy import Connection

from central_api.api.office_calls import Office
from central_api.api.openapi_office import Cursor, Id, Limit, describe_list, describe_read, describe_write
from central_api.office.api_keys import ApiKey
from central_api.office.terminals import terminal_list, terminal_view
from central_api.storage.audit import Act
from central_api.storage.paging import Paging
from central_api.terminals import terminals
from loyalty_sdk.office import (
    LIMIT_DEFAULT,
    GrantsRecalled,
    TerminalCode,
    TerminalList,
    TerminalRequest,
    TerminalView,
)

__all__ = ["add_terminal_office_calls"]


def add_terminal_office_calls(app: FastAPI, office: Office) -> None:
    """Add the calls that show terminals and those that make, recall and revoke them."""
    _add_reading(app, office)
    _add_writing(app, office)


def _add_reading(app: FastAPI, office: Office) -> None:
    @app.get("/v1/terminals", summary="List the terminals", **describe_list(TerminalList))
    async def list_terminals(request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Response:
        paging = Paging(name="terminals", limit=limit, cursor=cursor)
        return await office.read(request, lambda connection, key: terminal_list(connection, key.tenant, paging))

    @app.get("/v1/terminals/{terminal}", summary="One terminal", **describe_read(TerminalView, "not-found"))
    async def read_terminal(request: Request, terminal: Id) -> Response:
        return await office.read(request, lambda connection, key: terminal_view(connection, key.tenant, terminal))


def _add_writing(app: FastAPI, office: Office) -> None:
    capabilities = office.capabilities

    @app.post(
        "/v1/terminals",
        summary="Make a terminal and its one-time code",
        **describe_write(TerminalCode, "conflict", scope="administrator", question=TerminalRequest),
    )
    async def make_terminal(request: Request) -> Response:
        asked = await office.asked(request, "administrator", TerminalRequest)
        name = asked.question.terminal

        def work(connection: Connection, key: ApiKey) -> TerminalCode:
            code = terminals.add_terminal(connection, capabilities, key.tenant, name)
            expires_at = capabilities.now() + timedelta(hours=terminals.CODE_HOURS)
            return TerminalCode(terminal=name, code=code, expires_at=expires_at)

        return await office.act(asked, work, lambda made: Act("terminal-added", name))

    @app.post(
        "/v1/terminals/{terminal}/recall",
        summary="Want every open grant of a terminal back",
        **describe_write(GrantsRecalled, "not-found", scope="administrator"),
    )
    async def recall(request: Request, terminal: Id) -> Response:
        asked = await office.asked_nothing(request, "administrator")
        return await office.act(
            asked,
            lambda connection, key: GrantsRecalled(
                grants_recalled=terminals.recall_grants(connection, office.capabilities, key.tenant, terminal=terminal)
            ),
            lambda answer: Act("grants-recalled", terminal, f"{answer.grants_recalled}"),
        )

    @app.post(
        "/v1/terminals/{terminal}/revoke",
        summary="Let a terminal do nothing but deliver",
        **describe_write(TerminalView, "not-found", scope="administrator"),
    )
    async def revoke(request: Request, terminal: Id) -> Response:
        asked = await office.asked_nothing(request, "administrator")

        def work(connection: Connection, key: ApiKey) -> TerminalView:
            terminals.revoke_terminal(connection, office.capabilities, key.tenant, terminal)
            return terminal_view(connection, key.tenant, terminal)

        return await office.act(asked, work, lambda view: Act("terminal-revoked", terminal))
