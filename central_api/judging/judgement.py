"""What central makes of an authentic entry: applied, held, rejected or quarantined (Law 6). Writes only through Books.

A kind of entry has its own function; it raises `Unfit` before it books anything, or books and returns the points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from central_api.judging.grants import judge_grant_closed, judge_release
from central_api.judging.matter import Matter
from central_api.judging.reversals import judge_reversal
from central_api.judging.sales import give_back_of_rejected, judge_sale
from central_api.keys import KeyRing
from central_api.ledger.books import Books
from central_api.ledger.records import EntryRow, Unfit, Verdict
from loyalty_sdk.envelope import Entry, EntryKind

__all__ = ["judge", "judge_new"]


def judge_new(books: Books, keys: KeyRing, row: EntryRow) -> Verdict:
    """Judge an entry that has just arrived: what cannot be read or stands elsewhere is not judged further.

    One that was quarantined is judged anew in the same way; the receipt key that it had is still its own.
    """
    if row.is_duplicate:
        return Verdict(outcome="rejected", reason="duplicate-entry")
    if row.unfit or row.entry is None:
        return Verdict(outcome="quarantined", reason=row.unfit)
    if (verdict := _claim_receipt(books, keys, row, row.entry)) is not None:
        return verdict
    books.entries.put(row.entry.id, row.entry)
    return judge(books, keys, row)


def _claim_receipt(books: Books, keys: KeyRing, row: EntryRow, entry: Entry) -> Verdict | None:
    """Give the entry its receipt key for ever; the verdict of an entry whose key another one has."""
    key = entry.receipt_key
    if key is None or entry.kind not in ("sale", "reversal"):
        return None
    earlier = books.receipts.get(key)
    if earlier is None:
        books.claim_receipt(key, entry.id)
    if earlier in (None, entry.id):
        return None
    give_back_of_rejected(_matter(books, keys, row, entry), earlier)
    return Verdict(outcome="rejected", reason="duplicate-receipt")


def judge(books: Books, keys: KeyRing, row: EntryRow) -> Verdict:
    """Judge an entry that can be read, for the first time or again."""
    if row.entry is None:
        raise ValueError("only an entry that can be read is judged")
    try:
        return _JUDGES[row.entry.kind](_matter(books, keys, row, row.entry))
    except Unfit as unfit:
        return unfit.verdict


def _matter(books: Books, keys: KeyRing, row: EntryRow, entry: Entry) -> Matter:
    return Matter(books=books, keys=keys, entry=entry, effective_at=row.effective_at, alias_digest=row.alias_digest)


def _judge_journal_opened(matter: Matter) -> Verdict:
    if matter.entry.seq != 1:
        raise Unfit("quarantined", "journal-opened-twice")
    return Verdict(outcome="applied")


_JUDGES: Mapping[EntryKind, Callable[[Matter], Verdict]] = {
    "journal_opened": _judge_journal_opened,
    "sale": judge_sale,
    "reversal": judge_reversal,
    "release": judge_release,
    "grant_closed": judge_grant_closed,
}
