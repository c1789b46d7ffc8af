"""What terminals say to central over HTTP, as docs/protocol.md has it. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Set
from contextlib import suppress
from typing import Annotated, TypeVar

from fastapi import FastAPI, Path, Query, Request, Response
from sqlalchemy import Connection
from starlette.background import BackgroundTask

from central_api.api.http import answer_of, bearer_token, read_body, read_question
from central_api.api.http import read_upload_headers as upload_headers
from central_api.api.openapi import describe
from central_api.api.openapi_limits import JOURNAL, NO_NUL
from central_api.capabilities import Capabilities
from central_api.exchange import grants, journals
from central_api.exchange.changes import changes_page
from central_api.exchange.recovery import JournalPlace, check_place, receive_report
from central_api.exchange.upload import receive_upload
from central_api.judging.setting_aside import write_setting_aside
from central_api.ledger.records import Place
from central_api.problems import Problem
from central_api.programmes.versions import signed_programme
from central_api.storage.database import Database, DatabaseUnusable
from central_api.terminals import terminals
from central_api.terminals.contacts import is_to_be_noted, note_contact
from central_api.terminals.terminals import Terminal, authenticate, check_not_revoked
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

__all__ = ["PAGE_MAX", "add_terminal_calls"]

PAGE_MAX = 500

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
Journal = Annotated[str, Path(pattern=JOURNAL)]
Text = Annotated[str, Query(pattern=NO_NUL)]
# The document says the form of a cursor; `changes_page` checks it, and says what to do about a wrong one.
Cursor = Annotated[str, Query(json_schema_extra={"pattern": "^([0-9]{1,15}(-[0-9]{1,16})?)?$"})]
Work = Callable[[Connection, Terminal], T]


def add_terminal_calls(app: FastAPI, database: Database, capabilities: Capabilities) -> None:
    """Add every call of a terminal; each but the enrolment proves the terminal's token."""
    _add_enrolment(app, database, capabilities)
    _add_programme(app, database, capabilities)
    _add_members(app, database, capabilities)
    _add_journals(app, database, capabilities)
    _add_reports(app, database, capabilities)
    _add_changes(app, database, capabilities)


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
        **describe(EnrolmentAnswer, "code-invalid", "outcome-unknown", question=EnrolmentRequest, token=False),
    )
    async def enrol(request: Request) -> Response:
        question = await read_question(request, EnrolmentRequest)
        return answer_of(await database.write(lambda connection: terminals.enrol(connection, capabilities, question)))


def _add_programme(app: FastAPI, database: Database, capabilities: Capabilities) -> None:
    @app.get("/v1/programme", summary="The signed programme in force", **describe(SignedDocument, "not-found"))
    async def programme(request: Request) -> Response:
        work = _as_terminal(
            bearer_token(request),
            lambda connection, terminal: signed_programme(connection, terminal.tenant, capabilities.now()),
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
            lambda connection, terminal: signed_programme(connection, terminal.tenant, capabilities.now(), version),
        )
        return answer_of(await database.read(work))


def _add_members(app: FastAPI, database: Database, capabilities: Capabilities) -> None:
    @app.post(
        "/v1/members/identify",
        summary="Find a member, and set points aside for redeeming offline",
        **describe(MemberAnswer, "alias-unknown", "terminal-revoked", "outcome-unknown", question=IdentifyRequest),
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
            MemberAnswer,
            "insufficient-points",
            "conflict",
            "not-found",
            "terminal-revoked",
            "outcome-unknown",
            question=GrantRequest,
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
        **describe(UploadAnswer, "fork", "epoch-changed", "outcome-unknown", upload=True),
    )
    async def upload(request: Request, journal: Journal) -> Response:
        token = bearer_token(request)
        # Nobody without a token gets central to read a large body.
        await database.read(_as_terminal(token, lambda connection, terminal: None))
        headers = upload_headers(request)
        body = await read_body(request, UPLOAD_BYTES_MAX, "application/x-ndjson")

        def work(connection: Connection, set_aside: Set[Place]) -> UploadAnswer | Problem:
            terminal = authenticate(connection, token)
            return receive_upload(connection, capabilities, terminal, journal, headers, body, set_aside)

        return answer_of(await write_setting_aside(database, work))

    @app.get("/v1/journals/{journal}", summary="What central holds of a journal", **describe(JournalView))
    async def view(request: Request, journal: Journal) -> Response:
        def work(connection: Connection, terminal: Terminal) -> JournalView:
            return journals.journal_view(connection, capabilities, terminal, journal)

        return answer_of(await database.read(_as_terminal(bearer_token(request), work)))

    @app.get(
        "/v1/journals/{journal}/entries", summary="A journal's entries with hash and outcome", **describe(EntryPage)
    )
    async def page(
        request: Request,
        journal: Journal,
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
        **describe(ReportAnswer, "outcome-unknown", question=SignedReport),
    )
    async def report(request: Request, journal: Journal) -> Response:
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
        journal: Text,
        cursor: Cursor = "",
        limit: Limit = PAGE_MAX,
        acknowledged: Annotated[int, Query(ge=0, le=INTEGER_MAX)] = 0,
        hash: Text = "",
        head: Annotated[int | None, Query(ge=0, le=INTEGER_MAX)] = None,
        grant: Text = "",
    ) -> Response:
        def work(connection: Connection, terminal: Terminal) -> tuple[ChangesPage, Terminal | None]:
            if head is not None:  # A terminal of release 0.1.0 does not say where it is.
                place = JournalPlace(journal=journal, acknowledged=acknowledged, hash=hash, head=head, grant=grant)
                check_place(connection, terminal, place)
            check_not_revoked(terminal)
            page = changes_page(connection, capabilities, terminal, journal, cursor, limit)
            return page, terminal if is_to_be_noted(connection, terminal, capabilities.now()) else None

        page, heard = await database.read(_as_terminal(bearer_token(request), work))
        response = answer_of(page)
        if heard is not None:
            # The terminal has its answer first: that it was heard of is for people, and may be lost.
            response.background = BackgroundTask(_note_contact, database, capabilities, heard, journal, head)
        return response


async def _note_contact(
    database: Database, capabilities: Capabilities, terminal: Terminal, journal: str, head: int | None
) -> None:
    with suppress(DatabaseUnusable):
        await database.write(lambda connection: note_contact(connection, terminal, capabilities.now(), journal, head))
