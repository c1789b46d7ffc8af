"""What central's answers do to the journal: nothing that our own journal does not confirm (Law 2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from loyalty_sdk.errors import InsufficientPoints
from loyalty_sdk.protocol import EntryOutcome, MemberAnswer, Outcome, SignedDocument
from sync.answers import AnswerRefused, NoteDiverged, StoreAcknowledgement, StoreChanges, StoreMember
from tests.support.terminal_memory import MEMBER, TerminalMemory


def everything(memory: TerminalMemory) -> list[Any]:
    """Every fact that an answer could change."""
    tables = ("meta", "attachments", "outcomes", "snapshots", "grants", "aliases", "entries")
    return [memory.rows(f"SELECT * FROM {table}") for table in tables]


def acknowledge(memory: TerminalMemory, watermark: int, *outcomes: EntryOutcome, **changes: Any) -> int:
    return memory.run(StoreAcknowledgement(answer=memory.acknowledgement(watermark, *outcomes, **changes)))


def outcome(memory: TerminalMemory, seq: int, outcome: Outcome, reason: str = "") -> EntryOutcome:
    ids = {entry.seq: entry.id for entry in memory.entries()}
    return EntryOutcome(seq=seq, id=ids.get(seq, "unknown"), outcome=outcome, reason=reason)


@pytest.fixture
def selling(memory: TerminalMemory) -> TerminalMemory:
    """A journal of four entries, the third with an attachment; central holds two."""
    memory.sell()
    memory.run(memory.sale_command(memory.sale_request(alias="CARD-1")))
    memory.sell()
    acknowledge(memory, 2)
    return memory


def test_an_acknowledgement_moves_the_watermark_and_is_a_contact(selling: TerminalMemory) -> None:
    selling.clock.forward(hours=1)
    assert acknowledge(selling, 4) == 4
    facts = dict(selling.rows("SELECT name, value FROM meta"))
    assert (facts["watermark"], facts["watermark_hash"]) == ("4", selling.chain()[3][2].hex())
    assert facts["contact_at"] == facts["central_time_seen"] == "2026-05-04T13:00:00.000+00:00"


def test_the_same_acknowledgement_again_is_fine(selling: TerminalMemory) -> None:
    before = everything(selling)
    assert acknowledge(selling, 2) == 2
    assert everything(selling) == before


def test_law_2_entries_stay_when_they_are_acknowledged(selling: TerminalMemory) -> None:
    acknowledge(selling, 4)
    assert len(selling.entries()) == 4


@pytest.mark.parametrize(
    ("watermark", "changes", "text"),
    [
        (3, {"watermark_hash": "00" * 32}, "cloned or restored"),
        (3, {"watermark_hash": ""}, "cloned or restored"),
        (3, {"epoch": "epoch-2"}, "another epoch"),
        (5, {}, "we wrote up to 4"),
        (1, {}, "restored from a backup"),
        (0, {}, "restored from a backup"),
        (-1, {}, "restored from a backup"),
    ],
)
def test_an_answer_that_contradicts_our_journal_is_refused_and_stores_nothing(
    selling: TerminalMemory, watermark: int, changes: dict[str, Any], text: str
) -> None:
    selling.clock.forward(hours=1)
    before = everything(selling)
    with pytest.raises(AnswerRefused, match=text):
        acknowledge(selling, watermark, outcome(selling, 2, "rejected"), **changes)
    assert everything(selling) == before


def test_a_central_that_holds_nothing_yet_is_believed(memory: TerminalMemory) -> None:
    assert acknowledge(memory, 0) == 0


def test_law_12_an_attachment_goes_with_its_acknowledgement_and_not_before(selling: TerminalMemory) -> None:
    assert selling.scalar("SELECT count(*) FROM attachments") == 1
    acknowledge(selling, 3)
    assert selling.scalar("SELECT count(*) FROM attachments") == 0


def test_outcomes_other_than_applied_are_kept_until_they_are_applied(selling: TerminalMemory) -> None:
    acknowledge(
        selling, 4, outcome(selling, 2, "applied"), outcome(selling, 3, "held"), outcome(selling, 4, "rejected")
    )
    assert [tuple(row)[:2] for row in selling.rows("SELECT * FROM outcomes")] == [(3, "held"), (4, "rejected")]
    selling.run(StoreChanges(page=selling.changes(outcomes=(outcome(selling, 3, "applied"),))))
    selling.run(StoreChanges(page=selling.changes(outcomes=(outcome(selling, 4, "quarantined", "x" * 9_999),))))
    (row,) = selling.rows("SELECT * FROM outcomes")
    assert (row.seq, row.outcome, len(row.reason)) == (4, "quarantined", 500)


def test_what_was_said_of_an_entry_that_central_lost_is_forgotten_when_it_holds_it_again(
    selling: TerminalMemory,
) -> None:
    acknowledge(selling, 4, outcome(selling, 1, "rejected"), outcome(selling, 4, "rejected"))
    selling.run(lambda transaction: transaction.set_meta(watermark="2", watermark_hash=selling.chain()[1][2].hex()))
    acknowledge(selling, 4)
    assert [row.seq for row in selling.rows("SELECT * FROM outcomes")] == [1]


@pytest.mark.parametrize("made", ["held", "rejected", "quarantined"])
def test_what_central_did_not_apply_is_not_in_the_balance_shown(memory: TerminalMemory, made: Outcome) -> None:
    """Recorded a second time after the disk was restored, say: the snapshot has it, and no newer one will come."""
    memory.know(500)
    sale = memory.sell()
    acknowledge(memory, 2, outcome(memory, 2, made))
    view = memory.view()
    assert view is not None
    assert view.balance == 500
    assert memory.run(memory.sale_command(memory.sale_request(receipt_number=sale.receipt.number, member_id=MEMBER)))


def test_what_was_recorded_again_and_central_has_is_not_listed(selling: TerminalMemory) -> None:
    selling.run(lambda transaction: transaction.set_meta(recorded_again_seq="3"))
    twice = [outcome(selling, seq, "rejected", "duplicate-entry") for seq in (3, 4)]
    acknowledge(selling, 4, *twice)
    assert [row.seq for row in selling.rows("SELECT * FROM outcomes")] == [4]


def test_an_answer_older_than_the_feed_makes_it_be_read_again(selling: TerminalMemory) -> None:
    """It went astray for a while: meanwhile the feed told that the entry, held at first, is applied."""
    at = selling.clock.now
    selling.clock.forward(hours=1)
    selling.run(StoreChanges(page=selling.changes(cursor="9", outcomes=(outcome(selling, 3, "applied"),))))
    acknowledge(selling, 3, central_time=at)
    assert selling.scalar("SELECT value FROM meta WHERE name = 'cursor'") == "9", "it says nothing that may be old"
    acknowledge(selling, 4, outcome(selling, 3, "held"), central_time=at)
    assert selling.scalar("SELECT value FROM meta WHERE name = 'cursor'") == ""


def test_outcomes_of_entries_that_we_never_wrote_are_not_kept(selling: TerminalMemory) -> None:
    foreign = tuple(outcome(selling, seq, "rejected") for seq in (-1, 0, 5, 2**53 - 1))
    selling.run(StoreChanges(page=selling.changes(outcomes=foreign)))
    assert selling.scalar("SELECT count(*) FROM outcomes") == 0


def test_an_outcome_beyond_the_watermark_is_not_an_acknowledgement_s(selling: TerminalMemory) -> None:
    acknowledge(selling, 3, outcome(selling, 4, "rejected"))
    assert selling.scalar("SELECT count(*) FROM outcomes") == 0


def test_a_page_of_changes_is_stored_whole_with_its_cursor(memory: TerminalMemory) -> None:
    memory.know(300, memory.grant(300))
    page = memory.changes(cursor="7", snapshots=(memory.snapshot(250, revision=2),), grants_recalled=("grant-1",))
    memory.run(StoreChanges(page=page))
    view = memory.view()
    assert view is not None
    assert view.balance == 250
    assert memory.scalar("SELECT value FROM meta WHERE name = 'cursor'") == "7"
    assert memory.entries()[-1].kind == "grant_closed"
    again = everything(memory)
    memory.run(StoreChanges(page=page))
    assert everything(memory) == again


def test_changes_of_another_epoch_are_refused_and_store_nothing(memory: TerminalMemory) -> None:
    memory.know(300, memory.grant(300))
    before = everything(memory)
    page = memory.changes(epoch="epoch-2", snapshots=(memory.snapshot(9, revision=9),), grants_recalled=("grant-1",))
    with pytest.raises(AnswerRefused, match="another epoch"):
        memory.run(StoreChanges(page=page))
    assert everything(memory) == before


def test_changes_close_expired_grants(memory: TerminalMemory) -> None:
    memory.know(300, memory.grant(300, hours=1))
    memory.run(StoreChanges(page=memory.changes(central_time=memory.clock.now + timedelta(hours=2))))
    # The page told a later time of central; the next close works with it.
    memory.run(StoreChanges(page=memory.changes(cursor="2")))
    assert memory.entries()[-1].kind == "grant_closed"


def test_a_grant_without_signature_is_left_out_and_the_rest_kept(
    memory: TerminalMemory, caplog: pytest.LogCaptureFixture
) -> None:
    good = memory.grant(100)
    forged = type(good)(document=good.document, key_id=good.key_id, signature=bytes(64))
    short = type(good)(document=good.document, key_id=good.key_id, signature=b"short")
    answer = MemberAnswer(
        snapshot=memory.snapshot(100),
        grants=(forged, short, memory.keys.sign("grant", "no JSON"), memory.grant(0), memory.grant(50)),
        central_time=memory.clock.now,
    )
    memory.run(StoreMember(answer=answer))
    assert [row.grant_id for row in memory.rows("SELECT grant_id FROM grants")] == ["grant-3"]
    assert caplog.text.count("was not accepted") == 4
    assert memory.scalar("SELECT member_id FROM snapshots") == MEMBER


def test_what_was_asked_for_another_journal_says_nothing_of_this_one(memory: TerminalMemory) -> None:
    """A new journal was begun while central answered: its snapshot counts the entries of the one before."""
    answer = MemberAnswer(snapshot=memory.snapshot(300), grants=(memory.grant(50),), central_time=memory.clock.now)
    memory.run(StoreMember(answer=answer, journal="the-one-before"))
    assert memory.scalar("SELECT count(*) FROM snapshots") == 0
    assert memory.scalar("SELECT count(*) FROM grants") == 1
    memory.run(StoreMember(answer=answer, journal=memory.journal))
    assert memory.scalar("SELECT balance FROM snapshots") == 300


def is_believed(memory: TerminalMemory, grant: SignedDocument, redemption_id: str | None = None) -> bool:
    """Whether a grant is spendable that central names when it is asked for a member."""
    answer = MemberAnswer(snapshot=memory.snapshot(300), grants=(grant,), central_time=memory.clock.now)
    memory.run(StoreMember(answer=answer, redemption_id=redemption_id))
    return bool(memory.grant_row(f"grant-{memory.grants}").confirmed)


def test_law_4_a_grant_told_to_a_till_that_just_started_waits_for_central(filed: TerminalMemory) -> None:
    """Its disk may have been restored: then the life before may have spent what the document still names."""
    assert is_believed(filed, filed.grant(80))
    filed.reopen()
    assert not is_believed(filed, filed.grant(80))
    with pytest.raises(InsufficientPoints):
        filed.hold()


def test_a_grant_that_is_asked_for_just_now_does_not_wait(filed: TerminalMemory) -> None:
    filed.reopen()
    assert is_believed(filed, filed.grant(80, redemption_id="redemption-1"), "redemption-1")
    assert not is_believed(filed, filed.grant(80, redemption_id="redemption-1"), "redemption-2")


def test_law_4_an_acknowledgement_shows_that_central_holds_no_other_life(filed: TerminalMemory) -> None:
    filed.sell()
    filed.reopen()
    acknowledge(filed, filed.store.head_seq)
    assert is_believed(filed, filed.grant(80))


def test_law_4_a_page_of_changes_shows_it_only_while_nothing_waits_to_be_sent(filed: TerminalMemory) -> None:
    """In place of what waits central may hold entries of another life, and would give the page all the same."""
    acknowledge(filed, filed.store.head_seq)
    filed.sell()
    filed.reopen()
    filed.run(StoreChanges(page=filed.changes()))
    assert not is_believed(filed, filed.grant(80))
    acknowledge(filed, filed.store.head_seq)
    filed.reopen()
    filed.run(StoreChanges(page=filed.changes()))
    assert is_believed(filed, filed.grant(80))


def test_law_4_what_central_names_after_a_fork_was_seen_waits_until_that_is_settled(memory: TerminalMemory) -> None:
    acknowledge(memory, memory.store.head_seq)
    memory.run(NoteDiverged())
    assert not is_believed(memory, memory.grant(80))
    acknowledge(memory, memory.store.head_seq)
    assert is_believed(memory, memory.grant(80))
