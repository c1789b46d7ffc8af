"""The back office's calls about API keys: list, make, rotate, revoke. Nothing is decided here."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from central_api.api.office_calls import Office
from central_api.api.openapi_office import Cursor, Id, Limit, describe_list, describe_write
from central_api.office import api_keys
from central_api.storage.audit import Act
from central_api.storage.paging import Paging
from loyalty_sdk.office import LIMIT_DEFAULT, KeyList, KeyRequest, KeyRotation, KeySecret, KeyView

__all__ = ["add_key_calls"]


def add_key_calls(app: FastAPI, office: Office) -> None:
    """Add the calls about API keys; all take an administrator's."""
    capabilities = office.capabilities

    @app.get("/v1/keys", summary="List the API keys", **describe_list(KeyList, scope="administrator"))
    async def list_keys(request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Response:
        paging = Paging(name="keys", limit=limit, cursor=cursor)
        return await office.read(
            request, lambda connection, key: api_keys.key_list(connection, key.tenant, paging), "administrator"
        )

    @app.post(
        "/v1/keys",
        summary="Make an API key; its secret is told once",
        **describe_write(KeySecret, scope="administrator", question=KeyRequest),
    )
    async def make_key(request: Request) -> Response:
        asked = await office.asked(request, "administrator", KeyRequest)
        return await office.act(
            asked,
            lambda connection, key: api_keys.add_key(connection, capabilities, key.tenant, asked.question),
            lambda made: Act("key-added", made.key.key_id, made.key.scope),
        )

    @app.post(
        "/v1/keys/{key_id}/rotate",
        summary="Make a key in the place of another, which goes on for a while",
        **describe_write(KeySecret, "not-found", "conflict", scope="administrator", question=KeyRotation),
    )
    async def rotate_key(request: Request, key_id: Id) -> Response:
        asked = await office.asked(request, "administrator", KeyRotation)
        return await office.act(
            asked,
            lambda connection, key: api_keys.rotate_key(connection, capabilities, key.tenant, key_id, asked.question),
            lambda made: Act("key-rotated", key_id, made.key.key_id),
        )

    @app.delete(
        "/v1/keys/{key_id}",
        summary="End a key at once",
        **describe_write(KeyView, "not-found", scope="administrator"),
    )
    async def revoke_key(request: Request, key_id: Id) -> Response:
        asked = await office.asked_nothing(request, "administrator")
        return await office.act(
            asked,
            lambda connection, key: api_keys.revoke_key(connection, capabilities, key.tenant, key_id),
            lambda view: Act("key-revoked", key_id),
        )
