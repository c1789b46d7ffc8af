"""What a terminal reports where it and central do not fit together, and what it makes of the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from central_api.keys import signature_is_valid
from loyalty_sdk.codec import decode, loads
from loyalty_sdk.envelope import document_signing_input
from loyalty_sdk.protocol import EntryOutcome, GrantLeft, JournalReport, ReportAnswer
from sync.answers import AnswerDiverged, AnswerRefused, StoreAcknowledgement, StoreChanges
from sync.identity import public_key_of
from sync.reports import Page, StoreReport, report_page, signed_report
from tests.support.terminal_memory import TerminalMemory


@pytest.fixture
def sold(memory: TerminalMemory) -> TerminalMemory:
    """A till with five entries, of which central acknowledged four and had to hold the third."""
    memory.know(500, memory.grant(100))
    for _ in range(4):
        memory.sell()
    seq_3 = memory.entries()[2]
    held = EntryOutcome(seq=3, id=seq_3.id, outcome="held", reason="sale-not-here")
    memory.run(StoreAcknowledgement(answer=memory.acknowledgement(4, held)))
    memory.run(StoreChanges(page=memory.changes(cursor="32")))
    return memory


def page_of(memory: TerminalMemory) -> Page:
    with memory.store.reading() as connection:
        return report_page(connection, memory.identity, "")


def answer_at(memory: TerminalMemory, watermark: int, **changes: Any) -> ReportAnswer:
    values: dict[str, Any] = {
        "epoch": memory.identity.epoch,
        "journal": memory.journal,
        "watermark": watermark,
        "watermark_hash": memory.acknowledgement(watermark).watermark_hash,
        "recovering": False,
        "grants": (),
        "central_time": memory.clock.now,
    }
    return ReportAnswer(**values | changes)


def fact(memory: TerminalMemory, name: str) -> str:
    return str(memory.scalar("SELECT value FROM meta WHERE name = ?", name))


def store(memory: TerminalMemory, answer: ReportAnswer, *, diverged: bool = True) -> BaseException | None:
    (result,) = memory.results(StoreReport(page=page_of(memory), answer=answer, diverged=diverged))
    return result.error


def test_a_report_says_where_the_journal_is_and_is_signed(sold: TerminalMemory) -> None:
    page = page_of(sold)
    signed = signed_report(sold.identity, page.report)
    report = decode(JournalReport, loads(signed.report))
    assert (report.acknowledged_seq, report.head_seq, report.floor_seq) == (4, 5, 0)
    assert len(report.grants) == len(page.grant_ids) == 1
    message = document_signing_input("report", signed.report)
    assert signature_is_valid(public_key_of(sold.identity.private_key), signed.signature, message)


@pytest.mark.parametrize("epoch", ["", "another-epoch"])
def test_law_2_a_central_that_holds_less_is_sent_it_again_and_its_feed_is_read_anew(
    sold: TerminalMemory, epoch: str
) -> None:
    """Also where it begins no epoch for it: its feed counts from its backup, and would be missed until it caught up."""
    answer = answer_at(sold, 2)
    assert store(sold, replace(answer, epoch=epoch) if epoch else answer) is None
    assert (fact(sold, "watermark"), fact(sold, "cursor")) == ("2", "")
    assert sold.scalar("SELECT count(*) FROM outcomes") == 0
    assert sold.scalar("SELECT max(revision) FROM snapshots") == 0
    assert fact(sold, "epoch") == (epoch or sold.identity.epoch)


def test_a_report_never_moves_the_watermark_forward(sold: TerminalMemory) -> None:
    """The upload that does it says what became of each entry; a report says nothing of that."""
    assert store(sold, answer_at(sold, 5)) is None
    assert fact(sold, "watermark") == "4"


def test_a_report_that_only_confirms_reads_nothing_anew(sold: TerminalMemory) -> None:
    assert store(sold, answer_at(sold, 5), diverged=False) is None
    assert fact(sold, "cursor") == "32"
    assert sold.scalar("SELECT outcome FROM outcomes") == "held"


@pytest.mark.parametrize("watermark", [3, 4, 5])
def test_what_an_earlier_life_of_central_said_of_an_entry_is_listed_no_more(
    sold: TerminalMemory, watermark: int
) -> None:
    """A clone may have sent it again, in another order: the feed tells what is so now."""
    assert store(sold, answer_at(sold, watermark)) is None
    assert sold.rows("SELECT seq FROM outcomes") == []
    now = EntryOutcome(seq=2, id=sold.entries()[1].id, outcome="rejected", reason="duplicate-receipt")
    sold.run(StoreChanges(page=sold.changes(outcomes=(now,))))
    assert [tuple(row) for row in sold.rows("SELECT seq, outcome FROM outcomes")] == [(2, "rejected")]


def test_a_report_says_what_was_recorded_again(sold: TerminalMemory) -> None:
    assert page_of(sold).report.recorded_again_seq == 0
    sold.run(lambda transaction: transaction.set_meta(recorded_again_seq="3"))
    assert page_of(sold).report.recorded_again_seq == 3


def test_a_till_whose_feed_is_ahead_of_central_s_reads_it_anew(sold: TerminalMemory) -> None:
    """Central was restored and lacks nothing of this journal; the report says how far the feed was read."""
    assert page_of(sold).report.cursor == "32"
    assert store(sold, answer_at(sold, 4)) is None
    assert fact(sold, "cursor") == ""


def test_law_4_a_grant_told_while_the_feed_is_read_anew_waits_for_central(sold: TerminalMemory) -> None:
    """An earlier life of this till's disk may have spent of it; central's answer for it is the full amount."""
    assert store(sold, answer_at(sold, 5)) is None
    old, new = sold.grant(70), sold.grant(80)
    sold.run(StoreChanges(page=sold.changes(cursor="1", more=True, grants=(old,))))
    sold.run(StoreChanges(page=sold.changes(cursor="2")))
    sold.run(StoreChanges(page=sold.changes(cursor="3", grants=(old, new))))
    assert dict(sold.rows("SELECT points, confirmed FROM grants")) == {100: 1, 70: 0, 80: 1}


def test_law_4_another_life_of_the_journal_is_told_apart(sold: TerminalMemory) -> None:
    assert isinstance(store(sold, answer_at(sold, 3, watermark_hash="00" * 32)), AnswerDiverged)
    assert isinstance(store(sold, replace(answer_at(sold, 5), watermark=9)), AnswerDiverged)
    assert (fact(sold, "watermark"), fact(sold, "cursor")) == ("4", "32")


def test_an_answer_about_another_journal_is_refused(sold: TerminalMemory) -> None:
    assert isinstance(store(sold, answer_at(sold, 2, journal="another")), AnswerRefused)
    assert fact(sold, "watermark") == "4"


def test_old_grants_are_confirmed_once_central_has_everything(sold: TerminalMemory) -> None:
    (grant_id,) = page_of(sold).grant_ids
    sold.run(lambda transaction: transaction.execute("UPDATE grants SET confirmed = 0"))
    left = (GrantLeft(grant_id=grant_id, points=30),)
    assert store(sold, answer_at(sold, 4, grants=left)) is None
    assert sold.scalar("SELECT confirmed FROM grants") == 0, "an entry may have spent of it"
    assert store(sold, answer_at(sold, 5, grants=left)) is None
    assert tuple(sold.rows("SELECT confirmed, points - spent FROM grants")[0]) == (1, 30)


def test_a_grant_that_central_does_not_have_is_closed(sold: TerminalMemory) -> None:
    sold.run(lambda transaction: transaction.execute("UPDATE grants SET confirmed = 0"))
    assert store(sold, answer_at(sold, 5)) is None
    assert sold.scalar("SELECT state FROM grants") == "closed"
