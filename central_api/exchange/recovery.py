"""Takes terminals' reports, and so refills a central that was restored from a backup.

What a report brings back: the open grants (taken up with all their points), the revocation of the terminal itself, and
whether what central lacks can still be sent. Entries, closes and releases come back as entries, by upload.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select, update

from central_api.capabilities import Capabilities
from central_api.exchange.claims import begin_and_settle, begin_epoch_on_claim
from central_api.exchange.journals import watermark_of
from central_api.judging.grant_checks import recovered_grant
from central_api.keys import signature_is_valid
from central_api.ledger.books import Books
from central_api.ledger.feed import FeedCursor, entries_judged_again, is_of_another_life, parse_cursor
from central_api.members.decisions import forgive
from central_api.problems import refuse
from central_api.storage.audit import Act, note_act
from central_api.storage.epochs import (
    is_known_epoch,
    is_overridden,
    is_recovering,
    lock_epoch,
    note_report,
    note_returned,
)
from central_api.storage.installation import epoch_of
from central_api.storage.locks import lock_terminal
from central_api.storage.schema import entries, epochs, gaps, grants, journals, meta, recoveries, transfers
from central_api.storage.statements import given, insert_missing, select_row, upsert_rows
from central_api.terminals.terminals import Terminal, revoke_terminal
from loyalty_sdk.codec import CodecError, decode, decode_tolerant, loads
from loyalty_sdk.envelope import document_signing_input
from loyalty_sdk.protocol import (
    REPORT_GRANTS_MAX,
    GrantDocument,
    GrantLeft,
    JournalReport,
    ReportAnswer,
    SignedDocument,
    SignedReport,
)

__all__ = ["JournalPlace", "check_place", "gap_rows", "override_recovery", "receive_report"]

HASH_BYTES = 32
MEMBERLESS = "grant-without-member/"

_GRANT = select(grants.c.grant_id).where(given(grants.c.tenant, grants.c.grant_id))
_NOT_APPLIED = (
    select(entries.c.seq)
    .where(given(entries.c.tenant, entries.c.terminal, entries.c.journal))
    .where(entries.c.seq > bindparam("floor_seq"), entries.c.outcome != "applied")
    .where(or_(entries.c.reason != "duplicate-entry", entries.c.seq > bindparam("recorded_again_seq")))
    .order_by(entries.c.seq)
)

Lost = tuple[GrantDocument, SignedDocument]


def receive_report(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, journal: str, signed: SignedReport
) -> ReportAnswer:
    """Take up what a terminal reports of a journal; the same report again changes nothing. Raises Refused."""
    report = _checked(terminal, journal, signed)
    lock_terminal(connection, terminal.tenant, terminal.terminal)
    watermark, _ = watermark_of(connection, terminal, journal)
    lost = _lost_grants(connection, capabilities, terminal, report.grants)
    cursor = parse_cursor(report.cursor) or FeedCursor()
    beyond = is_of_another_life(connection, terminal.tenant, terminal.terminal, cursor)
    knows_more = beyond or report.acknowledged_seq > watermark or bool(lost)
    if _shows_restore(connection, report, knows_more) and _shows_restore(connection, report, knows_more, lock=True):
        if lost:  # Central signed them: this is proven.
            begin_and_settle(connection, capabilities, f"terminal {terminal.terminal} has grants that central lacks")
        else:
            says = f"knows {report.acknowledged_seq} acknowledged entries of journal {journal}"
            says += f" and change {report.cursor} of its feed" if beyond else ""
            begin_epoch_on_claim(connection, capabilities, terminal, says)
    if report.floor_seq > watermark:
        _record_gap(connection, capabilities, terminal, report, watermark, signed)
    _take_up_grants(connection, capabilities, terminal, lost)
    if report.revoked and terminal.state != "revoked":
        _revoke(connection, capabilities, terminal)
    watermark, watermark_hash = watermark_of(connection, terminal, journal)
    if not report.more:
        note_report(connection, capabilities, terminal.tenant, terminal.terminal, journal, report.acknowledged_seq)
    _tell_not_applied(connection, capabilities, terminal, report)
    note_returned(connection, terminal.tenant, terminal.terminal, journal, watermark)
    return ReportAnswer(
        epoch=epoch_of(connection),
        journal=journal,
        watermark=watermark,
        watermark_hash=watermark_hash.hex(),
        recovering=is_recovering(connection, terminal.tenant),
        grants=_left(connection, capabilities, terminal, report.grants),
        central_time=capabilities.now(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPlace:
    """What a terminal says of its journal while it asks for something else: see ChangesPage."""

    journal: str
    acknowledged: int
    hash: str
    head: int
    grant: str


def check_place(connection: Connection, terminal: Terminal, place: JournalPlace) -> None:
    """Raise Refused: `epoch-changed` where central knows less than it said, `fork` where it holds another life."""
    watermark, watermark_hash = watermark_of(connection, terminal, place.journal)
    if place.acknowledged > watermark:
        raise refuse("epoch-changed", f"central holds {watermark} entries of this journal; report what it acknowledged")
    if place.grant and not _has_grant(connection, terminal, place.grant):
        raise refuse("epoch-changed", "central does not have a grant that it issued; report it")
    differs = place.acknowledged == watermark and place.hash != watermark_hash.hex()
    if differs or place.head < watermark:
        raise refuse("fork", "central holds another life of this journal, on a clone or from before a restore")


def override_recovery(
    connection: Connection, capabilities: Capabilities, tenant: str, name: str | None = None
) -> list[str]:
    """Stop waiting for a terminal, or for all; what members owe only because of the restore is written off.

    Returns the terminals that were still waited for. Raises Refused `not-found`.
    """
    awaited = _awaited(connection, tenant, name)
    if name is not None and not awaited:
        raise refuse("not-found", f"nobody waits for terminal {name}; see: loyalty-central recovery show")
    for terminal in awaited:
        this_terminal = (recoveries.c.tenant == tenant) & (recoveries.c.terminal == terminal)
        connection.execute(update(recoveries).where(this_terminal).values(state="overridden"))
    if awaited and not is_recovering(connection, tenant):
        _forgive(connection, capabilities, tenant)
    return awaited


def gap_rows(connection: Connection, tenant: str) -> list[Row[Any]]:
    """Return what this central lacks for good, by terminal and journal."""
    query = select(gaps).where(gaps.c.tenant == tenant)
    return list(connection.execute(query.order_by(gaps.c.terminal, gaps.c.journal, gaps.c.first_seq)))


def _checked(terminal: Terminal, journal: str, signed: SignedReport) -> JournalReport:
    message = document_signing_input("report", signed.report)
    if not signature_is_valid(terminal.public_key, signed.signature, message):
        raise refuse("access-refused", "the report's signature is not that of the terminal's enrolled key")
    try:
        report = decode_tolerant(JournalReport, loads(signed.report))
        hashes = [bytes.fromhex(report.acknowledged_hash), bytes.fromhex(report.floor_hash)]
    except (CodecError, ValueError) as error:
        raise refuse("invalid-request", f"the report cannot be read: {error}") from None
    if (report.terminal, report.journal) != (terminal.terminal, journal):
        raise refuse("invalid-request", "the report is about another terminal or journal")
    if not 0 <= report.floor_seq <= report.acknowledged_seq <= report.head_seq:
        raise refuse("invalid-request", "the report's floor, acknowledged and head do not follow each other")
    seqs = (report.acknowledged_seq, report.floor_seq)
    if any(len(digest) != (HASH_BYTES if seq else 0) for seq, digest in zip(seqs, hashes, strict=True)):
        raise refuse("invalid-request", "the report lacks a hash")
    if len(report.grants) > REPORT_GRANTS_MAX:
        raise refuse("body-too-large", f"a report holds at most {REPORT_GRANTS_MAX} grants")
    return report


def _shows_restore(connection: Connection, report: JournalReport, knows_more: bool, *, lock: bool = False) -> bool:
    """Whether central once knew more: it acknowledged entries or issued grants in this epoch, or lived in another.

    Looked at again with the epoch locked: another terminal may have shown the same at the same time.
    """
    if lock:
        lock_epoch(connection)
    if not is_known_epoch(connection, report.epoch):
        return True
    return report.epoch == epoch_of(connection) and knows_more


def _tell_not_applied(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, report: JournalReport
) -> None:
    """Tell all that was not applied here: the terminal lists what it heard of an earlier life, and forgets that now.

    With each page of a report, for the terminal may not come to send the last one.
    """
    place = {"tenant": terminal.tenant, "terminal": terminal.terminal, "journal": report.journal}
    known = {"floor_seq": report.floor_seq, "recorded_again_seq": report.recorded_again_seq}
    seqs = connection.execute(_NOT_APPLIED, place | known).scalars()
    found = [(terminal.terminal, f"{report.journal}/{seq}") for seq in seqs]
    entries_judged_again(connection, terminal.tenant, found, capabilities.now())


def _revoke(connection: Connection, capabilities: Capabilities, terminal: Terminal) -> None:
    """Revoke it again, as it says that central did: nobody could have it revoke another."""
    tenant, name = terminal.tenant, terminal.terminal
    revoke_terminal(connection, capabilities, tenant, name)
    note_act(connection, capabilities, tenant, f"terminal:{name}", Act("terminal-revoked", name))


def _record_gap(
    connection: Connection,
    capabilities: Capabilities,
    terminal: Terminal,
    report: JournalReport,
    watermark: int,
    signed: SignedReport,
) -> None:
    """Record that entries are lost, and let the journal go on after them."""
    place = {"tenant": terminal.tenant, "terminal": terminal.terminal, "journal": report.journal}
    now = capabilities.now()
    journal = {
        **place,
        "first_hash": bytes(HASH_BYTES),
        "watermark": report.floor_seq,
        "watermark_hash": bytes.fromhex(report.floor_hash),
        "opened_at": now,
    }
    insert_missing(connection, journals, [journal])
    here = (
        (journals.c.tenant == terminal.tenant)
        & (journals.c.terminal == terminal.terminal)
        & (journals.c.journal == report.journal)
    )
    moved = {name: journal[name] for name in ("watermark", "watermark_hash")}
    connection.execute(update(journals).where(here).values(moved))
    gap = {
        **place,
        "first_seq": watermark + 1,
        "last_seq": report.floor_seq,
        "epoch": epoch_of(connection),
        "recorded_at": now,
        "report": signed.report,
        "signature": signed.signature,
    }
    upsert_rows(connection, gaps, [gap])


def _has_grant(connection: Connection, terminal: Terminal, grant_id: str) -> bool:
    if select_row(connection, _GRANT, {"tenant": terminal.tenant, "grant_id": grant_id}) is not None:
        return True
    return bool(_without_member(connection, terminal, [grant_id]))


def _without_member(connection: Connection, terminal: Terminal, grant_ids: Iterable[str]) -> set[str]:
    """Those grants that are noted as nobody's: their members were registered after the backup."""
    names = {f"{MEMBERLESS}{terminal.tenant}/{grant_id}": grant_id for grant_id in grant_ids}
    query = select(meta.c.name).where(meta.c.name.in_(list(names)))
    return {names[name] for name in connection.execute(query).scalars()} if names else set()


def _lost_grants(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, returned: Sequence[SignedDocument]
) -> list[Lost]:
    """The grants that central signed for this terminal and does not have."""
    documents = {
        document.grant_id: (document, signed)
        for signed in returned
        if capabilities.keys.verify("grant", signed) and (document := _document(signed, terminal)) is not None
    }
    books = Books(connection, terminal.tenant, capabilities.now())
    books.grants.fetch(documents)
    missing = {grant_id: pair for grant_id, pair in documents.items() if books.grants.get(grant_id) is None}
    nobodys = _without_member(connection, terminal, missing)
    return [pair for grant_id, pair in missing.items() if grant_id not in nobodys]


def _take_up_grants(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, lost: Sequence[Lost]
) -> None:
    books = Books(connection, terminal.tenant, capabilities.now())
    books.accounts.fetch(sorted({document.member_id for document, _ in lost}))
    owing = not is_overridden(connection, terminal.tenant, terminal.terminal)
    for document, signed in lost:
        if books.accounts.get(document.member_id) is None:
            # Nothing can be set aside for nobody; noted, so that it does not show the same restore again and again.
            name = f"{MEMBERLESS}{terminal.tenant}/{document.grant_id}"
            insert_missing(connection, meta, [{"name": name, "value": terminal.terminal}])
            continue
        recovered_grant(books, document, signed, books.recorded_at, owing=owing)
        books.wants(document.member_id, terminal.terminal)
    books.write()


def _document(signed: SignedDocument, terminal: Terminal) -> GrantDocument | None:
    try:
        document = decode(GrantDocument, loads(signed.document))
    except CodecError:
        return None
    ours = (document.tenant, document.terminal) == (terminal.tenant, terminal.terminal)
    return document if ours and document.points >= 1 else None


def _left(
    connection: Connection, capabilities: Capabilities, terminal: Terminal, returned: Sequence[SignedDocument]
) -> tuple[GrantLeft, ...]:
    """Of the report's grants those that are open, with what is still set aside of them."""
    books = Books(connection, terminal.tenant, capabilities.now())
    ids = [document.grant_id for signed in returned if (document := _document(signed, terminal)) is not None]
    books.grants.fetch(ids)
    found = (books.grants.get(grant_id) for grant_id in ids)
    return tuple(
        GrantLeft(grant_id=grant.grant_id, points=grant.reserved)
        for grant in found
        if grant is not None and grant.state == "open" and grant.terminal == terminal.terminal
    )


def _awaited(connection: Connection, tenant: str, name: str | None) -> list[str]:
    query = select(recoveries.c.terminal).where(
        recoveries.c.tenant == tenant, recoveries.c.state.in_(("waiting", "returning"))
    )
    if name is not None:
        query = query.where(recoveries.c.terminal == name)
    return list(connection.execute(query.order_by(recoveries.c.terminal)).scalars())


def _forgive(connection: Connection, capabilities: Capabilities, tenant: str) -> None:
    """Write off what members owe because grants came back without the points that they were issued from."""
    epoch = epoch_of(connection)
    began_at = select(epochs.c.began_at).where(epochs.c.epoch == epoch).scalar_subquery()
    query = (
        select(transfers.c.member_id, func.sum(transfers.c.points).label("points"))
        .where(
            transfers.c.tenant == tenant,
            transfers.c.reason == "grant-recovered",
            transfers.c.from_account == "owed",
            transfers.c.recorded_at >= began_at,
        )
        .group_by(transfers.c.member_id)
        .order_by(transfers.c.member_id)
    )
    owing = {row.member_id: int(row.points) for row in connection.execute(query)}
    books = Books(connection, tenant, capabilities.now())
    books.accounts.fetch(owing)
    for member_id, points in owing.items():
        name = f"override/{epoch}/{member_id}"
        forgive(books, member_id, points, decision_id=name, reason="recovery-overridden", actor="loyalty-central")
    books.write()
