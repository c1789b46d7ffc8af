"""What central's answers mean for the terminal's database, as commands.

Each is believed only as far as it can be checked against our own journal: an answer can never make us drop an entry
that central does not hold.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from loyalty_sdk.codec import CodecError, encode
from loyalty_sdk.protocol import ChangesPage, EntryOutcome, MemberAnswer, SignedDocument, UploadAnswer
from sync.grants import EARLIEST, LATEST, close_wanted, mark_recalled, store_grant
from sync.identity import SignatureRefused
from sync.replica import store_alias, store_snapshot
from sync.transaction import Transaction

__all__ = [
    "AnswerDiverged",
    "AnswerRefused",
    "CloseGrants",
    "NoteDiverged",
    "NoteRevoked",
    "StoreAcknowledgement",
    "StoreChanges",
    "StoreMember",
    "hash_here",
    "in_utc",
]

_log = logging.getLogger(__name__)


class AnswerRefused(Exception):
    """An answer contradicts our journal or epoch; nothing of it was stored, selling goes on."""


class AnswerDiverged(AnswerRefused):
    """Central is in another epoch, or at a place that this journal was never at: a report has to settle it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAcknowledgement:
    """Command: move the watermark to where central says, if the hash there is ours, and keep the outcomes."""

    uses_reserve: ClassVar[bool] = True

    answer: UploadAnswer

    def __call__(self, transaction: Transaction) -> int:
        """Return the new watermark. Raises AnswerRefused."""
        self._check(transaction)
        transaction.prove()
        answer, central_time = self.answer, in_utc(self.answer.central_time)
        # What was said of these entries before central lost them, and does not say again, holds no more.
        transaction.execute(
            "DELETE FROM outcomes WHERE seq <= ? AND seq >"
            " (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'watermark')",
            (answer.watermark,),
        )
        transaction.set_meta(watermark=str(answer.watermark), watermark_hash=answer.watermark_hash)
        transaction.execute("DELETE FROM attachments WHERE seq <= ?", (answer.watermark,))
        _store_outcomes(transaction, [outcome for outcome in answer.outcomes if outcome.seq <= answer.watermark])
        transaction.confirm(central_time)
        transaction.execute(
            "INSERT INTO acknowledgements VALUES (?, ?) ON CONFLICT (watermark) DO NOTHING",
            (answer.watermark, encode(central_time)),
        )
        self._distrust_old_outcomes(transaction, central_time)
        return answer.watermark

    def _distrust_old_outcomes(self, transaction: Transaction, central_time: datetime) -> None:
        """Read the feed again where it may have told of these entries before: the answer went astray for a while."""
        read_at = transaction.meta("feed_at")
        waiting = any(outcome.outcome != "applied" for outcome in self.answer.outcomes)
        if waiting and read_at is not None and central_time < datetime.fromisoformat(read_at):
            transaction.set_meta(cursor="")

    def _check(self, transaction: Transaction) -> None:
        answer, head_seq = self.answer, transaction.head.seq
        _check_epoch(transaction, answer.epoch)
        current = int(transaction.meta("watermark") or 0)
        if not current <= answer.watermark <= head_seq:
            raise AnswerDiverged(
                f"central says it holds entries up to {answer.watermark}; we wrote up to {head_seq} and it had "
                f"acknowledged {current}: central or this till was restored from a backup"
            )
        if answer.watermark_hash != hash_here(transaction, answer.watermark):
            raise AnswerDiverged(
                f"central holds another entry {answer.watermark} than this journal: the till's disk was cloned or "
                "restored"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChanges:
    """Command: take a page of changes into the replica, and close the grants that central wants back."""

    uses_reserve: ClassVar[bool] = True

    page: ChangesPage

    def __call__(self, transaction: Transaction) -> None:
        """Raises AnswerRefused."""
        _check_epoch(transaction, self.page.epoch)
        if transaction.meta("watermark") == str(transaction.head.seq):
            # Where something waits to be sent, central may hold another life's entries in its place.
            transaction.prove()
        for snapshot in self.page.snapshots:
            store_snapshot(transaction, snapshot)
        _store_outcomes(transaction, self.page.outcomes)
        _store_grants(transaction, self.page.grants)
        mark_recalled(transaction, self.page.grants_recalled)
        close_wanted(transaction)
        transaction.set_meta(cursor=self.page.cursor, feed_at=encode(in_utc(self.page.central_time)))
        transaction.execute("DELETE FROM meta WHERE name = 'revoked'")
        if not self.page.more:
            transaction.execute("DELETE FROM meta WHERE name = 'feed_anew'")
        # A question for changes names what is acknowledged, with its hash: central refuses one that it does not hold.
        transaction.confirm(in_utc(self.page.central_time))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreMember:
    """Command: keep what central said of a member: snapshot, grants, and the alias it was found by.

    `journal` is the one that was asked for, where the question named one, `redemption_id` the redemption.
    """

    answer: MemberAnswer
    alias_digest: bytes | None = None
    redemption_id: str | None = None
    journal: str | None = None

    def __call__(self, transaction: Transaction) -> None:
        """Grants without a valid signature are left out and reported; the rest is kept."""
        if self.journal in (None, transaction.head.journal):
            # Else a new journal was begun meanwhile, and the snapshot counts the entries of the one before.
            store_snapshot(transaction, self.answer.snapshot)
        if self.alias_digest is not None:
            store_alias(transaction, self.alias_digest, self.answer.snapshot.member_id)
        _store_grants(transaction, self.answer.grants, self.redemption_id)
        transaction.see_central_time(in_utc(self.answer.central_time))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRevoked:
    """Command: note that central revoked this terminal; a central restored from a backup may not know it any more."""

    uses_reserve: ClassVar[bool] = True

    def __call__(self, transaction: Transaction) -> None:
        """Note it once."""
        if transaction.meta("revoked") is None:
            transaction.set_meta(revoked=encode(transaction.host.now()))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteDiverged:
    """Command: note that central is not where this journal is; grants that it names from now on wait for a report."""

    uses_reserve: ClassVar[bool] = True

    def __call__(self, transaction: Transaction) -> None:
        """Note it."""
        transaction.doubt()


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseGrants:
    """Command: close expired and recalled grants by entry."""

    uses_reserve: ClassVar[bool] = True

    def __call__(self, transaction: Transaction) -> int:
        """Return how many were closed."""
        return close_wanted(transaction)


def in_utc(central_time: datetime) -> datetime:
    """Return a time of central in UTC: SQLite reads no offset with seconds in it. Raises AnswerRefused for nonsense."""
    if not EARLIEST <= central_time <= LATEST:
        raise AnswerRefused(f"central's clock shows {central_time}: have it set")
    return central_time.astimezone(UTC)


def hash_here(transaction: Transaction, seq: int) -> str | None:
    """Return our own hash at a seq in hexadecimal, empty at 0; None where nothing is known of it.

    Those of the watermark and of the floor are kept even where their entries were pruned.
    """
    if seq == 0:
        return ""
    for seq_fact, hash_fact in (("watermark", "watermark_hash"), ("floor_seq", "floor_hash")):
        if transaction.meta(seq_fact) == str(seq):
            return transaction.meta(hash_fact)
    digest: bytes | None = transaction.execute("SELECT hash FROM entries WHERE seq = ?", (seq,)).scalar()
    return None if digest is None else digest.hex()


def _check_epoch(transaction: Transaction, epoch: str) -> None:
    ours = transaction.meta("epoch")
    if epoch != ours:
        raise AnswerDiverged(
            f"central is in another epoch ({epoch}, we know {ours}): its database was replaced or restored; "
            "selling goes on"
        )


def _store_grants(transaction: Transaction, grants: Sequence[SignedDocument], redemption_id: str | None = None) -> None:
    """Grants without a valid signature are left out and reported; the rest is kept."""
    for signed in grants:
        try:
            store_grant(transaction, signed, redemption_id=redemption_id)
        except (SignatureRefused, CodecError) as error:
            _log.error("a grant was not accepted: %s", error)


def _store_outcomes(transaction: Transaction, outcomes: Sequence[EntryOutcome]) -> None:
    """Keep what was not applied of our own entries; one that was judged again and applied leaves the list.

    What is not applied moves no points: the balance shown counts it no more. Once it is applied, a snapshot has it.
    That central has an entry already which was recorded again is as it should be, and is not listed. Nor is what was
    pruned here, of which central may tell once more: nothing would take it off the list that pruning cleared.
    """
    listed = transaction.execute("SELECT 1 FROM outcomes LIMIT 1").scalar() is not None
    recorded_again = int(transaction.meta("recorded_again_seq") or 0)
    floor = int(transaction.meta("floor_seq") or 0)
    for outcome in outcomes:
        if not floor < outcome.seq <= transaction.head.seq:
            continue
        if outcome.outcome != "applied":
            transaction.execute("UPDATE entries SET points = 0 WHERE seq = ? AND points <> 0", (outcome.seq,))
        if outcome.reason == "duplicate-entry" and outcome.seq <= recorded_again:
            continue
        if outcome.outcome != "applied":
            transaction.execute(
                "INSERT INTO outcomes VALUES (?, ?, ?) ON CONFLICT (seq) DO UPDATE SET"
                " outcome = excluded.outcome, reason = excluded.reason",
                (outcome.seq, outcome.outcome, outcome.reason[:500]),
            )
        elif listed:
            transaction.execute("DELETE FROM outcomes WHERE seq = ?", (outcome.seq,))
