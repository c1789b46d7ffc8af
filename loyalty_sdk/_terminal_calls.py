"""A terminal's calls to central as data, for who writes an agent of another kind. See docs/protocol.md. No I/O."""

from __future__ import annotations

from dataclasses import replace

from loyalty_sdk._central_calls import Pages, ask
from loyalty_sdk._checked import checked
from loyalty_sdk._flow import Call
from loyalty_sdk.protocol import (
    ChangesPage,
    EnrolmentAnswer,
    EnrolmentRequest,
    EntryPage,
    EntryRecord,
    GrantRequest,
    Health,
    IdentifyRequest,
    JournalView,
    MemberAnswer,
    ReportAnswer,
    SignedDocument,
    SignedReport,
    UploadAnswer,
    UploadHeaders,
)

__all__ = [
    "changes",
    "enrol",
    "health",
    "identify",
    "issue_grant",
    "journal",
    "journal_entries",
    "report_journal",
    "signed_programme",
    "signed_programme_version",
    "upload",
]

PAGE_MAX = 500


@checked
def health() -> Call[Health]:
    """Return that central is there, and since which epoch. Needs no token."""
    return ask("health", Health, public=True)


@checked
def enrol(code: str, public_key: bytes, agent_version: str) -> Call[EnrolmentAnswer]:
    """Use up a one-time code and return the terminal's identity and token. Needs no token.

    `public_key` is the terminal's Ed25519 key in 32 raw bytes. Raises CodeInvalid.
    """
    request = EnrolmentRequest(code=code, public_key=public_key, agent_version=agent_version)
    return ask("enrol", EnrolmentAnswer, body=request, effect="keyed", public=True)


@checked
def signed_programme() -> Call[SignedDocument]:
    """Return the programme in force, as central signed it. Raises NotFound where there is none."""
    return ask("signed_programme", SignedDocument)


@checked
def signed_programme_version(version: int) -> Call[SignedDocument]:
    """Return one version of the programme, as central signed it. Raises NotFound."""
    return ask("signed_programme_version", SignedDocument, path={"version": str(version)})


@checked
def identify(alias: str, journal: str, *, grant_ahead: bool = True) -> Call[MemberAnswer]:
    """Return who an alias belongs to; with `grant_ahead`, points are set aside for redeeming offline.

    Raises AliasUnknown and TerminalRevoked.
    """
    request = IdentifyRequest(alias=alias, journal=journal, grant_ahead=grant_ahead)
    return ask("identify", MemberAnswer, body=request, effect="keyed")


@checked
def issue_grant(
    redemption_id: str, member_id: str, journal: str, points: int, points_min: int | None = None
) -> Call[MemberAnswer]:
    """Set `points` aside for one redemption, or as many as there are from `points_min` on; once for each redemption.

    Raises InsufficientPoints, Recovering, TerminalRevoked and Conflict.
    """
    request = GrantRequest(
        redemption_id=redemption_id,
        member_id=member_id,
        journal=journal,
        points=points,
        points_min=points if points_min is None else points_min,
    )
    return ask("issue_grant", MemberAnswer, body=request, effect="keyed")


@checked
def upload(journal: str, headers: UploadHeaders, body: bytes) -> Call[UploadAnswer]:
    """Send entries of a journal (`loyalty_sdk.protocol.join_upload`) and return how far central holds it.

    Raises Fork, EpochChanged and BodyTooLarge.
    """
    call = ask("upload", UploadAnswer, path={"journal": journal}, effect="keyed")
    return replace(call, body=body, media_type="application/x-ndjson", headers=headers.to_headers())


@checked
def journal(journal: str) -> Call[JournalView]:
    """Return how far central holds a journal of this terminal."""
    return ask("journal", JournalView, path={"journal": journal})


@checked
def journal_entries(journal: str, *, after: int = 0, limit: int = PAGE_MAX) -> Pages[EntryRecord, EntryPage]:
    """List the entries of a journal after a seq, in its order, with their hashes and outcomes."""
    query = {"after": after, "limit": limit}
    call = ask("journal_entries", EntryPage, path={"journal": journal}, query=query)
    return Pages(call=call, items=lambda page: page.entries, following=_after_last)


def _after_last(page: EntryPage) -> dict[str, str] | None:
    return {"after": str(page.entries[-1].seq)} if page.more and page.entries else None


@checked
def report_journal(journal: str, report: SignedReport) -> Call[ReportAnswer]:
    """Report what the terminal knows of its journal, after central or the terminal was restored."""
    return ask("report_journal", ReportAnswer, path={"journal": journal}, body=report, effect="keyed")


@checked
def changes(
    journal: str,
    cursor: str = "",
    *,
    limit: int = PAGE_MAX,
    acknowledged: int = 0,
    hash: str = "",
    head: int | None = None,
    grant: str = "",
) -> Call[ChangesPage]:
    """Return what changed for this terminal since a cursor; store the page before going on with its cursor.

    `acknowledged`, `hash`, `head` and `grant` say where the terminal is, as docs/protocol.md has it. Raises
    EpochChanged, Fork and TerminalRevoked.
    """
    place = {"acknowledged": acknowledged or None, "hash": hash, "head": head, "grant": grant}
    return ask("changes", ChangesPage, query={"journal": journal, "cursor": cursor, "limit": limit, **place})
