"""What central's answers mean for the terminal's database, as commands.

Each is believed only as far as it can be checked against our own journal: an answer can never make us drop an entry
that central does not hold.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from loyalty_sdk.codec import CodecError, encode
from loyalty_sdk.protocol import ChangesPage, EntryOutcome, MemberAnswer, SignedDocument, UploadAnswer
from sync.grants import close_wanted, mark_recalled, store_grant
from sync.identity import SignatureRefused
from sync.replica import store_alias, store_snapshot
from sync.transaction import Transaction

__all__ = ["AnswerRefused", "CloseGrants", "StoreAcknowledgement", "StoreChanges", "StoreMember"]

_log = logging.getLogger(__name__)


class AnswerRefused(Exception):
    """An answer contradicts our journal or epoch; nothing of it was stored, selling goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAcknowledgement:
    """Command: move the watermark to where central says, if the hash there is ours, and keep the outcomes."""

    uses_reserve: ClassVar[bool] = True

    answer: UploadAnswer

    def __call__(self, transaction: Transaction) -> int:
        """Return the new watermark. Raises AnswerRefused."""
        self._check(transaction)
        answer = self.answer
        transaction.set_meta(watermark=str(answer.watermark), watermark_hash=answer.watermark_hash)
        transaction.execute("DELETE FROM attachments WHERE seq <= ?", (answer.watermark,))
        _store_outcomes(transaction, [outcome for outcome in answer.outcomes if outcome.seq <= answer.watermark])
        transaction.see_central_time(answer.central_time)
        transaction.execute(
            "INSERT INTO acknowledgements VALUES (?, ?) ON CONFLICT (watermark) DO NOTHING",
            (answer.watermark, encode(answer.central_time)),
        )
        return answer.watermark

    def _check(self, transaction: Transaction) -> None:
        answer, head_seq = self.answer, transaction.head.seq
        _check_epoch(transaction, answer.epoch)
        current = int(transaction.meta("watermark") or 0)
        if not current <= answer.watermark <= head_seq:
            raise AnswerRefused(
                f"central says it holds entries up to {answer.watermark}; we wrote up to {head_seq} and it had "
                f"acknowledged {current}: central may have been restored from a backup, a person has to look"
            )
        if answer.watermark > 0 and answer.watermark_hash != _hash_at(transaction, answer.watermark, current):
            raise AnswerRefused(
                f"central holds another entry {answer.watermark} than this journal: the till's disk was cloned or "
                "restored; enrol this terminal anew, or ask for help before deleting anything"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChanges:
    """Command: take a page of changes into the replica, and close the grants that central wants back."""

    uses_reserve: ClassVar[bool] = True

    page: ChangesPage

    def __call__(self, transaction: Transaction) -> None:
        """Raises AnswerRefused."""
        _check_epoch(transaction, self.page.epoch)
        for snapshot in self.page.snapshots:
            store_snapshot(transaction, snapshot)
        _store_outcomes(transaction, self.page.outcomes)
        _store_grants(transaction, self.page.grants)
        mark_recalled(transaction, self.page.grants_recalled)
        close_wanted(transaction)
        transaction.set_meta(cursor=self.page.cursor)
        transaction.see_central_time(self.page.central_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreMember:
    """Command: keep what central said of a member: snapshot, grants, and the alias it was found by."""

    answer: MemberAnswer
    alias_digest: bytes | None = None

    def __call__(self, transaction: Transaction) -> None:
        """Grants without a valid signature are left out and reported; the rest is kept."""
        store_snapshot(transaction, self.answer.snapshot)
        if self.alias_digest is not None:
            store_alias(transaction, self.alias_digest, self.answer.snapshot.member_id)
        _store_grants(transaction, self.answer.grants)
        transaction.see_central_time(self.answer.central_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseGrants:
    """Command: close expired and recalled grants by entry."""

    uses_reserve: ClassVar[bool] = True

    def __call__(self, transaction: Transaction) -> int:
        """Return how many were closed."""
        return close_wanted(transaction)


def _hash_at(transaction: Transaction, seq: int, watermark: int) -> str | None:
    """Our own hash at a seq in hexadecimal; that of the watermark is kept even where its entry was pruned."""
    if seq == watermark:
        return transaction.meta("watermark_hash")
    digest: bytes | None = transaction.execute("SELECT hash FROM entries WHERE seq = ?", (seq,)).scalar()
    return None if digest is None else digest.hex()


def _check_epoch(transaction: Transaction, epoch: str) -> None:
    ours = transaction.meta("epoch")
    if epoch != ours:
        raise AnswerRefused(
            f"central is in another epoch ({epoch}, we know {ours}): its database was replaced or restored; "
            "selling goes on, uploads stop until a person decides"
        )


def _store_grants(transaction: Transaction, grants: Sequence[SignedDocument]) -> None:
    """Grants without a valid signature are left out and reported; the rest is kept."""
    for signed in grants:
        try:
            store_grant(transaction, signed)
        except (SignatureRefused, CodecError) as error:
            _log.error("a grant was not accepted: %s", error)


def _store_outcomes(transaction: Transaction, outcomes: Sequence[EntryOutcome]) -> None:
    """Keep what was not applied of our own entries; one that was judged again and applied leaves the list."""
    listed = transaction.execute("SELECT 1 FROM outcomes LIMIT 1").scalar() is not None
    for outcome in outcomes:
        if not 1 <= outcome.seq <= transaction.head.seq:
            continue
        if outcome.outcome != "applied":
            transaction.execute(
                "INSERT INTO outcomes VALUES (?, ?, ?) ON CONFLICT (seq) DO UPDATE SET"
                " outcome = excluded.outcome, reason = excluded.reason",
                (outcome.seq, outcome.outcome, outcome.reason[:500]),
            )
        elif listed:
            transaction.execute("DELETE FROM outcomes WHERE seq = ?", (outcome.seq,))
