"""Issues grants: points moved from available to reserved and signed for one terminal. How they are spent is judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, select

from central_api.capabilities import Capabilities
from central_api.ledger.books import GRANT_COLUMNS, Books
from central_api.ledger.feed import grant_issued
from central_api.ledger.fold import Debit
from central_api.ledger.records import Grant
from central_api.members.members import member_of_alias, note_interest
from central_api.members.snapshots import snapshots_for
from central_api.problems import Problem, refuse
from central_api.programmes.versions import programme_in_force
from central_api.storage.epochs import is_recovering
from central_api.storage.schema import grants
from central_api.storage.statements import given, select_row, select_rows
from central_api.terminals.terminals import Terminal, keep_from_revoking, recall_grants
from loyalty_sdk.codec import dumps
from loyalty_sdk.programme import OfflineCaps
from loyalty_sdk.protocol import GrantDocument, GrantRequest, IdentifyRequest, MemberAnswer, SignedDocument

__all__ = ["identify_member", "issue_exact_grant", "open_grants"]

_OPEN = (
    select(*(grants.c[name] for name in GRANT_COLUMNS))
    .where(given(grants.c.tenant, grants.c.member_id, grants.c.terminal), grants.c.state == "open")
    .order_by(grants.c.issued_at, grants.c.grant_id)
)
_OF_REDEMPTION = select(grants.c.terminal, grants.c.member_id, grants.c.points_wanted).where(
    given(grants.c.tenant, grants.c.redemption_id)
)


def identify_member(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, request: IdentifyRequest
) -> MemberAnswer:
    """Find a member by alias and set points aside for redeeming offline. Raises Refused `alias-unknown`."""
    member_id = member_of_alias(connection, capabilities, terminal.tenant, request.alias)
    if member_id is None:
        raise refuse("alias-unknown", "no member has this card, code or number; register it, or go on without")
    note_interest(connection, terminal, member_id)
    found = open_grants(connection, terminal, member_id)
    granting = request.grant_ahead and not is_recovering(connection, terminal.tenant)
    if granting and _grant_ahead(connection, capabilities, terminal, member_id, found):
        found = open_grants(connection, terminal, member_id)
    return _answer(connection, capabilities, terminal, request.journal, member_id, found)


def issue_exact_grant(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, request: GrantRequest
) -> MemberAnswer | Problem:
    """Set points aside for one redemption; the same redemption asked again gets the same grant.

    Returns the problem `insufficient-points`, with the member's grants elsewhere recalled, which is to be kept. Raises
    Refused: `not-found`, `invalid-request`, `recovering` after a restore, `terminal-revoked`, or `conflict` for a
    redemption id that was used for something else.
    """
    if not 1 <= request.points_min <= request.points or not 0 < len(request.redemption_id) <= 64:
        raise refuse("invalid-request", "points_min must be from 1 to points, and redemption_id a UUID")
    keep_from_revoking(connection, terminal)
    books = Books(connection, terminal.tenant, capabilities.now())
    account = books.accounts.get(request.member_id)
    if account is None:
        raise refuse("not-found", "central has no such member; identify the member again")
    note_interest(connection, terminal, request.member_id)
    if not _issued_before(connection, terminal, request):
        _check_not_recovering(connection, terminal)
        points = min(request.points, account.available)
        if points < request.points_min:
            recall_grants(connection, capabilities, terminal.tenant, member_id=request.member_id, but=terminal.terminal)
            detail = (
                f"{request.points_min} points are needed and {account.available} are available; points set aside at "
            )
            return Problem(name="insufficient-points", detail=detail + "other tills were asked back")
        _issue(
            connection,
            books,
            capabilities,
            terminal,
            _caps(connection, capabilities, terminal),
            request.member_id,
            points,
            request,
        )
        books.write()
    found = open_grants(connection, terminal, request.member_id)
    return _answer(connection, capabilities, terminal, request.journal, request.member_id, found)


def _check_not_recovering(connection: Connection, terminal: Terminal) -> None:
    """What another till holds of the member's points may not be known here again yet."""
    if is_recovering(connection, terminal.tenant):
        raise refuse(
            "recovering",
            "central was restored from a backup and grants nothing until every till has reported; "
            "see: loyalty-central recovery show",
        )


def open_grants(connection: Connection, terminal: Terminal, member_id: str) -> list[Grant]:
    """Return the grants of a member that are open at this terminal, oldest first."""
    values = {"tenant": terminal.tenant, "member_id": member_id, "terminal": terminal.terminal}
    return [Grant(**row._asdict()) for row in select_rows(connection, _OPEN, values)]


def _grant_ahead(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, member_id: str, found: Sequence[Grant]
) -> bool:
    """Fill up what lies ahead at this terminal to the programme's cap, as far as the member's points go.

    Returns whether there was anything to give.
    """
    caps = _caps(connection, capabilities, terminal)
    missing = caps.grant_ahead_points_max - _free_ahead(capabilities, found)
    if missing < 1:
        return False
    keep_from_revoking(connection, terminal)
    books = Books(connection, terminal.tenant, capabilities.now())
    account = books.accounts.get(member_id)
    points = min(missing, account.available) if account is not None else 0
    if points < 1:
        return False
    _issue(connection, books, capabilities, terminal, caps, member_id, points, None)
    books.write()
    return True


def _free_ahead(capabilities: Capabilities, found: Sequence[Grant]) -> int:
    now = capabilities.now()
    ahead = (grant for grant in found if grant.redemption_id is None and not grant.recalled and grant.not_after > now)
    return sum(grant.reserved for grant in ahead)


def _issued_before(connection: Connection, terminal: Terminal, request: GrantRequest) -> bool:
    values = {"tenant": terminal.tenant, "redemption_id": request.redemption_id}
    row = select_row(connection, _OF_REDEMPTION, values)
    if row is None:
        return False
    # points_min is left out: what else lies at the terminal may have changed between a lost answer and the retry.
    issued = (row.terminal, row.member_id, row.points_wanted)
    if issued != (terminal.terminal, request.member_id, request.points):
        raise refuse("conflict", "the redemption id was used for another grant; make a new one for each redemption")
    return True


def _issue(
    connection: Connection,
    books: Books,
    capabilities: Capabilities,
    terminal: Terminal,
    caps: OfflineCaps,
    member_id: str,
    points: int,
    request: GrantRequest | None,
) -> None:
    now = capabilities.now()
    document = GrantDocument(
        format="loyalty-grant-1",
        grant_id=capabilities.new_id(),
        tenant=terminal.tenant,
        terminal=terminal.terminal,
        member_id=member_id,
        points=points,
        not_after=now + timedelta(hours=caps.grant_hours),
        redemption_id=request.redemption_id if request is not None else None,
    )
    signed = capabilities.keys.sign("grant", dumps(document).decode())
    grant = Grant(
        grant_id=document.grant_id,
        member_id=member_id,
        terminal=terminal.terminal,
        points=points,
        not_after=document.not_after,
        document=signed.document,
        key_id=signed.key_id,
        signature=signed.signature,
        issued_at=now,
        redemption_id=document.redemption_id,
        points_wanted=request.points if request is not None else None,
    )
    books.grant_changed(grant)
    grant_issued(connection, terminal.tenant, terminal.terminal, grant.grant_id, now)
    account = books.accounts.get(member_id)
    if account is None:
        raise ValueError("a grant is issued to a member who exists")
    movements = account.reserve(terminal.terminal, points)
    books.accounts.take(member_id, Debit(grant.grant_id, points, now), "grant")
    books.book(
        member_id,
        movements,
        terminal=terminal.terminal,
        effective_at=now,
        reason="grant-exact" if request is not None else "grant-ahead",
        grant_id=grant.grant_id,
    )


def _caps(connection: Connection, capabilities: Capabilities, terminal: Terminal) -> OfflineCaps:
    programme = programme_in_force(connection, terminal.tenant, capabilities.now())
    return OfflineCaps() if programme is None else programme.offline


def _answer(
    connection: Connection,
    capabilities: Capabilities,
    terminal: Terminal,
    journal: str,
    member_id: str,
    found: Sequence[Grant],
) -> MemberAnswer:
    (snapshot,) = snapshots_for(connection, capabilities, terminal, journal, (member_id,))
    signed = (
        SignedDocument(document=grant.document, key_id=grant.key_id, signature=grant.signature) for grant in found
    )
    return MemberAnswer(snapshot=snapshot, grants=tuple(signed), central_time=capabilities.now())
