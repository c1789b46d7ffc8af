"""The back office's calls about members: list, search, register, change, aliases. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Set

from fastapi import FastAPI, Request, Response
from sqlalchemy import Connection

from central_api.api.office_calls import Office, check_if_match
from central_api.api.openapi_office import Cursor, Id, Limit, describe_list, describe_read, describe_write
from central_api.ledger.records import Place
from central_api.members import members
from central_api.members.views import member_list, member_view
from central_api.office.api_keys import ApiKey
from central_api.storage.locks import lock_members
from central_api.storage.paging import Paging
from loyalty_sdk.office import (
    LIMIT_DEFAULT,
    AliasAddition,
    MemberList,
    MemberPatch,
    MemberRequest,
    MemberSearch,
    MemberView,
)

__all__ = ["add_member_calls"]


def add_member_calls(app: FastAPI, office: Office) -> None:
    """Add the calls that read, register and change members."""
    _add_reading(app, office)
    _add_writing(app, office)
    _add_aliases(app, office)


def _add_reading(app: FastAPI, office: Office) -> None:
    capabilities = office.capabilities

    @app.get("/v1/members", summary="List the members", **describe_list(MemberList))
    async def list_members(request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Response:
        paging = Paging(name="members", limit=limit, cursor=cursor)
        return await office.read(
            request,
            lambda connection, key: member_list(connection, capabilities, key.tenant, paging, masked=key.is_masked),
        )

    @app.get(
        "/v1/members/{member_id}",
        summary="A member and its points",
        **describe_read(MemberView, "not-found", etag=True),
    )
    async def read_member(request: Request, member_id: Id) -> Response:
        return await office.read(request, lambda connection, key: _seen(office, connection, key, member_id))

    @app.post(
        "/v1/members/search",
        summary="Find the member of an alias",
        **describe_read(MemberList, question=MemberSearch),
    )
    async def search_members(request: Request) -> Response:
        asked = await office.asked(request, "read-only", MemberSearch)

        def work(connection: Connection, key: ApiKey) -> MemberList:
            found = members.member_of_alias(connection, capabilities, key.tenant, asked.question.alias)
            items = () if found is None else (_seen(office, connection, key, found),)
            return MemberList(items=items)

        return await office.look(asked, work)


def _add_writing(app: FastAPI, office: Office) -> None:
    capabilities = office.capabilities

    @app.post(
        "/v1/members",
        summary="Register a member",
        **describe_write(MemberView, "conflict", scope="back-office", question=MemberRequest, etag=True),
    )
    async def register_member(request: Request) -> Response:
        asked = await office.asked(request, "back-office", MemberRequest)
        question = asked.question
        one = members.Registration(aliases=question.aliases, name=question.name, tier=question.tier)

        def work(connection: Connection, key: ApiKey, set_aside: Set[Place]) -> MemberView:
            (made,) = members.register_members(connection, capabilities, key.tenant, [one], set_aside)
            return _seen(office, connection, key, made)

        return await office.judge(asked, work)

    @app.patch(
        "/v1/members/{member_id}",
        summary="Change a member's name or tier",
        **describe_write(MemberView, "not-found", "conflict", scope="back-office", question=MemberPatch, if_match=True),
    )
    async def change_member(request: Request, member_id: Id) -> Response:
        asked = await office.asked(request, "back-office", MemberPatch)
        check, question = check_if_match(request), asked.question

        def work(connection: Connection, key: ApiKey) -> MemberView:
            lock_members(connection, key.tenant, [member_id])
            check(_seen(office, connection, key, member_id).etag)
            members.change_member(connection, capabilities, key.tenant, member_id, question.name, question.tier)
            return _seen(office, connection, key, member_id)

        return await office.write(asked, work)


def _add_aliases(app: FastAPI, office: Office) -> None:
    capabilities = office.capabilities

    @app.post(
        "/v1/members/{member_id}/aliases",
        summary="Give a member one more alias",
        **describe_write(MemberView, "not-found", "conflict", scope="back-office", question=AliasAddition, etag=True),
    )
    async def add_alias(request: Request, member_id: Id) -> Response:
        asked = await office.asked(request, "back-office", AliasAddition)
        alias = asked.question.alias

        def work(connection: Connection, key: ApiKey, set_aside: Set[Place]) -> MemberView:
            members.add_alias(connection, capabilities, key.tenant, member_id, alias, set_aside)
            return _seen(office, connection, key, member_id)

        return await office.judge(asked, work)

    @app.delete(
        "/v1/members/{member_id}/aliases/{alias_id}",
        summary="Take an alias from a member",
        **describe_write(MemberView, "not-found", "conflict", scope="back-office", etag=True),
    )
    async def remove_alias(request: Request, member_id: Id, alias_id: Id) -> Response:
        asked = await office.asked_nothing(request, "back-office")

        def work(connection: Connection, key: ApiKey) -> MemberView:
            members.remove_alias(connection, capabilities, key.tenant, member_id, alias_id)
            return _seen(office, connection, key, member_id)

        return await office.write(asked, work)


def _seen(office: Office, connection: Connection, key: ApiKey, member_id: str) -> MemberView:
    return member_view(connection, office.capabilities, key.tenant, member_id, masked=key.is_masked)
