"""Both handles against FakeAgent: the same calls, the same answers. And what they refuse without asking."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import (
    AccessRefused,
    AgentUnreachable,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    ReceiptUnknown,
    RewardUnavailable,
    ScanUnreadable,
)
from loyalty_sdk.model import Member, PrinterStatus, PrintJob, Progress, ReceiptKey, ReturnLine, Scan, ScannerStatus
from loyalty_sdk.programme import Programme, Reward
from loyalty_sdk.testing import FakeAgent
from loyalty_sdk.till import AsyncTill, Till

DAY = date(2026, 5, 1)
BASKET = Basket.of("EUR", Line.of("COFFEE", 250, 2), Line.of("CAKE", 1_800))
CARD = "2400001"


class Awaited:
    """An AsyncTill as if it were a Till, on an event loop of the test's own."""

    def __init__(self, till: AsyncTill, runner: asyncio.Runner) -> None:
        self._till = till
        self._runner = runner

    def with_context(self, **changes: Any) -> Awaited:
        return Awaited(self._till.with_context(**changes), self._runner)

    def scans(self) -> Iterator[Scan | ScannerStatus]:
        events = self._till.scans()
        while True:
            yield self._runner.run(anext(events))  # type: ignore[arg-type]  # the generator's anext is a coroutine

    def events(self) -> Iterator[Scan | ScannerStatus | PrinterStatus | PrintJob]:
        events = self._till.events()
        while True:
            yield self._runner.run(anext(events))  # type: ignore[arg-type]  # the generator's anext is a coroutine

    def progress(self) -> Iterator[Progress]:
        events = self._till.progress()
        while True:
            yield self._runner.run(anext(events))  # type: ignore[arg-type]  # the generator's anext is a coroutine

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._till, name)

        async def run(*arguments: Any, **named: Any) -> Any:
            return await method(*arguments, **named)

        return lambda *arguments, **named: self._runner.run(run(*arguments, **named))


@pytest.fixture
def fake() -> FakeAgent:
    agent = FakeAgent(now=lambda: datetime(2026, 5, 1, 9, 30, tzinfo=UTC))
    agent.add_member(CARD, balance=250, name="Ana Sousa")
    return agent


@pytest.fixture(params=["Till", "AsyncTill"])
def till(request: pytest.FixtureRequest, fake: FakeAgent) -> Iterator[Any]:
    if request.param == "Till":
        with fake.till(store="12", register="3", cashier="77", business_date=DAY) as blocking:
            yield blocking
        return
    with asyncio.Runner() as runner:
        awaited = Awaited(fake.async_till(store="12", register="3", cashier="77", business_date=DAY), runner)
        yield awaited
        awaited.close()


def paid(amount_minor: int) -> list[Tender]:
    return [Tender(kind="card", amount_minor=amount_minor)]


def test_the_way_of_a_sale(till: Any, fake: FakeAgent) -> None:
    fake.scan(CARD, "3", symbology="]C1")
    scan = next(till.scans())
    assert (scan.data, scan.entry_method, scan.symbology) == (CARD, "scanned", "]C1")
    member = till.identify(scan)
    quote = till.quote(BASKET, member)
    assert (quote.points_earned, quote.balance, quote.rewards[0].count_max) == (23, 250, 2)
    hold = till.hold_redemption(quote)
    assert till.open_holds() == (hold,)
    sale = till.record_sale(BASKET, "0001", paid(1_800), hold=hold)
    assert (sale.points_earned, sale.points_redeemed, sale.balance, sale.member_id) == (18, 100, 168, member.member_id)
    assert sale.receipt == ReceiptKey(store="12", register="3", business_date=DAY, number="0001")
    assert till.open_holds() == ()
    assert "168" in till.receipt_block(sale).lines[-1]
    assert till.print_receipt(sale) == till.print_receipt(sale.receipt)
    reversal = till.reverse_sale("void", "0002", original=sale, tenders=paid(1_800))
    assert (reversal.points_debited, reversal.points_credited, reversal.balance) == (18, 100, 250)
    assert till.receipt_block(reversal).lines[-1].endswith(" 250")
    assert till.status().head_seq == 2


def test_scans_are_not_disturbed_by_printers_and_events_tell_both(till: Any, fake: FakeAgent) -> None:
    fake.printer_status("cover_open", "3", reason="close the cover")
    fake.scan(CARD, "3")
    assert next(till.scans()).data == CARD
    fake.scan(CARD, "3")
    fake.printer_status("rec_nearempty", "3")
    job = PrintJob(job_id="front:7", state="unknown", reason="look at the paper", printer="front")
    fake.print_job_ended(job, "3")
    events = till.events()
    assert next(events).data == CARD
    assert next(events) == PrinterStatus(printer="fake", status="rec_nearempty", code=25)
    assert next(events) == job


def test_progress_has_a_stream_of_its_own_and_takes_no_scan_away(till: Any, fake: FakeAgent) -> None:
    fake.scan(CARD, "3")
    told = Progress(entries_left=40, entries_per_s=Decimal("2.5"), time_left_s=16)
    fake.progress_made(told)
    assert next(till.progress()) == told
    assert next(till.scans()).data == CARD
    assert till.status().progress == Progress(entries_left=0)


def test_the_spool_is_shown_and_a_receipt_is_printed_again(till: Any, fake: FakeAgent) -> None:
    sale = till.record_sale(BASKET, "0001", paid(2_300), member=till.identify(CARD))
    first = till.print_receipt(sale)
    copies = till.reprint(), till.reprint(first)
    assert [(job.content, job.receipt) for job in copies] == [("copy", sale.receipt)] * 2
    assert till.print_jobs() == (*reversed(copies), first)
    assert till.cancel_print(first) == first, "it is printed already"
    assert till.print_test().content == "test"
    assert "*** COPY ***" in fake.printed[1].text
    with pytest.raises(NotFound, match="print_jobs"):
        till.cancel_print("nowhere:1")
    with pytest.raises(ReceiptUnknown, match="no receipt"):
        till.reprint(till.print_test())
    assert till.status().head_seq == 1, "no copy is recorded"


def test_a_z_report_closes_a_date_once_and_a_late_receipt_has_its_own(till: Any, fake: FakeAgent) -> None:
    member = till.identify(CARD)
    sale = till.record_sale(BASKET, "0001", paid(2_300), member=member)
    till.reverse_sale("void", "0002", original=sale, tenders=paid(2_300))
    interim = till.report("x")
    assert (interim.number, interim.sales, interim.members, interim.points_earned) == (None, 1, 1, 23)
    assert (interim.sales_minor, interim.points_taken_back, interim.currency) == (2_300, 23, "EUR")
    first = till.report("z", printed=True)
    assert (first.number, first.copy, fake.printed[-1].content) == (1, False, "report")
    again = till.report("z")
    assert (again.number, again.copy, again.sales) == (1, True, 1)
    till.record_sale(BASKET, "0003", paid(2_300))
    late = till.report("z")
    assert (late.number, late.earlier_numbers, late.sales, late.member_sales) == (2, (1,), 1, 0)
    assert till.report("z", number=1).sales == 1
    assert till.report("x").sales == 0
    with pytest.raises(NotFound, match="no Z report 9"):
        till.report("z", number=9)
    with pytest.raises(InvalidRequest, match="training"):
        till.with_context(training=True).report("x")
    with pytest.raises(InvalidRequest, match="counts from 1"):
        till.report("x", number=1)


def test_a_text_is_decoded_and_a_scanner_is_told_what_to_do(till: Any, fake: FakeAgent) -> None:
    scan = till.decode(f" {CARD}\r", "scanned")
    assert (scan.data, scan.value, scan.kind, scan.entry_method) == (CARD, CARD, "unknown", "scanned")
    assert till.identify(scan).balance == till.identify(CARD).balance
    assert till.decode(CARD).entry_method == "keyed"
    with pytest.raises(ScanUnreadable, match="key it in"):
        till.decode(" ")
    assert till.command_scanner("beep", "counter") == ScannerStatus(scanner="counter", state="online")
    assert fake.scanner_commands == ["beep"]
    with pytest.raises(InvalidRequest, match="command must be one of enable, disable, beep"):
        till.command_scanner("sing")


def test_a_text_counts_as_keyed(till: Any) -> None:
    keyed, scanned = till.identify(CARD), till.identify(Scan(data=CARD, entry_method="keyed"))
    assert (keyed.member_id, keyed.balance) == (scanned.member_id, scanned.balance)


def test_a_part_of_a_sale_comes_back(till: Any) -> None:
    sale = till.record_sale(BASKET, "0001", paid(2_300), member=till.identify(CARD))
    lines = [ReturnLine(line=1, quantity=Decimal(1))]
    part = till.reverse_sale("return", "0002", original=sale.receipt, lines=lines, tenders=paid(250))
    rest = till.reverse_sale("return", "0003", original=sale, tenders=paid(2_050))
    assert (part.points_debited, rest.points_debited) == (3, 20)


def test_a_return_without_a_receipt(till: Any) -> None:
    member = till.identify(CARD)
    reversal = till.reverse_sale("unlinked_return", "0001", basket=BASKET, member=member, tenders=paid(2_300))
    assert (reversal.points_debited, reversal.balance) == (23, 227)


def test_a_hold_is_released(till: Any) -> None:
    hold = till.hold_redemption(till.quote(BASKET, till.identify(CARD)))
    assert till.release(hold) == till.release(hold.hold_id, reason="again") == hold


def test_a_redemption_id_makes_a_hold_repeatable(till: Any) -> None:
    quote = till.quote(BASKET, till.identify(CARD))
    redemption_id = "0190163d-8694-739b-aea5-966c26f8ad91"
    first = till.hold_redemption(quote, redemption_id=redemption_id)
    assert till.hold_redemption(quote, redemption_id=redemption_id) == first
    assert till.hold_redemption(quote).hold_id != redemption_id


def test_a_member_may_be_named_by_id(till: Any) -> None:
    member_id = till.identify(CARD).member_id
    quote = till.quote(BASKET, member_id)
    hold = till.hold_redemption(quote, "five-off", 2)
    sale = till.record_sale(BASKET, "0001", paid(1_300), member=member_id, hold=hold.hold_id)
    assert (sale.points_redeemed, sale.discount_minor) == (200, 1_000)


def test_an_unknown_card_stays_with_the_sale(till: Any, fake: FakeAgent) -> None:
    member = till.identify("2400009")
    assert (member.state, member.member_id) == ("unknown", None)
    sale = till.record_sale(BASKET, "0001", paid(2_300), member=member)
    assert (sale.member_id, sale.points_earned, sale.balance) == (None, 23, None)
    fake.add_member("2400009")
    assert fake.balance("2400009") == 23


def test_a_lost_answer_is_repeated_and_counted_once(till: Any, fake: FakeAgent) -> None:
    fake.fail_next("answer_lost", times=3)
    sale = till.record_sale(BASKET, "0001", paid(2_300), member=Member(state="unknown", message="", alias="x"))
    assert sale.recorded_before
    assert len(fake.sales) == 1


def test_after_an_unknown_outcome_the_same_call_finds_the_sale(till: Any, fake: FakeAgent) -> None:
    fake.fail_next("answer_lost", times=4, on="record_sale")
    with pytest.raises(OutcomeUnknown):
        till.record_sale(BASKET, "0001", paid(2_300))
    assert till.record_sale(BASKET, "0001", paid(2_300)).recorded_before
    assert len(fake.sales) == 1


def test_nothing_is_recorded_by_an_agent_that_is_not_there(till: Any, fake: FakeAgent) -> None:
    fake.fail_next("unreachable", times=4)
    with pytest.raises(AgentUnreachable):
        till.record_sale(BASKET, "0001", paid(2_300))
    assert fake.sales == ()


def test_another_context_shares_the_connection(till: Any, fake: FakeAgent) -> None:
    other = till.with_context(cashier="78", business_date=date(2026, 5, 2), training=True)
    exercise = other.record_sale(BASKET, "0001", paid(2_300))
    assert (exercise.training, exercise.receipt.business_date) == (True, date(2026, 5, 2))
    assert fake.sales == ()
    other.close()
    assert till.identify(CARD).balance == 250


def test_scanners_that_come_and_go_are_events(till: Any, fake: FakeAgent) -> None:
    fake.scanner_status("offline", "3", reason="unplugged")
    fake.break_stream("3")
    fake.scan(CARD, "3")
    events = till.scans()
    seen = [next(events) for _ in range(4)]
    assert seen[0] == ScannerStatus(scanner="fake", state="offline", reason="unplugged")
    assert [event.state for event in seen[1:3]] == ["offline", "online"]
    assert seen[3].data == CARD


def test_several_rewards_must_be_named(till: Any, fake: FakeAgent) -> None:
    second = Reward(id="one-off", points=20, discount_minor=100)
    fake.programme = Programme(
        format="loyalty-programme-1", name="x", version=2, currency="EUR", rewards=(*fake.programme.rewards, second)
    )
    quote = till.quote(BASKET, till.identify(CARD))
    with pytest.raises(InvalidRequest, match="reward_id: five-off, one-off"):
        till.hold_redemption(quote)
    assert till.hold_redemption(quote, "one-off").points == 20


def test_no_reward_says_why(till: Any, fake: FakeAgent) -> None:
    fake.set_balance(CARD, 99)
    with pytest.raises(RewardUnavailable, match="100 points are needed, 99 are there"):
        till.hold_redemption(till.quote(BASKET, till.identify(CARD)))


def test_no_member_no_reward(till: Any) -> None:
    with pytest.raises(RewardUnavailable, match="quote with the member"):
        till.hold_redemption(till.quote(BASKET))


@pytest.mark.parametrize(
    ("method", "arguments", "named", "says"),
    [
        ("reverse_sale", ("void", "0001"), {}, "names its original"),
        ("receipt_block", (ReceiptKey(store="1", register="1", business_date=DAY, number="1"), 10), {}, "20 to 80"),
        ("identify", ("\ud800",), {}, "surrogate"),
        ("record_sale", (BASKET, "0001", []), {"occurred_at": datetime(2026, 5, 1)}, "offset"),
        ("record_sale", (BASKET, "0001", 7), {}, "record_sale"),
        ("identify", ("x" * 1_000_001,), {}, "1000000 are allowed"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    till: Any, method: str, arguments: tuple[Any, ...], named: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        getattr(till, method)(*arguments, **named)


def make(**changes: Any) -> Till:
    given: dict[str, Any] = {"store": "12", "register": "3", "cashier": "77", "business_date": DAY}
    return Till(**given | {"agent": "http://a", "token": "t"} | changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"store": ""}, "store is empty"),
        ({"business_date": "2026-05-01"}, "datetime.date"),
        ({"business_date": datetime(2026, 5, 1)}, "datetime.date"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"agent": "agent.sock"}, "unix:"),
    ],
)
def test_a_till_is_made_with_what_it_needs(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        make(**changes)


def test_a_changed_context_is_checked_too() -> None:
    with pytest.raises(InvalidRequest, match="cashier is empty"):
        make().with_context(cashier="")


def test_both_handles_have_the_same_methods_with_the_same_parameters() -> None:
    ignored = {"self", "transport"}
    for name in {name for name in dir(Till) if not name.startswith("_")} | {"__init__"}:
        blocking, awaiting = (inspect.signature(getattr(cls, name)).parameters for cls in (Till, AsyncTill))
        assert {key: str(value) for key, value in blocking.items() if key not in ignored} == {
            key: str(value) for key, value in awaiting.items() if key not in ignored
        }


def test_no_agent_names_the_remedy(tmp_path: Path) -> None:
    remedy = f"start it with `loyalty-agent run --directory {tmp_path}`"
    with make(agent=f"unix:{tmp_path}/agent.sock", token=None) as till, pytest.raises(AgentUnreachable, match=remedy):
        till.identify(CARD)


def test_an_agent_without_a_token_file_names_the_remedy(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent.sock"))
        with (
            make(agent=f"unix:{tmp_path}/agent.sock", token=None) as till,
            pytest.raises(AccessRefused, match="no token"),
        ):
            till.identify(CARD)


async def test_no_agent_names_the_remedy_to_who_awaits(tmp_path: Path) -> None:
    async with AsyncTill(
        store="12", register="3", cashier="77", business_date=DAY, agent=f"unix:{tmp_path}/agent.sock"
    ) as till:
        with pytest.raises(AgentUnreachable, match="start it with `loyalty-agent run"):
            await till.identify(CARD)


def test_a_wrong_token_is_refused(fake: FakeAgent) -> None:
    with make(transport=fake.transport) as till, pytest.raises(AccessRefused, match="token"):
        till.status()
