"""`Central` and `AsyncCentral`: the central API's clients, for back offices, integrators and agents of another kind.

Both offer the same methods with the same arguments, errors and repetitions; those of `AsyncCentral` are awaited.
Nothing is decided here: each method is the call of its name in `_member_calls`, `_office_calls` or `_terminal_calls`,
`_flow` repeats it, `_blocking` and `_awaiting` send it. What travels is in `loyalty_sdk.office` and
`loyalty_sdk.protocol`.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Self

from loyalty_sdk import _member_calls as membership
from loyalty_sdk import _office_calls as office
from loyalty_sdk import _terminal_calls as exchange
from loyalty_sdk._awaiting import AsyncConnection
from loyalty_sdk._blocking import Connection
from loyalty_sdk._central_place import resolve_central
from loyalty_sdk._connection import Settings
from loyalty_sdk._effects import Effects
from loyalty_sdk._flow import RetryPolicy
from loyalty_sdk._methods import (
    AsyncHandle,
    AsyncListing,
    Handle,
    Listing,
    asked,
    awaited,
    listing,
    listing_awaited,
)
from loyalty_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    import httpx

__all__ = ["RETRIES", "TIMEOUT_S", "AsyncCentral", "AsyncListing", "Central", "Listing", "RetryPolicy"]

TIMEOUT_S = 30.0
RETRIES = RetryPolicy(question_attempts_max=4, pause_max_s=5.0, retry_after_max_s=30.0)
"""Nobody stands at a till and waits: questions are asked as often as writes, and longer pauses are kept."""


class Central(Handle):
    """Central, blocking. Threads may share it.

    `url` is `https://central.example.com`; without it LOYALTY_CENTRAL_URL. `token` is an API key (`lk_…`) or a
    terminal's token; without it LOYALTY_CENTRAL_TOKEN. `certificate_authority` names a PEM file where central's
    certificate is of an authority of one's own.

    A call waits `timeout_s` for an answer and is repeated a few times where that is safe: a question, and a write under
    its idempotency key, which the client makes where none is given. `retries` says how often, and how long a pause that
    central asks for is kept. Making a Central connects to nothing.

    A list is asked for page by page while somebody loops over it; `pages()` of it gives the pages with their cursors.

    Every method may raise CentralUnreachable, AccessRefused, ScopeMissing, NotFound, InvalidRequest, Busy and
    CentralFailure; a write also OutcomeUnknown and IdempotencyConflict. Where a write may have happened, the error's
    `idempotency_key` is the one to repeat it under.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        certificate_authority: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: RetryPolicy = RETRIES,
        transport: httpx.BaseTransport | None = None,
        effects: Effects | None = None,
    ) -> None:
        settings = _settings(url, token, certificate_authority, timeout_s, retries, effects)
        self._connection = Connection(settings, transport)

    def close(self) -> None:
        """Close the connection; calls after it raise InvalidRequest."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    health = asked(exchange.health)

    # Members
    members = listing(membership.members)
    search_members = asked(membership.search_members)
    member = asked(membership.member)
    create_member = asked(membership.create_member)
    update_member = asked(membership.update_member)
    add_alias = asked(membership.add_alias)
    remove_alias = asked(membership.remove_alias)
    adjust = asked(membership.adjust)
    write_off = asked(membership.write_off)
    merge_members = asked(membership.merge_members)

    # The ledger of one member
    transfers = listing(membership.transfers)
    member_entries = listing(membership.member_entries)
    decisions = listing(membership.decisions)
    lots = listing(membership.lots)
    member_grants = listing(membership.member_grants)

    # Grants, journals
    grants = listing(office.grants)
    grant = asked(office.grant)
    recall_grant = asked(office.recall_grant)
    entries = listing(office.entries)
    entry = asked(office.entry)
    quarantine = listing(office.quarantine)
    judge_quarantine = asked(office.judge_quarantine)

    # Terminals
    terminals = listing(office.terminals)
    terminal = asked(office.terminal)
    create_terminal = asked(office.create_terminal)
    recall_grants = asked(office.recall_grants)
    revoke_terminal = asked(office.revoke_terminal)

    # The programme
    programmes = listing(office.programmes)
    programme = asked(office.programme)
    activate_programme = asked(office.activate_programme)
    withdraw_programme = asked(office.withdraw_programme)
    validate_programme = asked(office.validate_programme)
    dry_run_programme = asked(office.dry_run_programme)

    # Keys, jobs, totals, the audit trail
    api_keys = listing(office.api_keys)
    create_api_key = asked(office.create_api_key)
    rotate_api_key = asked(office.rotate_api_key)
    revoke_api_key = asked(office.revoke_api_key)
    jobs = listing(office.jobs)
    totals = listing(office.totals)
    audit = listing(office.audit)

    # A terminal's calls
    enrol = asked(exchange.enrol)
    signed_programme = asked(exchange.signed_programme)
    signed_programme_version = asked(exchange.signed_programme_version)
    identify = asked(exchange.identify)
    issue_grant = asked(exchange.issue_grant)
    upload = asked(exchange.upload)
    journal = asked(exchange.journal)
    journal_entries = listing(exchange.journal_entries)
    report_journal = asked(exchange.report_journal)
    changes = asked(exchange.changes)


class AsyncCentral(AsyncHandle):
    """Central on asyncio: everything as with `Central`, awaited; lists are for `async for`.

    It belongs to the event loop of its first call.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        certificate_authority: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: RetryPolicy = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
        effects: Effects | None = None,
    ) -> None:
        settings = _settings(url, token, certificate_authority, timeout_s, retries, effects)
        self._connection = AsyncConnection(settings, transport)

    async def close(self) -> None:
        """Close the connection; calls after it raise InvalidRequest."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    health = awaited(exchange.health)

    # Members
    members = listing_awaited(membership.members)
    search_members = awaited(membership.search_members)
    member = awaited(membership.member)
    create_member = awaited(membership.create_member)
    update_member = awaited(membership.update_member)
    add_alias = awaited(membership.add_alias)
    remove_alias = awaited(membership.remove_alias)
    adjust = awaited(membership.adjust)
    write_off = awaited(membership.write_off)
    merge_members = awaited(membership.merge_members)

    # The ledger of one member
    transfers = listing_awaited(membership.transfers)
    member_entries = listing_awaited(membership.member_entries)
    decisions = listing_awaited(membership.decisions)
    lots = listing_awaited(membership.lots)
    member_grants = listing_awaited(membership.member_grants)

    # Grants, journals
    grants = listing_awaited(office.grants)
    grant = awaited(office.grant)
    recall_grant = awaited(office.recall_grant)
    entries = listing_awaited(office.entries)
    entry = awaited(office.entry)
    quarantine = listing_awaited(office.quarantine)
    judge_quarantine = awaited(office.judge_quarantine)

    # Terminals
    terminals = listing_awaited(office.terminals)
    terminal = awaited(office.terminal)
    create_terminal = awaited(office.create_terminal)
    recall_grants = awaited(office.recall_grants)
    revoke_terminal = awaited(office.revoke_terminal)

    # The programme
    programmes = listing_awaited(office.programmes)
    programme = awaited(office.programme)
    activate_programme = awaited(office.activate_programme)
    withdraw_programme = awaited(office.withdraw_programme)
    validate_programme = awaited(office.validate_programme)
    dry_run_programme = awaited(office.dry_run_programme)

    # Keys, jobs, totals, the audit trail
    api_keys = listing_awaited(office.api_keys)
    create_api_key = awaited(office.create_api_key)
    rotate_api_key = awaited(office.rotate_api_key)
    revoke_api_key = awaited(office.revoke_api_key)
    jobs = listing_awaited(office.jobs)
    totals = listing_awaited(office.totals)
    audit = listing_awaited(office.audit)

    # A terminal's calls
    enrol = awaited(exchange.enrol)
    signed_programme = awaited(exchange.signed_programme)
    signed_programme_version = awaited(exchange.signed_programme_version)
    identify = awaited(exchange.identify)
    issue_grant = awaited(exchange.issue_grant)
    upload = awaited(exchange.upload)
    journal = awaited(exchange.journal)
    journal_entries = listing_awaited(exchange.journal_entries)
    report_journal = awaited(exchange.report_journal)
    changes = awaited(exchange.changes)


def _settings(
    url: str | None,
    token: str | None,
    certificate_authority: str | None,
    timeout_s: float,
    retries: RetryPolicy,
    effects: Effects | None,
) -> Settings:
    if not 0 < timeout_s <= 3_600:
        raise InvalidRequest("timeout_s is a number of seconds above 0 and at most 3600")
    place = resolve_central(url, token, certificate_authority, os.environ)
    return Settings(place=place, timeout_s=timeout_s, retries=retries, effects=effects or Effects())
