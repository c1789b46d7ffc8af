"""The back office's other calls as data: grants, journals, terminals, the programme, keys, jobs, totals. No I/O.

They become methods as those of `_member_calls` do, and their writes carry keys in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from loyalty_sdk._central_calls import Pages, ask, listed, write
from loyalty_sdk._checked import checked
from loyalty_sdk._flow import Call
from loyalty_sdk._member_calls import member_id_of
from loyalty_sdk.errors import InvalidRequest
from loyalty_sdk.office import (
    LIMIT_DEFAULT,
    ActList,
    ActView,
    DryRunReport,
    DryRunRequest,
    EntryList,
    EntryView,
    GrantList,
    GrantsRecalled,
    GrantState,
    GrantView,
    JobList,
    JobView,
    KeyList,
    KeyRequest,
    KeyRotation,
    KeySecret,
    KeyView,
    MemberView,
    ProgrammeCandidate,
    ProgrammeCheck,
    ProgrammeList,
    ProgrammeRequest,
    ProgrammeView,
    QuarantineJudged,
    QuarantineRequest,
    Scope,
    TerminalCode,
    TerminalList,
    TerminalRequest,
    TerminalView,
    TotalList,
    TotalView,
)
from loyalty_sdk.protocol import Outcome

__all__ = [
    "activate_programme",
    "api_keys",
    "audit",
    "create_api_key",
    "create_terminal",
    "dry_run_programme",
    "entries",
    "entry",
    "grant",
    "grants",
    "jobs",
    "judge_quarantine",
    "programme",
    "programmes",
    "quarantine",
    "recall_grant",
    "recall_grants",
    "revoke_api_key",
    "revoke_terminal",
    "rotate_api_key",
    "terminal",
    "terminals",
    "totals",
    "validate_programme",
    "withdraw_programme",
]


# Grants, journals


@checked
def grants(
    *,
    member: MemberView | str = "",
    terminal: TerminalView | str = "",
    state: GrantState | None = None,
    limit: int = LIMIT_DEFAULT,
    cursor: str = "",
) -> Pages[GrantView, GrantList]:
    """List grants in the order of their issue: all, or those of a member, at a terminal, or in a state."""
    query = {
        "member_id": member_id_of(member),
        "terminal": _terminal_name(terminal),
        "state": state,
        "limit": limit,
        "cursor": cursor,
    }
    return listed(ask("grants", GrantList, query=query), lambda page: page.items)


@checked
def grant(grant: GrantView | str) -> Call[GrantView]:
    """Return a grant by id. Raises NotFound."""
    return ask("grant", GrantView, path={"grant_id": _grant_id(grant)})


@checked
def recall_grant(grant: GrantView | str, *, idempotency_key: str | None = None) -> Call[GrantView]:
    """Want a grant back: its terminal closes it when it hears of that. Raises NotFound and Conflict."""
    return write("recall_grant", GrantView, None, idempotency_key, path={"grant_id": _grant_id(grant)})


@checked
def entries(
    *,
    terminal: TerminalView | str = "",
    journal: str = "",
    member: MemberView | str = "",
    outcome: Outcome | None = None,
    limit: int = LIMIT_DEFAULT,
    cursor: str = "",
) -> Pages[EntryView, EntryList]:
    """List journal entries in the order of their effect: all, or those of a terminal, journal, member or outcome."""
    query = {
        "terminal": _terminal_name(terminal),
        "journal": journal,
        "member_id": member_id_of(member),
        "outcome": outcome,
        "limit": limit,
        "cursor": cursor,
    }
    return listed(ask("entries", EntryList, query=query), lambda page: page.items)


@checked
def entry(entry: EntryView | str) -> Call[EntryView]:
    """Return an entry by id, with its exact bytes in `data`. Raises NotFound."""
    return ask("entry", EntryView, path={"entry_id": _entry_id(entry)})


@checked
def quarantine(*, limit: int = LIMIT_DEFAULT, cursor: str = "") -> Pages[EntryView, EntryList]:
    """List the entries that central could not judge."""
    return listed(ask("quarantine", EntryList, query={"limit": limit, "cursor": cursor}), lambda page: page.items)


@checked
def judge_quarantine(
    entries: Sequence[EntryView | str] = (),
    *,
    all: bool = False,
    cursor: str | None = None,
    idempotency_key: str | None = None,
) -> Call[QuarantineJudged]:
    """Judge quarantined entries anew: these, or `all`, at most 200 at a time; go on with the answer's `next_cursor`."""
    request = QuarantineRequest(entries=tuple(_entry_id(one) for one in entries), all=all, cursor=cursor)
    return write("judge_quarantine", QuarantineJudged, request, idempotency_key)


# Terminals


@checked
def terminals(*, limit: int = LIMIT_DEFAULT, cursor: str = "") -> Pages[TerminalView, TerminalList]:
    """List the terminals by name, with how far each has delivered and what is set aside there."""
    return listed(ask("terminals", TerminalList, query={"limit": limit, "cursor": cursor}), lambda page: page.items)


@checked
def terminal(terminal: TerminalView | str) -> Call[TerminalView]:
    """Return a terminal by name, with its journals. Raises NotFound."""
    return ask("terminal", TerminalView, path={"terminal": _terminal_name(terminal)})


@checked
def create_terminal(terminal: TerminalView | str, *, idempotency_key: str | None = None) -> Call[TerminalCode]:
    """Make a terminal and return its one-time code, or a new code for one that is new or revoked. Raises Conflict."""
    request = TerminalRequest(terminal=_terminal_name(terminal))
    return write("create_terminal", TerminalCode, request, idempotency_key)


@checked
def recall_grants(terminal: TerminalView | str, *, idempotency_key: str | None = None) -> Call[GrantsRecalled]:
    """Want every open grant of a terminal back. Raises NotFound."""
    path = {"terminal": _terminal_name(terminal)}
    return write("recall_grants", GrantsRecalled, None, idempotency_key, path=path)


@checked
def revoke_terminal(terminal: TerminalView | str, *, idempotency_key: str | None = None) -> Call[TerminalView]:
    """Let a terminal do nothing but upload from now on, and want its grants back. Raises NotFound."""
    path = {"terminal": _terminal_name(terminal)}
    return write("revoke_terminal", TerminalView, None, idempotency_key, path=path)


# The programme


@checked
def programmes(*, limit: int = LIMIT_DEFAULT, cursor: str = "") -> Pages[ProgrammeView, ProgrammeList]:
    """List the versions of the programme, the newest first."""
    return listed(ask("programmes", ProgrammeList, query={"limit": limit, "cursor": cursor}), lambda page: page.items)


@checked
def programme(version: ProgrammeView | int, *, known: ProgrammeView | None = None) -> Call[ProgrammeView]:
    """Return a version with its signed document; `known` comes back where nothing has changed. Raises NotFound."""
    number = _version(version)
    if known is not None and known.version != number:
        raise InvalidRequest(f"known is version {known.version}, not {number}; leave it out")
    path = {"version": str(number)}
    return ask("programme", ProgrammeView, path=path, known=known, known_etag=known.etag if known else "")


@checked
def activate_programme(
    document: str, *, in_force_at: datetime | None = None, idempotency_key: str | None = None
) -> Call[ProgrammeView]:
    """Check, sign and keep a programme document: in force at once, or at a date. Raises ProgrammeInvalid, Conflict.

    The error's `extra["findings"]` holds everything that is wrong, as `validate_programme` tells it.
    """
    request = ProgrammeRequest(document=document, in_force_at=in_force_at)
    return write("activate_programme", ProgrammeView, request, idempotency_key)


@checked
def withdraw_programme(version: ProgrammeView | int, *, idempotency_key: str | None = None) -> Call[ProgrammeView]:
    """Let a version that waits for its date never come into force. Raises NotFound, and Conflict where it is."""
    path = {"version": str(_version(version))}
    return write("withdraw_programme", ProgrammeView, None, idempotency_key, path=path)


@checked
def validate_programme(document: str) -> Call[ProgrammeCheck]:
    """Return whether a programme document could be activated, and everything that is wrong with it and where."""
    return ask("validate_programme", ProgrammeCheck, body=ProgrammeCandidate(document=document))


@checked
def dry_run_programme(document: str, *, days: int = 30) -> Call[DryRunReport]:
    """Return what the sales of the last `days` (1 to 366) would have earned by a document. Raises ProgrammeInvalid."""
    return ask("dry_run_programme", DryRunReport, body=DryRunRequest(document=document, days=days))


# Keys, jobs, totals, the audit trail


@checked
def api_keys(*, limit: int = LIMIT_DEFAULT, cursor: str = "") -> Pages[KeyView, KeyList]:
    """List the API keys, without their secrets, in the order in which they were made."""
    return listed(ask("api_keys", KeyList, query={"limit": limit, "cursor": cursor}), lambda page: page.items)


@checked
def create_api_key(name: str, scope: Scope, *, idempotency_key: str | None = None) -> Call[KeySecret]:
    """Make an API key; its secret is told once and kept nowhere."""
    return write("create_api_key", KeySecret, KeyRequest(name=name, scope=scope), idempotency_key)


@checked
def rotate_api_key(key: KeyView | str, *, hours: int = 24, idempotency_key: str | None = None) -> Call[KeySecret]:
    """Make a key of the same name and scope; the old one ends after `hours` (0 to 720). Raises NotFound."""
    path = {"key_id": _key_id(key)}
    return write("rotate_api_key", KeySecret, KeyRotation(hours=hours), idempotency_key, path=path)


@checked
def revoke_api_key(key: KeyView | str, *, idempotency_key: str | None = None) -> Call[KeyView]:
    """End an API key at once. Raises NotFound."""
    return write("revoke_api_key", KeyView, None, idempotency_key, path={"key_id": _key_id(key)})


@checked
def jobs() -> Pages[JobView, JobList]:
    """List central's jobs by name, with when each last ran and what it did."""
    return listed(ask("jobs", JobList), lambda page: page.items)


@checked
def totals(
    *, first: date | None = None, last: date | None = None, limit: int = LIMIT_DEFAULT, cursor: str = ""
) -> Pages[TotalView, TotalList]:
    """List the whole programme's points by day (UTC) and accounts, from `first` to `last`, both included.

    Without `last` up to today, without `first` 30 days of them.
    """
    query = {"from": first, "to": last, "limit": limit, "cursor": cursor}
    return listed(ask("totals", TotalList, query=query), lambda page: page.items)


@checked
def audit(*, limit: int = LIMIT_DEFAULT, cursor: str = "") -> Pages[ActView, ActList]:
    """List who did what to terminals, keys, the programme and grants, the newest first."""
    return listed(ask("audit", ActList, query={"limit": limit, "cursor": cursor}), lambda page: page.items)


def _terminal_name(terminal: TerminalView | str) -> str:
    return terminal.terminal if isinstance(terminal, TerminalView) else terminal


def _grant_id(grant: GrantView | str) -> str:
    return grant.grant_id if isinstance(grant, GrantView) else grant


def _entry_id(entry: EntryView | str) -> str:
    return entry.entry_id if isinstance(entry, EntryView) else entry


def _version(version: ProgrammeView | int) -> int:
    return version.version if isinstance(version, ProgrammeView) else version


def _key_id(key: KeyView | str) -> str:
    return key.key_id if isinstance(key, KeyView) else key
