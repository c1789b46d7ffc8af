"""Pruning: what goes, what stays, and that receipts answer as before (Laws 2, 3 and 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty_sdk.errors import HoldNotOpen, InsufficientPoints, ReceiptConflict
from loyalty_sdk.model import Sale
from loyalty_sdk.protocol import EntryOutcome, SignedDocument
from sync.answers import CloseGrants, StoreAcknowledgement, StoreChanges
from sync.holds import open_holds
from sync.pruning import Prune
from tests.support.terminal_memory import MEMBER, TerminalMemory, basket_of, verify_chain

RETENTION = timedelta(days=30)
LONG = timedelta(days=31)
YEARS = timedelta(days=9 * 365)


def acknowledge(memory: TerminalMemory, watermark: int | None = None) -> None:
    """Central holds everything up to there, and every snapshot contains it."""
    watermark = memory.store.head_seq if watermark is None else watermark
    memory.run(StoreAcknowledgement(answer=memory.acknowledgement(watermark)))
    view = memory.view()
    if view is not None:
        memory.know(view.balance, revision=watermark, includes_seq=watermark)


def let_time_pass(memory: TerminalMemory) -> None:
    """The retention passes in central's time: the watermark is told once more."""
    memory.clock.now += LONG
    mark = int(memory.scalar("SELECT value FROM meta WHERE name = 'watermark'"))
    digest = memory.scalar("SELECT value FROM meta WHERE name = 'watermark_hash'")
    memory.run(StoreAcknowledgement(answer=memory.acknowledgement(mark, watermark_hash=digest)))


def prune(memory: TerminalMemory) -> int:
    """Prune until nothing goes any more."""
    gone = 0
    while more := memory.run(Prune(retention=RETENTION)):
        gone += more
    return gone


def seqs(memory: TerminalMemory) -> list[int]:
    return [row.seq for row in memory.rows("SELECT seq FROM entries ORDER BY seq")]


@pytest.fixture
def selling(memory: TerminalMemory) -> TerminalMemory:
    memory.know(900, memory.grant(400))
    for _ in range(6):
        memory.sell(basket_of(1_000))
    return memory


def test_what_a_restored_central_may_lack_stays_until_it_has_shown_to_hold_it(selling: TerminalMemory) -> None:
    """A till is off for a month, and the first that it hears of central says nothing of its journal."""
    acknowledge(selling, 5)
    selling.clock.now += LONG
    selling.know(900, selling.grant(400), revision=9, includes_seq=6)
    assert prune(selling) == 0
    let_time_pass(selling)
    assert prune(selling) == 5


def test_what_was_pruned_is_not_listed_again(selling: TerminalMemory) -> None:
    """A clone's report makes central tell once more what is held of the journal that both share."""
    acknowledge(selling)
    let_time_pass(selling)
    assert prune(selling) == 6
    head, pruned = selling.entries()[-1], EntryOutcome(seq=6, id="pruned", outcome="held", reason="alias-unknown")
    told = replace(pruned, seq=head.seq, id=head.id)
    selling.run(StoreChanges(page=selling.changes(outcomes=(pruned, told))))
    assert [row.seq for row in selling.rows("SELECT seq FROM outcomes")] == [head.seq]


def test_law_2_only_what_central_acknowledged_goes(selling: TerminalMemory) -> None:
    acknowledge(selling, 4)
    let_time_pass(selling)
    assert prune(selling) == 4
    assert seqs(selling) == [5, 6, 7]


def test_law_2_nothing_goes_before_the_retention_has_passed(selling: TerminalMemory) -> None:
    acknowledge(selling, 3)
    selling.clock.now += timedelta(days=20)
    acknowledge(selling)
    selling.clock.now += timedelta(days=11)
    acknowledge(selling)
    assert prune(selling) == 3, "what was acknowledged 31 days ago, and not what was 11 days ago"


def test_the_head_stays(selling: TerminalMemory) -> None:
    acknowledge(selling)
    let_time_pass(selling)
    prune(selling)
    assert seqs(selling) == [7]
    selling.sell()
    assert seqs(selling) == [7, 8]


def test_law_3_the_rest_verifies_from_the_floor(selling: TerminalMemory) -> None:
    for _ in range(2):
        acknowledge(selling)
        let_time_pass(selling)
        prune(selling)
        selling.sell()
        selling.sell()
    floor = int(selling.scalar("SELECT value FROM meta WHERE name = 'floor_seq'"))
    digest = bytes.fromhex(selling.scalar("SELECT value FROM meta WHERE name = 'floor_hash'"))
    verify_chain(digest, [(seq - floor, data, stored) for seq, data, stored in selling.chain()])
    assert seqs(selling)[0] == floor + 1 == 9


def test_at_most_so_many_go_at_once(selling: TerminalMemory) -> None:
    acknowledge(selling)
    let_time_pass(selling)
    assert [selling.run(Prune(retention=RETENTION, entries_max=4)) for _ in range(3)] == [4, 2, 0]


def test_a_member_whose_snapshot_is_behind_keeps_what_it_lacks(selling: TerminalMemory) -> None:
    selling.run(StoreAcknowledgement(answer=selling.acknowledgement(7)))
    selling.know(920, revision=2, includes_seq=3)
    let_time_pass(selling)
    shown = selling.view()
    assert prune(selling) == 3
    assert selling.view() == shown


def same_but_for_the_flag(first: Sale, again: Sale) -> bool:
    fields = ("entry_id", "receipt", "member_id", "points_earned", "points_redeemed", "discount_minor")
    return all(getattr(first, field) == getattr(again, field) for field in fields)


def test_law_5_receipts_answer_as_before_when_their_entries_are_gone(selling: TerminalMemory) -> None:
    hold = selling.hold()
    requests = [
        selling.sale_request(basket_of(3_000), member_id=MEMBER),
        selling.sale_request(
            basket_of(5_000), member_id=MEMBER, discount_minor=hold.discount_minor, hold_id=hold.hold_id
        ),
        selling.sale_request(basket_of(700)),
    ]
    sold = [selling.run(selling.sale_command(request)) for request in requests]
    acknowledge(selling)
    selling.sell()
    let_time_pass(selling)
    assert prune(selling)
    assert len(seqs(selling)) == 1
    for first, request in zip(sold, requests, strict=True):
        again = selling.run(selling.sale_command(request))
        assert again.recorded_before
        assert same_but_for_the_flag(first, again)
    assert [sale.points_redeemed for sale in sold] == [0, 100, 0]
    other = selling.sale_request(basket_of(1), member_id=MEMBER, receipt_number=requests[0].receipt_number)
    with pytest.raises(ReceiptConflict, match=sold[0].entry_id):
        selling.run(selling.sale_command(other))
    assert len(seqs(selling)) == 1


def test_law_5_the_receipt_of_an_unknown_card_answers_as_before(selling: TerminalMemory) -> None:
    request = selling.sale_request(basket_of(3_000), alias="CARD-9")
    first = selling.run(selling.sale_command(request))
    acknowledge(selling)
    selling.sell()
    let_time_pass(selling)
    prune(selling)
    assert same_but_for_the_flag(first, selling.run(selling.sale_command(request)))


def test_law_5_a_reversal_answers_as_before_when_its_entry_is_gone(selling: TerminalMemory) -> None:
    sold = selling.redeem(selling.hold())
    command = selling.reversal_command(selling.reversal_request("return", sold.receipt))
    first = selling.run(command)
    acknowledge(selling)
    selling.sell()
    let_time_pass(selling)
    prune(selling)
    again = selling.run(command)
    assert again.recorded_before
    assert (again.points_debited, again.points_credited) == (first.points_debited, first.points_credited) == (45, 100)


def test_open_holds_and_their_grants_stay_and_what_ended_goes_with_its_entry(selling: TerminalMemory) -> None:
    left_open, spent, released = (selling.hold() for _ in range(3))
    selling.redeem(spent)
    selling.release(released)
    selling.clock.now += timedelta(days=5)
    selling.run(StoreAcknowledgement(answer=selling.acknowledgement(selling.store.head_seq)))
    acknowledge(selling)
    selling.sell()
    let_time_pass(selling)
    prune(selling)
    assert [row.hold_id for row in selling.rows("SELECT hold_id FROM holds")] == [left_open.hold_id]
    assert [row.hold_id for row in selling.rows("SELECT hold_id FROM hold_grants")] == [left_open.hold_id]
    assert selling.scalar("SELECT count(*) FROM grants") == 1
    with selling.store.reading() as connection:
        assert [hold.hold_id for hold in open_holds(connection, selling.context)] == [left_open.hold_id]
    assert selling.redeem(left_open).points_redeemed == 100


def test_a_closed_grant_goes_when_nothing_holds_it(selling: TerminalMemory) -> None:
    hold = selling.hold()
    selling.clock.now += LONG
    acknowledge(selling)
    assert selling.run(CloseGrants()) == 1
    acknowledge(selling)
    selling.clock.now += LONG
    acknowledge(selling)
    prune(selling)
    assert selling.scalar("SELECT count(*) FROM grants") == 1, "a hold outlives its grant"
    selling.release(hold)
    acknowledge(selling)
    selling.sell()
    let_time_pass(selling)
    prune(selling)
    prune(selling)
    assert selling.scalar("SELECT count(*) FROM grants") == 0


def test_a_grant_stays_until_central_has_heard_for_long_that_it_is_closed(selling: TerminalMemory) -> None:
    """A till that was off for months closes what ended meanwhile, and is told of it once more before central knows."""
    (told,) = selling.rows("SELECT document, key_id, signature FROM grants")
    acknowledge(selling)
    selling.clock.now += 2 * LONG
    acknowledge(selling)
    assert selling.run(CloseGrants()) == 1
    prune(selling)
    selling.know(900, SignedDocument(**told._mapping), revision=9, includes_seq=selling.store.head_seq)
    assert selling.run(CloseGrants()) == 0
    acknowledge(selling)
    selling.sell()
    let_time_pass(selling)
    prune(selling)
    assert selling.scalar("SELECT count(*) FROM grants") == 0


@pytest.mark.parametrize("jump", [YEARS, -YEARS])
def test_law_10_a_jump_of_the_till_s_clock_prunes_nothing_early(selling: TerminalMemory, jump: timedelta) -> None:
    """What a till with a wrong clock holds and spends is kept like anything else: the caps count it."""
    acknowledge(selling)
    central, held = selling.clock.now, selling.hold()
    selling.clock.now += jump
    # Ahead of central's time the grant has ended here; what is held stays held.
    spent = held if jump == YEARS else selling.hold()
    sale = selling.redeem(spent)
    head, hours = selling.store.head_seq, timedelta(hours=1)
    selling.run(StoreAcknowledgement(answer=selling.acknowledgement(head, central_time=central + hours)))
    assert prune(selling) == 0
    assert sale.entry_id in [entry.id for entry in selling.entries()]
    with pytest.raises(HoldNotOpen):
        selling.release(spent)
    selling.clock.now = central
    assert prune(selling) == 0
    selling.check_chain()


def test_law_10_pruning_revives_no_grant(selling: TerminalMemory) -> None:
    """Set back by years, the till still knows by central's time that the grant has ended."""
    selling.clock.now += LONG
    acknowledge(selling)
    selling.clock.now -= YEARS
    prune(selling)
    with pytest.raises(InsufficientPoints):
        selling.hold()


def test_free_pages_go_back_and_the_log_stays_bounded(filed: TerminalMemory) -> None:
    assert filed.path is not None
    filed.know(0)
    for _ in range(3):
        for _ in range(10):
            filed.results(*(filed.sale_command(filed.sale_request(basket_of(*[100] * 20))) for _ in range(100)))
        acknowledge(filed)
        let_time_pass(filed)
        before = filed.path.stat().st_size
        prune(filed)
        while filed.scalar("PRAGMA freelist_count"):
            free = filed.scalar("PRAGMA freelist_count")
            filed.run(Prune(retention=RETENTION))
            assert filed.scalar("PRAGMA freelist_count") < free
        assert filed.path.with_name("journal.db-wal").stat().st_size <= 8 * 2**20
    filed.reopen()
    filed.store.close()
    assert filed.path.stat().st_size < before / 4, "3,000 sales came and went; their receipt keys stay"
