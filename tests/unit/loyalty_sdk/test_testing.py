"""FakeAgent's own laws: offline, holds, returns, training, dedup, faults."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_sdk._fake_feed import EVENTS_MAX
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import (
    AgentFailure,
    BasketInvalid,
    Busy,
    Conflict,
    CurrencyMismatch,
    HoldNotOpen,
    HoldUnknown,
    InsufficientPoints,
    InvalidRequest,
    JournalUnavailable,
    OfflineCapExceeded,
    ReceiptConflict,
    ReceiptUnknown,
    RedemptionRefused,
    ReversalRefused,
    RewardUnavailable,
    ScanUnreadable,
    TrainingMismatch,
)
from loyalty_sdk.model import ReceiptKey, ReturnLine, Scan
from loyalty_sdk.testing import EXAMPLE_PROGRAMME, FakeAgent
from loyalty_sdk.till import Till

CARD = "2400001"
BASKET = Basket.of("EUR", Line.of("COFFEE", 250, 2), Line.of("CAKE", 1_800))
START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake(clock: Clock) -> FakeAgent:
    agent = FakeAgent(now=clock)
    agent.add_member(CARD, "card-2", balance=1_000, name="Ana Maria Sousa", tier="gold")
    return agent


@pytest.fixture
def till(fake: FakeAgent) -> Till:
    return fake.till()


def paid(amount_minor: int) -> list[Tender]:
    return [Tender(kind="cash", amount_minor=amount_minor)] if amount_minor else []


def key(number: str) -> ReceiptKey:
    return ReceiptKey(store="1", register="1", business_date=START.date(), number=number)


def test_a_member_is_known_by_each_alias(till: Till) -> None:
    member = till.identify("card-2")
    assert (member.state, member.name_masked, member.tier, member.balance) == ("known", "Ana S.", "gold", 1_000)
    assert (member.online, member.as_of) == (True, START)


def test_an_alias_belongs_to_one_member(fake: FakeAgent) -> None:
    with pytest.raises(ValueError, match="aliases taken: 2400001"):
        fake.add_member("new", CARD)
    with pytest.raises(ValueError, match="needs an alias"):
        fake.add_member()
    with pytest.raises(KeyError, match="add_member first"):
        fake.balance("nobody")


@pytest.mark.parametrize("code", ["", "  ", "x" * 129, "a\x00b"])
def test_an_unreadable_code_is_refused(till: Till, code: str) -> None:
    with pytest.raises(ScanUnreadable, match="scan again"):
        till.identify(code)


def test_another_currency_is_refused(till: Till) -> None:
    with pytest.raises(CurrencyMismatch, match="in BRL, the programme counts in EUR"):
        till.quote(Basket.of("BRL", Line.of("A", 100)))


def test_a_member_that_is_not_known_here_earns_and_redeems_nothing(till: Till) -> None:
    quote = till.quote(BASKET, "nobody")
    assert (quote.balance, quote.points_earned) == (None, 23)
    with pytest.raises(RewardUnavailable, match="not known here"):
        till.hold_redemption(quote, "five-off")
    sale = till.record_sale(BASKET, "1", paid(2_300), member="nobody")
    assert (sale.member_id, sale.points_earned, sale.balance) == ("nobody", 23, None)


def test_tenders_must_pay_what_is_due(till: Till) -> None:
    with pytest.raises(BasketInvalid, match="pay 100, but 2300 is due"):
        till.record_sale(BASKET, "1", paid(100))
    assert till.record_sale(BASKET, "1", paid(2_302), rounding_minor=2).discount_minor == 0


def test_a_receipt_number_holds_one_content(till: Till) -> None:
    first = till.record_sale(BASKET, "1", paid(2_300))
    assert till.record_sale(BASKET, "1", paid(2_300)).entry_id == first.entry_id
    with pytest.raises(ReceiptConflict, match="take a new receipt number"):
        till.record_sale(Basket.of("EUR", Line.of("A", 100)), "1", paid(100))
    with pytest.raises(ReceiptConflict):
        till.reverse_sale("void", "1", original=first)
    assert not till.record_sale(BASKET, "1", paid(2_300), receipt_series="B").recorded_before


def test_another_business_date_is_another_receipt(till: Till) -> None:
    till.record_sale(BASKET, "1", paid(2_300))
    tomorrow = till.with_context(business_date=START.date() + timedelta(days=1))
    assert not tomorrow.record_sale(BASKET, "1", paid(2_300)).recorded_before


def hold_of(till: Till, **named: Any) -> Any:
    return till.hold_redemption(till.quote(BASKET, till.identify(CARD)), **named)


def test_held_points_cannot_be_held_twice(fake: FakeAgent, till: Till) -> None:
    fake.set_balance(CARD, 250)
    hold_of(till, count=2)
    with pytest.raises(InsufficientPoints, match="100 points are needed, 50 are there"):
        hold_of(till, reward_id="five-off")
    assert fake.balance(CARD) == 250


def test_a_hold_is_spent_once(till: Till) -> None:
    hold = hold_of(till)
    till.record_sale(BASKET, "1", paid(1_800), hold=hold)
    with pytest.raises(HoldNotOpen, match="is spent"):
        till.record_sale(BASKET, "2", paid(1_800), hold=hold)
    with pytest.raises(HoldNotOpen, match="reverse the sale"):
        till.release(hold)
    with pytest.raises(HoldNotOpen):
        hold_of(till, redemption_id=hold.hold_id)


def test_a_released_hold_frees_its_points(fake: FakeAgent, till: Till) -> None:
    fake.set_balance(CARD, 100)
    till.release(hold_of(till))
    assert fake.open_holds == ()
    assert hold_of(till).points == 100


def test_an_unknown_hold_is_refused(till: Till) -> None:
    with pytest.raises(HoldUnknown, match="ask open_holds"):
        till.release("nothing")


def test_a_redemption_id_holds_one_content(till: Till) -> None:
    hold_of(till, redemption_id="r-1")
    with pytest.raises(Conflict, match="use a new redemption_id"):
        hold_of(till, redemption_id="r-1", count=2)


def test_a_hold_serves_its_member_and_a_basket_that_carries_it(fake: FakeAgent, till: Till) -> None:
    hold = hold_of(till)
    with pytest.raises(InvalidRequest, match="another member"):
        till.record_sale(BASKET, "1", paid(1_800), member=fake.add_member("other"), hold=hold)
    with pytest.raises(BasketInvalid, match="release the hold"):
        till.record_sale(Basket.of("EUR", Line.of("A", 400)), "1", [], hold=hold)


@pytest.mark.parametrize(("reward_id", "count"), [("other", 1), ("five-off", 0), ("five-off", 3)])
def test_a_reward_out_of_reach_is_refused(till: Till, reward_id: str, count: int) -> None:
    with pytest.raises(RewardUnavailable):
        hold_of(till, reward_id=reward_id, count=count)


def test_holds_are_listed_by_register(fake: FakeAgent, till: Till) -> None:
    hold = hold_of(till)
    assert fake.till(register="2").open_holds() == ()
    assert fake.open_holds == till.open_holds() == (hold,)


def test_offline_the_balance_is_the_last_one_with_the_tills_own_entries(fake: FakeAgent, till: Till) -> None:
    member = till.identify(CARD)
    fake.offline = True
    fake.set_balance(CARD, 5_000)
    assert till.record_sale(BASKET, "1", paid(2_300), member=member).balance == 1_023
    shown = till.identify(CARD)
    assert (shown.balance, shown.online, shown.as_of) == (1_023, False, START)
    assert fake.balance(CARD) == 5_000
    fake.offline = False
    assert (fake.balance(CARD), till.identify(CARD).balance) == (5_023, 5_023)


def test_offline_a_card_never_seen_is_unconfirmed_and_earns_later(fake: FakeAgent, till: Till) -> None:
    fake.offline = True
    member = till.identify(CARD)
    assert (member.state, member.alias, member.balance) == ("unconfirmed", CARD, None)
    till.record_sale(BASKET, "1", paid(2_300), member=member)
    assert fake.balance(CARD) == 1_000
    fake.offline = False
    assert fake.balance(CARD) == 1_023


def test_offline_the_queue_grows_and_drains(fake: FakeAgent, till: Till) -> None:
    till.record_sale(BASKET, "1", paid(2_300))
    fake.offline = True
    till.record_sale(BASKET, "2", paid(2_300))
    status = till.status()
    assert (status.head_seq, status.watermark, status.queue_length, status.central_online) == (2, 1, 1, False)
    assert "sell on" in status.warnings[0]
    fake.offline = False
    assert (till.status().queue_length, till.status().warnings) == (0, ())


def test_offline_only_granted_points_are_redeemed(fake: FakeAgent, till: Till) -> None:
    till.identify(CARD)
    fake.offline = True
    till.record_sale(BASKET, "1", paid(1_300), hold=hold_of(till, count=2))
    with pytest.raises(InsufficientPoints, match="0 were set aside"):
        hold_of(till, reward_id="five-off")
    fake.offline = False
    assert fake.balance(CARD) == 1_000 - 200 + 13


def test_offline_a_released_hold_gives_its_points_back_to_the_grant(fake: FakeAgent, till: Till) -> None:
    till.identify(CARD)
    fake.offline = True
    for _ in range(5):
        till.release(hold_of(till, count=2))
    fake.offline = False
    assert fake.balance(CARD) == 1_000


def test_offline_a_grant_runs_out(fake: FakeAgent, till: Till, clock: Clock) -> None:
    till.identify(CARD)
    fake.programme = _with_caps(hours_since_contact_max=1_000)
    fake.offline = True
    clock.now += timedelta(hours=96)
    with pytest.raises(InsufficientPoints):
        hold_of(till, reward_id="five-off")


def _with_caps(**changes: int) -> Any:
    return replace(EXAMPLE_PROGRAMME, offline=replace(EXAMPLE_PROGRAMME.offline, **changes))


@pytest.mark.parametrize(
    ("caps", "cap"),
    [
        ({"points_per_sale_max": 99}, "points_per_sale_max"),
        ({"points_per_member_max": 150}, "points_per_member_max"),
        ({"redemptions_per_member_max": 1}, "redemptions_per_member_max"),
    ],
)
def test_offline_the_caps_hold(till: Till, fake: FakeAgent, caps: dict[str, int], cap: str) -> None:
    till.identify(CARD)
    fake.programme = _with_caps(**caps)
    fake.offline = True
    if cap != "points_per_sale_max":
        till.release(hold_of(till))
        hold_of(till)
    with pytest.raises(OfflineCapExceeded, match=cap):
        hold_of(till)


def test_offline_nothing_is_redeemed_long_after_the_last_contact(fake: FakeAgent, till: Till, clock: Clock) -> None:
    till.identify(CARD)
    fake.offline = True
    clock.now += timedelta(hours=72, seconds=1)
    with pytest.raises(OfflineCapExceeded, match="hours_since_contact_max"):
        hold_of(till, reward_id="five-off")


def test_offline_a_void_gives_its_points_back_to_the_grant(fake: FakeAgent, till: Till) -> None:
    till.identify(CARD)
    fake.programme = _with_caps(points_per_member_max=1_000)
    fake.offline = True
    sale = till.record_sale(BASKET, "1", paid(1_300), hold=hold_of(till, count=2))
    till.reverse_sale("void", "2", original=sale)
    assert hold_of(till).points == 100


def test_a_debt_is_shown_as_a_negative_balance(fake: FakeAgent, till: Till) -> None:
    fake.set_balance(CARD, 0)
    sale = till.record_sale(BASKET, "1", paid(2_300), member=till.identify(CARD))
    fake.set_balance(CARD, 10)
    assert till.reverse_sale("void", "2", original=sale).balance == -13
    assert till.quote(BASKET, till.identify(CARD)).rewards[0].count_max == 0


def test_nothing_comes_back_twice(till: Till) -> None:
    sale = till.record_sale(BASKET, "1", paid(2_300))
    lines = [ReturnLine(line=1, quantity=Decimal(2))]
    first = till.reverse_sale("return", "2", original=sale, lines=lines)
    assert till.reverse_sale("return", "2", original=sale, lines=lines).entry_id == first.entry_id
    with pytest.raises(ReversalRefused, match="2 would come back, 0 is left"):
        till.reverse_sale("return", "3", original=sale, lines=lines)
    with pytest.raises(ReversalRefused, match="return what is left"):
        till.reverse_sale("void", "3", original=sale)
    till.reverse_sale("return", "3", original=sale)
    with pytest.raises(ReversalRefused, match="returned before"):
        till.reverse_sale("return", "4", original=sale)


def test_lines_that_are_not_there_do_not_come_back(till: Till) -> None:
    sale = till.record_sale(BASKET, "1", paid(2_300))
    with pytest.raises(ReversalRefused):
        till.reverse_sale("return", "2", original=sale, lines=[ReturnLine(line=3, quantity=Decimal(1))])
    with pytest.raises(InvalidRequest, match="lines is empty"):
        till.reverse_sale("return", "2", original=sale, lines=[])


def test_one_line_may_be_named_in_parts(till: Till) -> None:
    sale = till.record_sale(BASKET, "1", paid(2_300))
    lines = [ReturnLine(line=1, quantity=Decimal(1)), ReturnLine(line=1, quantity=Decimal(2))]
    with pytest.raises(ReversalRefused, match="3 would come back, 2 is left"):
        till.reverse_sale("return", "2", original=sale, lines=lines)


def test_a_sale_of_another_till_is_reversed_by_central(till: Till) -> None:
    reversal = till.reverse_sale("void", "2", original=key("elsewhere"))
    assert (reversal.points_debited, reversal.points_credited, reversal.balance) == (None, None, None)


def test_a_reversal_is_not_reversed(till: Till) -> None:
    reversal = till.reverse_sale("void", "2", original=till.record_sale(BASKET, "1", paid(2_300)))
    with pytest.raises(ReversalRefused, match="only sales"):
        till.reverse_sale("void", "3", original=reversal.receipt)


def test_what_is_paid_back_is_positive(till: Till) -> None:
    with pytest.raises(InvalidRequest, match="above 0"):
        till.reverse_sale("unlinked_return", "1", basket=BASKET, tenders=paid(-2_300))
    mixed = Basket.of("EUR", Line.of("A", 500), Line.of("B", 100, -1))
    with pytest.raises(ReversalRefused, match="positive quantities"):
        till.reverse_sale("unlinked_return", "1", basket=mixed)


def test_training_is_counted_nowhere(fake: FakeAgent, till: Till) -> None:
    training = till.with_context(training=True)
    hold = hold_of(training)
    sale = training.record_sale(BASKET, "1", paid(1_800), hold=hold)
    training.reverse_sale("void", "2", original=sale)
    assert (sale.training, sale.points_redeemed, fake.balance(CARD)) == (True, 100, 1_000)
    assert (fake.sales, fake.reversals, till.status().head_seq) == ((), (), 0)
    assert training.receipt_block(sale).lines[0] == "*** TRAINING ***"
    assert not till.record_sale(BASKET, "1", paid(2_300)).recorded_before


def test_training_and_sales_do_not_mix(till: Till) -> None:
    training = till.with_context(training=True)
    exercise, real = hold_of(training), hold_of(till)
    with pytest.raises(TrainingMismatch, match="made in training"):
        till.record_sale(BASKET, "1", paid(1_800), hold=exercise)
    with pytest.raises(TrainingMismatch, match="made in sales"):
        training.release(real)
    sale = till.record_sale(BASKET, "1", paid(1_800), hold=real)
    with pytest.raises(TrainingMismatch):
        training.reverse_sale("void", "2", original=sale)


def test_a_receipt_is_printed_once_and_copies_say_so(fake: FakeAgent, till: Till) -> None:
    sale = till.record_sale(BASKET, "1", paid(2_300), member=till.identify(CARD))
    job = till.print_receipt(sale)
    assert (job, job.state) == (till.print_receipt(sale), "printed")
    assert job.ended_at is not None
    till.print_receipt(sale, copy=True)
    assert [printed.copy for printed in fake.printed] == [False, True]
    assert fake.printed[1].text.startswith("*** COPY ***\nsale 1/1 2026-05-01 1\n")


def test_a_receipt_block_fits_its_columns(till: Till) -> None:
    sale = till.record_sale(BASKET, "1", paid(2_300), member=till.identify(CARD))
    block = till.receipt_block(sale, columns=20)
    assert block.lines == ("Example", "Points earned     23", "Balance         1023")
    assert block.escpos.decode("cp858").splitlines() == list(block.lines)
    assert b"\x1b" not in block.escpos


def test_a_receipt_that_was_never_recorded_is_unknown(till: Till) -> None:
    with pytest.raises(ReceiptUnknown, match="record the sale first"):
        till.print_receipt(key("nothing"))


def test_faults_come_in_their_order_and_for_their_calls(fake: FakeAgent, till: Till) -> None:
    fake.fail_next(JournalUnavailable("the disk is full"), on="record_sale")
    fake.fail_next(Busy("one moment"), times=2)
    with pytest.raises(JournalUnavailable, match="the disk is full") as raised:
        till.record_sale(BASKET, "1", paid(2_300))
    assert raised.value.request_id == "fake-1"
    assert fake.sales == ()
    assert till.record_sale(BASKET, "1", paid(2_300)).points_earned == 0


def test_a_garbled_answer_after_recording_is_found_again(fake: FakeAgent, till: Till) -> None:
    fake.fail_next("answer_garbled")
    with pytest.raises(AgentFailure):
        till.record_sale(BASKET, "1", paid(2_300))
    assert till.record_sale(BASKET, "1", paid(2_300)).recorded_before


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/v1/nothing", b"{}", 404),
        ("GET", "/v1/sales", b"", 404),
        ("POST", "/v1/sales", b"{}", 422),
        ("POST", "/v1/sales", b"not json", 422),
        ("POST", "/v1/sales", b"x" * 1_000_001, 422),
        ("GET", "/v1/status", b"", 422),
    ],
)
def test_the_api_is_strict(fake: FakeAgent, method: str, path: str, content: bytes, status: int) -> None:
    headers = {"Authorization": "Bearer fake-token", "Content-Type": "application/json"}
    with httpx.Client(transport=fake.transport, base_url="http://fake") as client:
        response = client.request(method, path, content=content, headers=headers)
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
        assert client.request(method, path, content=content).status_code == 401


def test_who_waits_for_scans_is_woken_from_another_thread(fake: FakeAgent, till: Till) -> None:
    timer = threading.Timer(0.05, fake.scan, ["4711"])
    timer.start()
    event = next(till.scans())
    timer.join()
    assert isinstance(event, Scan)
    assert event.data == "4711"


async def test_who_awaits_scans_is_woken_from_another_thread(fake: FakeAgent) -> None:
    async with fake.async_till() as till:
        waiting = asyncio.ensure_future(anext(till.scans()))
        await asyncio.sleep(0)
        await asyncio.to_thread(fake.scan, "4711")
        event = await waiting
    assert isinstance(event, Scan)
    assert event.data == "4711"


def test_what_a_keyboard_wedge_types_is_read_as_a_scanner_reads_it(fake: FakeAgent, till: Till) -> None:
    fake.code_kinds["99001"] = "voucher"
    fake.scan("]C099001")
    scanned = next(event for event in till.scans() if isinstance(event, Scan))
    typed = till.decode(" ]C099001\r", "scanned")
    for scan in (scanned, typed):
        assert (scan.data, scan.value, scan.kind, scan.raw) == ("99001", "99001", "voucher", b"]C099001")
        assert (scan.symbology, scan.scan_data_type) == ("CODE128", 110)
    assert till.decode("4711").symbology == "UNKNOWN"
    assert till.identify(f"]Q1{CARD}").state == "known"


def test_events_that_nobody_reads_have_a_limit(fake: FakeAgent) -> None:
    for _ in range(EVENTS_MAX):
        fake.scan("4711")
    with pytest.raises(OverflowError, match="nobody listens"):
        fake.scan("4711")


def test_many_threads_sell_at_once(fake: FakeAgent, till: Till) -> None:
    member = till.identify(CARD)
    threads = [
        threading.Thread(target=till.record_sale, args=(BASKET, str(number), paid(2_300)), kwargs={"member": member})
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(fake.sales), fake.balance(CARD)) == (8, 1_000 + 8 * 23)


actions = st.lists(st.sampled_from(("sell", "redeem", "void", "return", "offline", "online", "identify")), max_size=12)


@settings(max_examples=30)
@given(actions)
def test_whatever_happens_the_points_add_up(script: list[str]) -> None:
    fake = FakeAgent()
    fake.add_member(CARD, balance=1_000)
    with fake.till(business_date=date(2026, 5, 1)) as till:
        for number, action in enumerate(script):
            _play(fake, till, action, str(number))
        fake.offline = False
        for hold in till.open_holds():
            till.release(hold)
        moved = sum(sale.points_earned - sale.points_redeemed for sale in fake.sales)
        moved += sum((back.points_credited or 0) - (back.points_debited or 0) for back in fake.reversals)
        assert fake.balance(CARD) == till.identify(CARD).balance == 1_000 + moved


def _play(fake: FakeAgent, till: Till, action: str, number: str) -> None:
    if action in ("offline", "online"):
        fake.offline = action == "offline"
        return
    member = till.identify(CARD)
    if action == "sell":
        till.record_sale(BASKET, number, paid(2_300), member=member)
    elif action == "redeem" and member.member_id:
        with suppress(RedemptionRefused):
            hold = hold_of(till, reward_id="five-off")
            till.record_sale(BASKET, number, paid(1_800), hold=hold)
    elif action in ("void", "return") and fake.sales:
        _take_back(fake, till, action, number)


def _take_back(fake: FakeAgent, till: Till, action: Any, number: str) -> None:
    lines = [ReturnLine(line=1, quantity=Decimal(1))] if action == "return" else None
    try:
        till.reverse_sale(action, number, original=fake.sales[-1], lines=lines)
    except ReversalRefused:
        assert fake.reversals
