"""Training: the same rules in memory, and nothing of it anywhere else."""

from dataclasses import replace
from decimal import Decimal

import pytest

from loyalty_sdk.basket import Tender
from loyalty_sdk.errors import (
    HoldNotOpen,
    HoldUnknown,
    ReceiptConflict,
    ReceiptUnknown,
    ReversalRefused,
    TrainingMismatch,
)
from loyalty_sdk.local import OpenHoldsRequest, ReceiptBlockRequest, ReleaseRequest, ReversalRequest
from loyalty_sdk.model import ReturnLine
from terminal_agent import training
from tests.unit.terminal_agent.rig import ANA, BASKET, Rig, context, grant, hold_request, sale_request

PAID = (Tender(kind="card", amount_minor=24_500),)
HOLD = hold_request(training=True)


async def call(rig: Rig, path: str, request: object) -> object:
    operation = next(operation for operation in rig.operations if operation.path == path)
    return await operation.call(request)


@pytest.fixture(autouse=True)
def ana(rig: Rig) -> None:
    rig.know_ana(grants=(grant("ahead", 200),))


async def test_nothing_reaches_journal_grants_or_central(rig: Rig) -> None:
    before = rig.head_seq()
    rig.training.hold(HOLD)
    sale = rig.training.record_sale(
        sale_request("T1", training=True, member_id=ANA, hold_id=HOLD.redemption_id, tenders=PAID)
    )
    assert (sale.training, sale.points_earned, sale.points_redeemed, sale.balance) == (True, 245, 100, 445)
    assert rig.head_seq() == before
    assert rig.central.requests == []
    with rig.store.reading() as connection:
        assert connection.exec_driver_sql("SELECT sum(held + spent) FROM grants").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM holds").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM receipts").scalar() == 0


async def test_training_and_real_holds_do_not_mix(rig: Rig) -> None:
    rig.training.hold(HOLD)
    with pytest.raises(TrainingMismatch):
        await call(rig, "/v1/sales", sale_request(member_id=ANA, hold_id=HOLD.redemption_id, tenders=PAID))
    rig.central.down()
    real = await rig.service.hold(hold_request("0190c2f0-0000-7000-8000-000000000002"))
    with pytest.raises(TrainingMismatch):
        rig.training.record_sale(sale_request("T1", training=True, member_id=ANA, hold_id=real.hold_id, tenders=PAID))
    with pytest.raises(HoldNotOpen):
        rig.training.record_sale(sale_request("T1", training=True, hold_id="nothing"))


async def test_holds_are_listed_released_and_spent(rig: Rig) -> None:
    hold = rig.training.hold(HOLD)
    here = OpenHoldsRequest(context=context(training=True))
    assert rig.training.open_holds(here).holds == (hold,)
    assert rig.training.open_holds(OpenHoldsRequest(context=context(register="9", training=True))).holds == ()
    release = ReleaseRequest(context=context(training=True), hold_id=hold.hold_id)
    assert rig.training.release(release) == rig.training.release(release) == hold
    assert rig.training.open_holds(here).holds == ()
    with pytest.raises(HoldUnknown):
        rig.training.release(replace(release, hold_id="nothing"))


async def test_a_retry_answers_the_same_and_another_content_does_not(rig: Rig) -> None:
    request = sale_request("T1", training=True, member_id=ANA)
    assert rig.training.record_sale(request) == rig.training.record_sale(request)
    with pytest.raises(ReceiptConflict):
        rig.training.record_sale(replace(request, member_id=None))


async def test_returns_follow_the_rules(rig: Rig) -> None:
    sale = rig.training.record_sale(sale_request("T1", training=True, member_id=ANA))
    back = ReversalRequest(
        context=context(training=True),
        receipt_number="T2",
        kind="return",
        original=sale.receipt,
        lines=(ReturnLine(line=1, quantity=Decimal(1)),),
    )
    assert rig.training.reverse_sale(back).points_debited == 3
    whole = replace(back, receipt_number="T3", kind="void", lines=None)
    assert rig.training.reverse_sale(whole).points_debited == 250
    with pytest.raises(ReversalRefused):
        rig.training.reverse_sale(replace(back, receipt_number="T4", lines=(ReturnLine(line=9, quantity=Decimal(1)),)))
    unlinked = ReversalRequest(
        context=context(training=True), receipt_number="T5", kind="unlinked_return", basket=BASKET, member_id=ANA
    )
    assert rig.training.reverse_sale(unlinked).points_debited == 250


async def test_training_reverses_only_training(rig: Rig) -> None:
    sale = await rig.service.record_sale(sale_request(member_id=ANA))
    void = ReversalRequest(context=context(training=True), receipt_number="T2", kind="void", original=sale.receipt)
    with pytest.raises(ReceiptUnknown, match="only what was sold in training"):
        rig.training.reverse_sale(void)


async def test_a_training_receipt_says_so_and_is_not_found_outside_of_training(rig: Rig) -> None:
    sale = rig.training.record_sale(sale_request("T1", training=True, alias="5550001"))
    asked = ReceiptBlockRequest(context=context(training=True), receipt=sale.receipt)
    block = await rig.printing.receipt_block(asked, rig.training.receipts)
    assert "FORMAÇÃO - SEM VALIDADE" in block.lines[0]
    assert any("Pontos a creditar" in line for line in block.lines)
    with pytest.raises(ReceiptUnknown):
        await call(rig, "/v1/receipt-blocks", replace(asked, context=context()))


async def test_the_oldest_is_forgotten_first(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "KEPT_MAX", 2)
    for number in ("T1", "T2", "T3"):
        rig.training.record_sale(sale_request(number, training=True))
    assert [key.number for key in rig.training.receipts] == ["T2", "T3"]
