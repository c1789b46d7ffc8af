"""The back office's call about who did what. Decides nothing."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from central_api.api.office_calls import Office
from central_api.api.openapi_office import Cursor, Limit, describe_list
from central_api.office.audit import act_list
from central_api.storage.paging import Paging
from loyalty_sdk.office import LIMIT_DEFAULT, ActList

__all__ = ["add_audit_calls"]


def add_audit_calls(app: FastAPI, office: Office) -> None:
    """Add the call that shows the audit trail."""

    @app.get("/v1/audit", summary="Who did what, the newest first", **describe_list(ActList))
    async def list_acts(request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Response:
        paging = Paging(name="audit", limit=limit, cursor=cursor)
        return await office.read(request, lambda connection, key: act_list(connection, key.tenant, paging))
