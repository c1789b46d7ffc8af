"""Reports: what a terminal tells central when the two do not fit together, and what central's answer means here.

Central was restored from a backup and holds less, or this terminal's disk was cloned or restored and central holds
another life of its journal. A report says, signed, what is known here; the answer moves the watermark to where central
is, but only backward, which queues entries again: forward it goes by uploads, whose answers say what became of each
entry. Nothing here ever drops an entry that central does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from loyalty_sdk.codec import dumps, encode
from loyalty_sdk.envelope import document_signing_input
from loyalty_sdk.protocol import (
    REPORT_GRANTS_MAX,
    EntryRecord,
    JournalReport,
    ReportAnswer,
    SignedDocument,
    SignedReport,
)
from sync.answers import AnswerDiverged, AnswerRefused, hash_here, in_utc
from sync.identity import Identity
from sync.statements import PinnedConnection
from sync.transaction import Transaction

__all__ = [
    "AcknowledgeCommon",
    "Page",
    "StoreReport",
    "report_page",
    "shared_entries",
    "signed_report",
    "unconfirmed_grants",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One report, and the ids of the grants in it: `report.more` says that another page goes on after the last."""

    report: JournalReport
    grant_ids: tuple[str, ...]


def report_page(connection: PinnedConnection, identity: Identity, after_grant_id: str) -> Page:
    """Return the report with the open grants after `after_grant_id`, at most REPORT_GRANTS_MAX of them."""
    facts: dict[str, str] = dict(connection.exec_driver_sql("SELECT name, value FROM meta").all())
    rows: Sequence[Any] = connection.exec_driver_sql(
        "SELECT grant_id, document, key_id, signature FROM grants WHERE state = 'open' AND grant_id > ?"
        " ORDER BY grant_id LIMIT ?",
        (after_grant_id, REPORT_GRANTS_MAX + 1),
    ).all()
    page = rows[:REPORT_GRANTS_MAX]
    report = JournalReport(
        format="loyalty-report-1",
        terminal=identity.terminal,
        journal=facts["journal"],
        epoch=facts["epoch"],
        acknowledged_seq=int(facts["watermark"]),
        acknowledged_hash=facts["watermark_hash"],
        floor_seq=int(facts.get("floor_seq", "0")),
        floor_hash=facts.get("floor_hash", ""),
        head_seq=connection.exec_driver_sql("SELECT max(seq) FROM entries").scalar_one(),
        revoked="revoked" in facts,
        grants=tuple(SignedDocument(document=row[1], key_id=row[2], signature=row[3]) for row in page),
        more=len(rows) > REPORT_GRANTS_MAX,
        cursor=facts.get("cursor", ""),
        recorded_again_seq=int(facts.get("recorded_again_seq", "0")),
    )
    return Page(report=report, grant_ids=tuple(row[0] for row in page))


def signed_report(identity: Identity, report: JournalReport) -> SignedReport:
    """Return the report as it travels."""
    text = dumps(report).decode()
    return SignedReport(report=text, signature=identity.sign(document_signing_input("report", text)))


def shared_entries(connection: PinnedConnection, records: Sequence[EntryRecord]) -> list[EntryRecord]:
    """Return the first of central's entries, in order of seq, as far as their hashes are ours."""
    shared = []
    for record in records:
        digest = connection.exec_driver_sql("SELECT hash FROM entries WHERE seq = ?", (record.seq,)).scalar()
        if digest is None or digest.hex() != record.hash:
            break
        shared.append(record)
    return shared


def unconfirmed_grants(connection: PinnedConnection) -> bool:
    """Say whether grants wait for central to confirm what is left of them."""
    query = "SELECT EXISTS (SELECT 1 FROM grants WHERE confirmed = 0)"
    return bool(connection.exec_driver_sql(query).scalar_one())


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """Command: take up what central answered to one page of a report.

    `diverged` says that the two did not fit together: then what the feed told before is told again.
    """

    uses_reserve: ClassVar[bool] = True

    page: Page
    answer: ReportAnswer
    diverged: bool

    def __call__(self, transaction: Transaction) -> int:
        """Return the new watermark. Raises AnswerDiverged where central holds another life, AnswerRefused."""
        answer = self.answer
        if answer.journal != transaction.head.journal:
            raise AnswerRefused("the answer is about another journal than the one that is written now")
        _check_place(transaction, answer.watermark, answer.watermark_hash)
        # A central that lacks what it told is a restored one, even where it has not begun another epoch for it.
        if self.diverged or answer.epoch != transaction.meta("epoch"):
            _begin_feed_anew(transaction, answer.epoch)
        _move_watermark(transaction, answer)
        if answer.watermark == transaction.head.seq == self.page.report.head_seq:
            self._confirm(transaction)
        transaction.see_central_time(in_utc(answer.central_time))
        return answer.watermark

    def _confirm(self, transaction: Transaction) -> None:
        """Take over what central has left of unconfirmed grants; it holds every entry that could have spent of them."""
        left = {grant.grant_id: grant.points for grant in self.answer.grants}
        for grant_id in self.page.grant_ids:
            points = left.get(grant_id)
            if points is None:
                transaction.execute(
                    "UPDATE grants SET confirmed = 1, state = 'closed' WHERE grant_id = ? AND confirmed = 0",
                    (grant_id,),
                )
                continue
            # What is held stays held: a hold outlives all this, and central settles what it comes to.
            transaction.execute(
                "UPDATE grants SET confirmed = 1, released = 0,"
                " spent = points - max(held, min(points, max(0, ?))) WHERE grant_id = ? AND confirmed = 0",
                (points, grant_id),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeCommon:
    """Command: note that central holds our entries up to `seq`, the last one that both lives of a journal share."""

    uses_reserve: ClassVar[bool] = True

    seq: int
    hash: str

    def __call__(self, transaction: Transaction) -> None:
        """Raises AnswerRefused where the hash there is not ours."""
        if hash_here(transaction, self.seq) != self.hash:
            raise AnswerRefused(f"central holds another entry {self.seq} than this journal")
        transaction.set_meta(watermark=str(self.seq), watermark_hash=self.hash)
        transaction.execute("DELETE FROM attachments WHERE seq <= ?", (self.seq,))


def _check_place(transaction: Transaction, seq: int, digest: str) -> None:
    """Whether central is at a place of this journal. Raises AnswerDiverged, AnswerRefused."""
    ours = hash_here(transaction, seq)
    if 0 <= seq <= transaction.head.seq and ours == digest:
        return
    floor = int(transaction.meta("floor_seq") or 0)
    if seq < floor:
        raise AnswerRefused(
            f"central goes on after entry {seq}, and entries up to {floor} were pruned here: it did not take the report"
        )
    raise AnswerDiverged(
        f"central holds entry {seq}, which this journal does not have: the till's disk was cloned or restored"
    )


def _begin_feed_anew(transaction: Transaction, epoch: str) -> None:
    """Read the feed from its beginning; snapshots stay until those of central, whose revisions count anew, are here.

    It tells of every entry that this life of central did not apply: one that an earlier life held may have been sent
    again since, by a clone, and applied at once.
    """
    transaction.set_meta(epoch=epoch, cursor="", feed_anew="1")
    transaction.execute("UPDATE snapshots SET revision = 0")
    transaction.execute("DELETE FROM outcomes")


def _move_watermark(transaction: Transaction, answer: ReportAnswer) -> None:
    seq = answer.watermark
    if seq > int(transaction.meta("watermark") or 0):
        return  # Sent again, these entries are answered with what became of them; a report says nothing of that.
    transaction.set_meta(watermark=str(seq), watermark_hash=answer.watermark_hash)
    transaction.execute("DELETE FROM attachments WHERE seq <= ?", (seq,))
    # What was acknowledged by a central that is no more neither dates an entry for pruning nor says what became of it.
    transaction.execute("DELETE FROM acknowledgements WHERE watermark > ?", (seq,))
    transaction.execute("DELETE FROM outcomes WHERE seq > ?", (seq,))
    transaction.execute(
        "INSERT INTO acknowledgements VALUES (?, ?) ON CONFLICT (watermark) DO NOTHING",
        (seq, encode(in_utc(answer.central_time))),
    )
