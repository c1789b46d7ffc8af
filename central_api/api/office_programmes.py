"""The back office's calls about the programme: its versions, checking, trying out, activating. Decides nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import FastAPI, Request, Response
from sqlalchemy import Connection

from central_api.api.office_calls import Office
from central_api.api.openapi_office import Cursor, Limit, Version, describe_list, describe_read, describe_write
from central_api.capabilities import Capabilities
from central_api.office.api_keys import ApiKey
from central_api.office.programmes import programme_list, programme_view
from central_api.problems import Refused, refuse
from central_api.programmes import versions as programmes
from central_api.programmes.dry_run import SALES_BY_CALL_MAX, dry_run
from central_api.programmes.validation import validate_document
from central_api.storage.audit import Act
from central_api.storage.paging import Paging
from loyalty_sdk.codec import CodecError
from loyalty_sdk.office import (
    LIMIT_DEFAULT,
    PROGRAMME_BODY_BYTES_MAX,
    DryRunReport,
    DryRunRequest,
    ProgrammeCandidate,
    ProgrammeCheck,
    ProgrammeList,
    ProgrammeRequest,
    ProgrammeView,
)

__all__ = ["add_programme_calls"]

AHEAD_MAX = timedelta(days=3_660)


def add_programme_calls(app: FastAPI, office: Office) -> None:
    """Add the calls that show versions, try a document, activate and withdraw one."""
    _add_reading(app, office)
    _add_trying(app, office)
    _add_writing(app, office)


def _add_reading(app: FastAPI, office: Office) -> None:
    @app.get("/v1/programmes", summary="Every version of the programme", **describe_list(ProgrammeList))
    async def list_programmes(request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Response:
        paging = Paging(name="programmes", limit=limit, cursor=cursor)
        now = office.capabilities.now()
        return await office.read(request, lambda connection, key: programme_list(connection, key.tenant, now, paging))

    @app.get(
        "/v1/programmes/{version:int}",
        summary="One version with its signed document",
        **describe_read(ProgrammeView, "not-found", etag=True),
    )
    async def read_programme(request: Request, version: Version) -> Response:
        now = office.capabilities.now()
        return await office.read(request, lambda connection, key: programme_view(connection, key.tenant, now, version))


def _add_trying(app: FastAPI, office: Office) -> None:
    capabilities = office.capabilities

    @app.post(
        "/v1/programmes/validate",
        summary="Say everything that is wrong with a document",
        **describe_read(ProgrammeCheck, question=ProgrammeCandidate),
    )
    async def validate(request: Request) -> Response:
        asked = await office.asked(request, "read-only", ProgrammeCandidate, PROGRAMME_BODY_BYTES_MAX)

        def work(connection: Connection, key: ApiKey) -> ProgrammeCheck:
            before = programmes.programme_in_force(connection, key.tenant, capabilities.now())
            return validate_document(asked.question.document, before)

        return await office.look(asked, work)

    @app.post(
        "/v1/programmes/dry-run",
        summary="Say what recorded sales would have earned",
        **describe_read(DryRunReport, "programme-invalid", question=DryRunRequest),
    )
    async def try_out(request: Request) -> Response:
        asked = await office.asked(request, "read-only", DryRunRequest, PROGRAMME_BODY_BYTES_MAX)
        document, days = asked.question.document, asked.question.days

        def work(connection: Connection, key: ApiKey) -> DryRunReport:
            try:
                return dry_run(connection, capabilities, key.tenant, document, days, sales_max=SALES_BY_CALL_MAX)
            except CodecError:
                raise _invalid(document) from None

        return await office.look(asked, work)


def _add_writing(app: FastAPI, office: Office) -> None:
    capabilities = office.capabilities

    @app.post(
        "/v1/programmes",
        summary="Activate a version, now or at a date",
        **describe_write(
            ProgrammeView,
            "programme-invalid",
            "conflict",
            scope="administrator",
            question=ProgrammeRequest,
            etag=True,
        ),
    )
    async def activate(request: Request) -> Response:
        asked = await office.asked(request, "administrator", ProgrammeRequest, PROGRAMME_BODY_BYTES_MAX)
        document = asked.question.document
        in_force_at = _date(capabilities, asked.question.in_force_at)

        def work(connection: Connection, key: ApiKey) -> ProgrammeView:
            try:
                made = programmes.activate_programme(connection, capabilities, key.tenant, document, in_force_at)
            except CodecError:
                raise _invalid(document) from None
            return programme_view(connection, key.tenant, capabilities.now(), made.version)

        return await office.act(asked, work, lambda view: Act("programme-activated", f"{view.version}"))

    @app.post(
        "/v1/programmes/{version:int}/withdraw",
        summary="Let a version that is scheduled never come into force",
        **describe_write(ProgrammeView, "not-found", "conflict", scope="administrator", etag=True),
    )
    async def withdraw(request: Request, version: Version) -> Response:
        asked = await office.asked_nothing(request, "administrator")

        def work(connection: Connection, key: ApiKey) -> ProgrammeView:
            programmes.withdraw_programme(connection, capabilities, key.tenant, version)
            return programme_view(connection, key.tenant, capabilities.now(), version)

        return await office.act(asked, work, lambda view: Act("programme-withdrawn", f"{version}"))


def _invalid(document: str) -> Refused:
    """Name the first thing that is wrong; the rest is beside it."""
    findings = validate_document(document).findings
    first = findings[0]
    detail = f"{first.place}: {first.detail}" if first.place else first.detail
    return refuse("programme-invalid", detail, findings=findings)


def _date(capabilities: Capabilities, in_force_at: datetime | None) -> datetime | None:
    if in_force_at is not None and in_force_at > capabilities.now() + AHEAD_MAX:
        raise refuse("invalid-request", "in_force_at is more than ten years ahead; give an earlier date")
    return in_force_at
