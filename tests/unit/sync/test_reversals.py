"""Recording reversals: Law 9 at the terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.envelope import ReversalBody
from loyalty_sdk.errors import CurrencyMismatch, ReceiptConflict, ReversalRefused
from loyalty_sdk.model import ReturnLine
from sync.answers import StoreChanges
from tests.support.terminal_memory import MEMBER, TerminalMemory, basket_of


def line(number: int, quantity: str = "1") -> ReturnLine:
    return ReturnLine(line=number, quantity=Decimal(quantity))


def test_law_9_a_full_return_nets_exactly_zero(memory: TerminalMemory) -> None:
    memory.know(500, memory.grant(300))
    sale = memory.redeem(memory.hold(2))
    back = memory.reverse("return", sale.receipt)
    assert (back.points_debited, back.points_credited, back.member_id) == (40, 200, MEMBER)
    assert back.balance == 500
    entry = memory.entries()[-1]
    assert isinstance(entry.body, ReversalBody)
    assert entry.body.lines == (line(1),)
    # A return credits the lots at central; only a void restores the grant here.
    assert memory.grant_row("grant-1").spent == 200


def test_law_9_a_void_restores_its_grant(memory: TerminalMemory) -> None:
    memory.know(500, memory.grant(200))
    sale = memory.redeem(memory.hold(2))
    void = memory.reverse("void", sale.receipt)
    assert (void.points_debited, void.points_credited, void.balance) == (40, 200, 500)
    row = memory.grant_row("grant-1")
    assert (row.spent, row.held, row.released, row.state) == (0, 0, 0, "open")
    memory.redeem(memory.hold(2))


def test_law_9_a_void_after_the_close_leaves_the_points_to_central(memory: TerminalMemory) -> None:
    memory.know(500, memory.grant(300))
    sale = memory.redeem(memory.hold(2))
    memory.run(StoreChanges(page=memory.changes(grants_recalled=("grant-1",))))
    void = memory.reverse("void", sale.receipt)
    row = memory.grant_row("grant-1")
    assert (void.points_credited, row.spent, row.released, row.state) == (200, 200, 100, "closed")


def test_a_sale_is_voided_once(memory: TerminalMemory) -> None:
    sale = memory.sell()
    memory.reverse("void", sale.receipt)
    for kind in ("void", "return"):
        with pytest.raises(ReversalRefused, match="reversed before"):
            memory.reverse(kind, sale.receipt)
    assert len(memory.entries()) == 3


def test_a_void_after_a_partial_return_is_refused(memory: TerminalMemory) -> None:
    sale = memory.sell(basket_of(1_000, 2_000))
    memory.reverse("return", sale.receipt, line(1))
    with pytest.raises(ReversalRefused, match="return the rest"):
        memory.reverse("void", sale.receipt)
    assert memory.reverse("return", sale.receipt).points_debited == 20


@given(
    amounts=st.lists(st.integers(1, 9_999), min_size=1, max_size=4),
    order=st.randoms(use_true_random=False),
    rewards=st.integers(0, 2),
)
def test_law_9_parts_sum_to_the_whole(amounts: list[int], order: object, rewards: int) -> None:
    memory = TerminalMemory()
    memory.store_programme()
    memory.know(1_000, memory.grant(400))
    basket = Basket.of("EUR", Line.of("BASE", 5_000), *(Line.of("X", amount, 3) for amount in amounts))
    hold = memory.hold(rewards) if rewards else None
    sale = memory.sell(
        basket,
        discount_minor=0 if hold is None else hold.discount_minor,
        hold_id=None if hold is None else hold.hold_id,
    )
    parts = [line(1), *(line(number) for number in range(2, len(amounts) + 2) for _ in range(3))]
    order.shuffle(parts)  # type: ignore[attr-defined]  # a random.Random of hypothesis
    backs = [memory.reverse("return", sale.receipt, part) for part in parts]
    assert sum(back.points_debited or 0 for back in backs) == sale.points_earned
    assert sum(back.points_credited or 0 for back in backs) == sale.points_redeemed
    assert all((back.points_debited or 0) >= 0 and (back.points_credited or 0) >= 0 for back in backs)
    assert backs[-1].balance == 1_000
    with pytest.raises(ReversalRefused):
        memory.reverse("return", sale.receipt, line(1))
    memory.store.close()


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ((line(1, "3"),), "2 are left of 2 sold"),
        ((line(1, "1"), line(1, "1.5")), "are left of 2 sold"),
        ((line(9),), "there is no line 9"),
    ],
)
def test_more_than_was_sold_is_refused_and_nothing_recorded(
    memory: TerminalMemory, lines: tuple[ReturnLine, ...], text: str
) -> None:
    sale = memory.sell(Basket.of("EUR", Line.of("A", 500, 2)))
    with pytest.raises(ReversalRefused, match=text):
        memory.reverse("return", sale.receipt, *lines)
    assert len(memory.entries()) == 2


def test_a_line_that_was_an_exchange_cannot_come_back(memory: TerminalMemory) -> None:
    sale = memory.sell(Basket.of("EUR", Line.of("A", 1_000), Line.of("B", 300, -1)))
    with pytest.raises(ReversalRefused, match="0 are left of -1 sold"):
        memory.reverse("return", sale.receipt, line(2))
    assert memory.reverse("void", sale.receipt).points_debited == sale.points_earned


def test_law_5_a_retry_answers_the_same_and_another_request_conflicts(memory: TerminalMemory) -> None:
    sale = memory.sell(basket_of(1_000, 2_000))
    request = memory.reversal_request("return", sale.receipt, line(1))
    first = memory.run(memory.reversal_command(request))
    assert memory.run(memory.reversal_command(request)) == replace(first, recorded_before=True)
    with pytest.raises(ReceiptConflict):
        memory.run(memory.reversal_command(replace(request, lines=(line(2),))))
    with pytest.raises(ReceiptConflict):
        memory.reverse("return", sale.receipt, receipt_number=sale.receipt.number)


def test_a_reversal_is_no_sale_to_reverse(memory: TerminalMemory) -> None:
    back = memory.reverse("return", memory.sell().receipt)
    with pytest.raises(ReversalRefused, match="the sale's own receipt"):
        memory.reverse("void", back.receipt)


def test_law_11_a_return_of_a_sale_from_elsewhere_is_left_to_central(memory: TerminalMemory) -> None:
    elsewhere = replace(memory.sell().receipt, register="another lane")
    back = memory.reverse("return", elsewhere, line(1))
    assert (back.points_debited, back.points_credited, back.balance) == (None, None, None)
    entry = memory.entries()[-1]
    assert isinstance(entry.body, ReversalBody)
    assert (entry.body.original, entry.body.lines) == (elsewhere, (line(1),))


def test_an_unlinked_return_takes_what_its_basket_earns(memory: TerminalMemory) -> None:
    memory.know(100)
    back = memory.reverse("unlinked_return", basket=basket_of(2_500), member_id=MEMBER)
    assert (back.points_debited, back.points_credited, back.balance) == (25, 0, 75)


def test_an_unlinked_return_of_nobody_takes_nothing(memory: TerminalMemory) -> None:
    back = memory.reverse("unlinked_return", basket=basket_of(2_500))
    assert (back.points_debited, back.points_credited) == (0, 0)


def test_an_unlinked_return_is_checked(memory: TerminalMemory) -> None:
    with pytest.raises(CurrencyMismatch):
        memory.reverse("unlinked_return", basket=Basket.of("BRL", Line.of("A", 100)))
    with pytest.raises(ReversalRefused, match="positive quantities"):
        memory.reverse("unlinked_return", basket=Basket.of("EUR", Line.of("A", 100), Line.of("B", 50, -1)))


def test_a_return_uses_the_programme_of_its_sale(memory: TerminalMemory) -> None:
    sale = memory.sell()
    memory.store_programme(2, earning=[])
    assert memory.reverse("return", sale.receipt).points_debited == 10
    assert memory.entries()[-1].programme_version == 1


def test_a_return_of_an_anonymous_sale_moves_no_points(memory: TerminalMemory) -> None:
    sale = memory.sell(member_id=None)
    back = memory.reverse("void", sale.receipt)
    assert (back.points_debited, back.points_credited) == (0, 0)


def test_pending_points_are_no_part_of_the_balance_until_they_can_be_spent(memory: TerminalMemory) -> None:
    memory.store_programme(2, pending={"hours": 48})
    memory.know(500, memory.grant(300))
    early, late = memory.sell(basket_of(3_000)), memory.redeem(memory.hold(1))
    assert (early.points_earned, early.balance) == (30, 500)
    assert (late.points_redeemed, late.balance) == (100, 400)
    back = memory.reverse("return", early.receipt)
    assert (back.points_debited, back.balance) == (30, 400)
    memory.clock.now += timedelta(hours=49)
    # Available by now, and, once central has told it, part of the balance.
    back = memory.reverse("return", late.receipt)
    assert (back.points_debited, back.points_credited, back.balance) == (
        late.points_earned,
        100,
        500 - late.points_earned,
    )
