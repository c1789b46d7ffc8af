"""Is a grant that an entry uses one that central signed for this member at this terminal? Checks; spends nothing."""

from __future__ import annotations

from datetime import datetime

from central_api.judging.matter import Matter
from central_api.ledger.books import Books
from central_api.ledger.fold import Debit
from central_api.ledger.records import Grant, Unfit
from central_api.storage.epochs import is_overridden
from loyalty_sdk.codec import CodecError, decode, loads
from loyalty_sdk.envelope import GrantUse
from loyalty_sdk.ids import time_of_uuid7
from loyalty_sdk.protocol import GrantDocument, SignedDocument

__all__ = ["checked_grant", "recovered_grant"]


def checked_grant(matter: Matter, use: GrantUse, member_id: str, *, points_min: int = 1) -> Grant:
    """Return the grant. Raises Unfit for one that is forged, somebody else's, or used for too few points.

    A grant that central signed but no longer has (it was restored from a backup) is taken from the entry.
    """
    if use.points < points_min:
        raise Unfit("quarantined", "grants-differ")
    grant = matter.books.grants.get(use.grant_id)
    if grant is None or (grant.document, grant.key_id, grant.signature) != (use.document, use.key_id, use.signature):
        document = _verified(matter, use)
    else:
        document = decode(GrantDocument, loads(grant.document))
    accounts = matter.books.accounts
    expected = (use.grant_id, matter.books.tenant, matter.entry.terminal, accounts.member_of(member_id))
    member_id = accounts.member_of(document.member_id)
    if (document.grant_id, document.tenant, document.terminal, member_id) != expected:
        raise Unfit("quarantined", "grant-misplaced")
    return grant if grant is not None else _taken_from_entry(matter, use, document)


def _verified(matter: Matter, use: GrantUse) -> GrantDocument:
    signed = SignedDocument(document=use.document, key_id=use.key_id, signature=use.signature)
    if not matter.keys.verify("grant", signed):
        raise Unfit("quarantined", "grant-signature-wrong")
    try:
        return decode(GrantDocument, loads(use.document))
    except CodecError:
        raise Unfit("quarantined", "grant-unreadable") from None


def _taken_from_entry(matter: Matter, use: GrantUse, document: GrantDocument) -> Grant:
    signed = SignedDocument(document=use.document, key_id=use.key_id, signature=use.signature)
    matter.account(document.member_id)
    owing = not is_overridden(matter.books.connection, matter.books.tenant, document.terminal)
    return recovered_grant(matter.books, document, signed, matter.effective_at, owing=owing)


def recovered_grant(
    books: Books, document: GrantDocument, signed: SignedDocument, effective_at: datetime, *, owing: bool
) -> Grant:
    """Set aside again the points of a grant that central signed and no longer has.

    `owing` takes them all, the member owing what is missing until it is returned. Without, where a person chose not to
    wait, they may have been granted anew: only what is there is taken, and spending more is central's loss. Its
    redemption id may have been asked for again since the restore, and then belongs to the newer grant.
    """
    member_id = books.accounts.member_of(document.member_id)
    account = books.accounts.get(member_id)
    if account is None:
        raise ValueError("a grant is recovered for a member who exists")
    points = document.points if owing else min(document.points, account.available)
    grant = Grant(
        grant_id=document.grant_id,
        member_id=member_id,
        terminal=document.terminal,
        points=points,
        not_after=document.not_after,
        document=signed.document,
        key_id=signed.key_id,
        signature=signed.signature,
        issued_at=_issued_at(document, books.recorded_at),
    )
    books.grant_changed(grant)
    books.accounts.take(member_id, Debit(grant.grant_id, points, grant.issued_at), "grant")
    # Booked under the grant, as it was when it was issued: it stays recovered whatever becomes of its entry.
    books.book(
        grant.member_id,
        account.recover(grant.terminal, points),
        terminal=grant.terminal,
        effective_at=effective_at,
        reason="grant-recovered",
        grant_id=grant.grant_id,
    )
    return grant


def _issued_at(document: GrantDocument, now: datetime) -> datetime:
    """When central issued a grant that it no longer has: its id says so, whoever brings it back first."""
    return min(time_of_uuid7(document.grant_id) or now, now)
