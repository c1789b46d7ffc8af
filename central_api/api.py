"""Central's HTTP API, as docs/protocol.md has it. A call is one transaction of the ledger; nothing is decided here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Path, Query, Request, Response
from sqlalchemy import Connection

from central_api import grants, journals, terminals
from central_api.capabilities import Capabilities
from central_api.changes import changes_page
from central_api.database import Database
from central_api.http import answer_of, bearer_token, install_problem_handlers, read_body, read_question
from central_api.http import read_upload_headers as upload_headers
from central_api.installation import epoch_of
from central_api.limits import Limits, Meter, Throttle
from central_api.openapi import DESCRIPTION, completed, describe, documentation_page
from central_api.programmes import signed_programme
from central_api.records import JudgingFailed, Place
from central_api.recovery import JournalPlace, check_place, receive_report
from central_api.terminals import Terminal, authenticate, check_not_revoked
from central_api.upload import receive_upload
from loyalty_sdk.codec import INTEGER_MAX
from loyalty_sdk.protocol import (
    REPORT_BYTES_MAX,
    UPLOAD_BYTES_MAX,
    ChangesPage,
    EnrolmentAnswer,
    EnrolmentRequest,
    EntryPage,
    GrantRequest,
    IdentifyRequest,
    JournalView,
    MemberAnswer,
    ReportAnswer,
    SignedDocument,
    SignedReport,
    UploadAnswer,
)

__all__ = ["PAGE_MAX", "create_app"]

PAGE_MAX = 500
SET_ASIDE_MAX = 500

_log = logging.getLogger(__name__)

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
Work = Callable[[Connection, Terminal], T]


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
    _add_enrolment(app, database, capabilities)
    _add_programme(app, database)
    _add_members(app, database, capabilities)
    _add_journals(app, database, capabilities)
    _add_reports(app, database, capabilities)
    _add_changes(app, database, capabilities)
    _add_health(app, database, capabilities, version)
    _describe_schemas(app)
    _add_documentation(app)
    return app


def _as_terminal(token: str, work: Work[T], *, active: bool = False) -> Callable[[Connection], T]:
    """Prove the token in the same transaction that the call works in."""

    def run(connection: Connection) -> T:
        terminal = authenticate(connection, token)
        if active:
            check_not_revoked(terminal)
        return work(connection, terminal)

    return run


def _add_enrolment(app: FastAPI, database: Database, capabilities: Capabilities) -> None:
    @app.post(
        "/v1/enrolments",
        summary="Enrol a terminal with its one-time code",
        **describe(EnrolmentAnswer, "code-invalid", question=EnrolmentRequest, token=False),
    )
    async def enrol(request: Request) -> Response:
        question = await read_question(request, EnrolmentRequest)
        return answer_of(await database.write(lambda connection: terminals.enrol(connection, capabilities, question)))


def _add_programme(app: FastAPI, database: Database) -> None:
    @app.get("/v1/programme", summary="The signed programme in force", **describe(SignedDocument, "not-found"))
    async def programme(request: Request) -> Response:
        work = _as_terminal(
            bearer_token(request), lambda connection, terminal: signed_programme(connection, terminal.tenant)
        )
        return answer_of(await database.read(work))

    @app.get(
        "/v1/programme/{version}",
        summary="One version of the programme",
        **describe(SignedDocument, "not-found"),
    )
    async def programme_version(request: Request, version: Annotated[int, Path(ge=1, le=INTEGER_MAX)]) -> Response:
        work = _as_terminal(
            bearer_token(request),
            lambda connection, terminal: signed_programme(connection, terminal.tenant, version),
        )
        return answer_of(await database.read(work))


def _add_members(app: FastAPI, database: Database, capabilities: Capabilities) -> None:
    @app.post(
        "/v1/members/identify",
        summary="Find a member, and set points aside for redeeming offline",
        **describe(MemberAnswer, "alias-unknown", "terminal-revoked", question=IdentifyRequest),
    )
    async def identify(request: Request) -> Response:
        token = bearer_token(request)
        question = await read_question(request, IdentifyRequest)

        def work(connection: Connection, terminal: Terminal) -> MemberAnswer:
            return grants.identify_member(connection, capabilities, terminal, question)

        return answer_of(await database.write(_as_terminal(token, work, active=True)))

    @app.post(
        "/v1/grants",
        summary="Set points aside for one redemption",
        **describe(
            MemberAnswer, "insufficient-points", "conflict", "not-found", "terminal-revoked", question=GrantRequest
        ),
    )
    async def grant(request: Request) -> Response:
        token = bearer_token(request)
        question = await read_question(request, GrantRequest)

        def work(connection: Connection, terminal: Terminal) -> object:
            return grants.issue_exact_grant(connection, capabilities, terminal, question)

        return answer_of(await database.write(_as_terminal(token, work, active=True)))


def _add_journals(app: FastAPI, database: Database, capabilities: Capabilities) -> None:
    @app.post(
        "/v1/journals/{journal}/entries",
        summary="Upload entries",
        **describe(UploadAnswer, "fork", "epoch-changed", "body-too-large", "encoding-refused", upload=True),
    )
    async def upload(request: Request, journal: str) -> Response:
        token = bearer_token(request)
        # Nobody without a token gets central to read a large body.
        await database.read(_as_terminal(token, lambda connection, terminal: None))
        headers = upload_headers(request)
        body = await read_body(request, UPLOAD_BYTES_MAX, "application/x-ndjson")

        set_aside: set[Place] = set()

        def work(connection: Connection, terminal: Terminal) -> UploadAnswer:
            return receive_upload(connection, capabilities, terminal, journal, headers, body, set_aside)

        while True:
            try:
                return answer_of(await database.write(_as_terminal(token, work)))
            except JudgingFailed as failure:
                if failure.place in set_aside or len(set_aside) >= SET_ASIDE_MAX:
                    raise
                _log.exception("%s; it is quarantined", failure)
                set_aside.add(failure.place)

    @app.get("/v1/journals/{journal}", summary="What central holds of a journal", **describe(JournalView))
    async def view(request: Request, journal: str) -> Response:
        def work(connection: Connection, terminal: Terminal) -> JournalView:
            return journals.journal_view(connection, capabilities, terminal, journal)

        return answer_of(await database.read(_as_terminal(bearer_token(request), work)))

    @app.get(
        "/v1/journals/{journal}/entries", summary="A journal's entries with hash and outcome", **describe(EntryPage)
    )
    async def page(
        request: Request,
        journal: str,
        after: Annotated[int, Query(ge=0, le=INTEGER_MAX)] = 0,
        limit: Limit = PAGE_MAX,
    ) -> Response:
        def work(connection: Connection, terminal: Terminal) -> EntryPage:
            return journals.entry_page(connection, terminal, journal, after, limit)

        return answer_of(await database.read(_as_terminal(bearer_token(request), work)))


def _add_reports(app: FastAPI, database: Database, capabilities: Capabilities) -> None:
    @app.post(
        "/v1/journals/{journal}/reports",
        summary="Report what is known of a journal, after central or the terminal was restored",
        **describe(ReportAnswer, "body-too-large", question=SignedReport),
    )
    async def report(request: Request, journal: str) -> Response:
        token = bearer_token(request)
        question = await read_question(request, SignedReport, REPORT_BYTES_MAX)

        def work(connection: Connection, terminal: Terminal) -> ReportAnswer:
            return receive_report(connection, capabilities, terminal, journal, question)

        return answer_of(await database.write(_as_terminal(token, work)))


def _add_changes(app: FastAPI, database: Database, capabilities: Capabilities) -> None:
    @app.get(
        "/v1/changes",
        summary="What changed for this terminal since a cursor",
        **describe(ChangesPage, "terminal-revoked", "epoch-changed", "fork"),
    )
    async def changes(
        request: Request,
        journal: str,
        cursor: str = "",
        limit: Limit = PAGE_MAX,
        acknowledged: Annotated[int, Query(ge=0, le=INTEGER_MAX)] = 0,
        hash: str = "",
        head: Annotated[int | None, Query(ge=0, le=INTEGER_MAX)] = None,
        grant: str = "",
    ) -> Response:
        def work(connection: Connection, terminal: Terminal) -> ChangesPage:
            if head is not None:  # A terminal of release 0.1.0 does not say where it is.
                place = JournalPlace(journal=journal, acknowledged=acknowledged, hash=hash, head=head, grant=grant)
                check_place(connection, terminal, place)
            check_not_revoked(terminal)
            return changes_page(connection, capabilities, terminal, journal, cursor, limit)

        return answer_of(await database.read(_as_terminal(bearer_token(request), work)))


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
