"""Central's HTTP API: what terminals say (docs/protocol.md) and the back office (docs/api.md), and its description.

A call is one transaction of the ledger; nothing is decided here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response

from central_api.api.http import answer_of, install_problem_handlers
from central_api.api.limits import Limits, Meter, Throttle
from central_api.api.office import add_office_calls
from central_api.api.office_calls import Office
from central_api.api.openapi import DESCRIPTION, completed, describe, documentation_page
from central_api.api.terminals import add_terminal_calls
from central_api.capabilities import Capabilities
from central_api.storage.database import Database
from central_api.storage.installation import epoch_of

__all__ = ["create_app"]


def create_app(
    *,
    database: Database,
    capabilities: Capabilities,
    version: str,
    limits: Limits | None = None,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Return the ASGI application. The caller opens and closes the database."""
    # FastAPI's own pages load their scripts from elsewhere, which a central behind a firewall does not reach.
    app = FastAPI(title="Loyalty central", version=version, description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.add_middleware(Throttle, meter=Meter(limits or Limits(), monotonic_s))
    install_problem_handlers(app)
    add_terminal_calls(app, database, capabilities)
    add_office_calls(app, Office(database=database, capabilities=capabilities))
    _add_health(app, database, capabilities, version)
    _describe_schemas(app)
    _add_documentation(app)
    return app


def _add_health(app: FastAPI, database: Database, capabilities: Capabilities, version: str) -> None:
    @app.get("/v1/health", summary="Is central there?", **describe(None, token=False))
    async def health() -> Response:
        epoch = await database.read(epoch_of)
        now = capabilities.now()
        return answer_of({"status": "ok", "version": version, "epoch": epoch, "central_time": now})


def _describe_schemas(app: FastAPI) -> None:
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            completed(made())
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents this as its way to extend the schema


def _add_documentation(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        return Response(documentation_page(app.openapi()), media_type="text/html; charset=utf-8")
