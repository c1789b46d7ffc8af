"""Is a grant that an entry uses one that central signed for this member at this terminal? Checks; spends nothing."""

from __future__ import annotations

from central_api.matter import Matter
from central_api.records import Grant, Unfit
from loyalty_sdk.codec import CodecError, decode, loads
from loyalty_sdk.envelope import GrantUse
from loyalty_sdk.protocol import GrantDocument, SignedDocument

__all__ = ["checked_grant"]


def checked_grant(matter: Matter, use: GrantUse, member_id: str) -> Grant:
    """Return the grant. Raises Unfit for one that is forged, somebody else's, or used for no points.

    A grant that central signed but no longer has (it was restored from a backup) is taken from the entry.
    """
    if use.points < 1:
        raise Unfit("quarantined", "grants-differ")
    grant = matter.books.grants.get(use.grant_id)
    if grant is None or (grant.document, grant.key_id, grant.signature) != (use.document, use.key_id, use.signature):
        document = _verified(matter, use)
    else:
        document = decode(GrantDocument, loads(grant.document))
    expected = (use.grant_id, matter.books.tenant, matter.entry.terminal, member_id)
    if (document.grant_id, document.tenant, document.terminal, document.member_id) != expected:
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
    """Set the points aside again as far as they are there; what is missing shows as an overdraft when it is spent.

    Its redemption id may have been asked for again since the restore, and then belongs to the newer grant.
    """
    account = matter.account(document.member_id)
    points = min(document.points, account.available)
    grant = Grant(
        grant_id=document.grant_id,
        member_id=document.member_id,
        terminal=document.terminal,
        points=points,
        not_after=document.not_after,
        document=use.document,
        key_id=use.key_id,
        signature=use.signature,
        issued_at=matter.books.recorded_at,
    )
    matter.books.grant_changed(grant)
    movements = account.reserve(grant.terminal, points)
    # Booked under the grant, as it was when it was issued: it stays recovered whatever becomes of this entry.
    matter.books.book(
        grant.member_id,
        movements,
        terminal=grant.terminal,
        effective_at=matter.effective_at,
        reason="grant-recovered",
        grant_id=grant.grant_id,
    )
    return grant
