"""Recording sales: Laws 3, 5, 11 and 12 at the terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidTag

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.codec import loads
from loyalty_sdk.envelope import SaleBody
from loyalty_sdk.errors import (
    BasketInvalid,
    CurrencyMismatch,
    HoldNotOpen,
    HoldUnknown,
    InvalidRequest,
    ReceiptConflict,
)
from sync.sales import receipt_key_of, request_digest
from tests.support.terminal_memory import MEMBER, TerminalMemory, basket_of


def test_a_sale_is_one_entry_with_everything_central_needs(memory: TerminalMemory) -> None:
    memory.know(70, revision=4)
    sale = memory.sell(basket_of(1_250))
    entry = memory.entries()[-1]
    assert isinstance(entry.body, SaleBody)
    assert (sale.points_earned, sale.balance, sale.recorded_before) == (12, 82, False)
    assert (entry.id, entry.kind, entry.receipt_key) == (sale.entry_id, "sale", sale.receipt)
    assert (entry.programme_version, entry.snapshot_revision) == (1, 4)
    assert (entry.body.member_id, entry.body.tier, entry.body.points_earned) == (MEMBER, "gold", 12)


def test_law_5_the_same_request_again_answers_with_the_recorded_sale(memory: TerminalMemory) -> None:
    request = memory.sale_request(member_id=MEMBER)
    first = memory.run(memory.sale_command(request))
    again = memory.run(memory.sale_command(request))
    assert again == replace(first, recorded_before=True)
    assert len(memory.entries()) == 2


def test_law_5_both_of_one_batch_get_the_one_sale(memory: TerminalMemory) -> None:
    request = memory.sale_request(member_id=MEMBER)
    first, again = memory.results(memory.sale_command(request), memory.sale_command(request))
    assert first.value.entry_id == again.value.entry_id
    assert again.value.recorded_before


def test_law_5_a_retry_under_another_cashier_is_a_retry(memory: TerminalMemory) -> None:
    request = memory.sale_request(member_id=MEMBER)
    memory.run(memory.sale_command(request))
    other = replace(request, context=replace(request.context, cashier="bea"))
    assert memory.run(memory.sale_command(other)).recorded_before


def test_law_5_a_retry_after_reopening_is_a_retry(filed: TerminalMemory) -> None:
    request = filed.sale_request(alias="CARD-1")
    filed.run(filed.sale_command(request))
    filed.reopen()
    assert filed.run(filed.sale_command(request)).recorded_before


def test_law_5_another_request_under_the_key_is_a_conflict_that_shows_it(memory: TerminalMemory) -> None:
    request = memory.sale_request(member_id=MEMBER)
    sale = memory.run(memory.sale_command(request))
    with pytest.raises(ReceiptConflict, match=sale.entry_id):
        memory.run(memory.sale_command(replace(request, member_id=None)))


def test_law_5_a_return_s_receipt_is_not_a_sale_s(memory: TerminalMemory) -> None:
    sale = memory.sell()
    back = memory.reverse("return", sale.receipt)
    with pytest.raises(ReceiptConflict):
        memory.sell(receipt_number=back.receipt.number)


def test_law_12_the_digest_is_keyed(memory: TerminalMemory) -> None:
    request = memory.sale_request(alias="CARD-1")
    other = replace(memory.identity, alias_key=b"another key")
    assert request_digest(memory.identity, request) != request_digest(other, request)


def test_an_anonymous_sale_is_recorded_and_earns_nothing(memory: TerminalMemory) -> None:
    sale = memory.sell(member_id=None)
    assert (sale.member_id, sale.points_earned, sale.balance) == (None, 0, None)
    assert memory.entries()[-1].attachment_hash is None


def test_law_11_a_sale_without_programme_or_snapshot_is_recorded() -> None:
    memory = TerminalMemory()
    sale = memory.sell()
    entry = memory.entries()[-1]
    assert (sale.points_earned, sale.balance) == (0, None)
    assert (entry.programme_version, entry.snapshot_revision) == (None, None)
    memory.store.close()


def test_law_12_an_unknown_alias_travels_sealed_beside_its_entry(memory: TerminalMemory) -> None:
    sale = memory.run(memory.sale_command(memory.sale_request(alias="CARD-4711")))
    entry = memory.entries()[-1]
    (sealed,) = memory.rows("SELECT sealed FROM attachments WHERE seq = ?", entry.seq)[0]
    assert entry.attachment_hash is not None
    assert loads(memory.keys.open(sealed, "till-1", entry.id)) == {"alias": "CARD-4711"}
    with pytest.raises(InvalidTag):
        memory.keys.open(sealed, "till-1", memory.host.new_id())
    assert b"4711" not in memory.chain()[-1][1]
    assert sale.points_earned == 10


def test_law_12_a_retry_keeps_the_first_attachment(memory: TerminalMemory) -> None:
    request = memory.sale_request(alias="CARD-1")
    memory.run(memory.sale_command(request))
    memory.run(memory.sale_command(request))
    assert memory.scalar("SELECT count(*) FROM attachments") == 1


def test_a_sale_recorded_later_carries_its_own_time(memory: TerminalMemory) -> None:
    then = memory.clock.now - timedelta(hours=6)
    memory.sell(occurred_at=then)
    assert memory.entries()[-1].occurred_at == then


def test_another_currency_is_refused_with_its_remedy(memory: TerminalMemory) -> None:
    with pytest.raises(CurrencyMismatch, match="programme counts in EUR"):
        memory.sell(Basket.of("BRL", Line.of("A", 100)))


@pytest.mark.parametrize("paid_minor", [999, 1_001, 0, -1_000])
def test_tenders_that_do_not_add_up_are_refused(memory: TerminalMemory, paid_minor: int) -> None:
    with pytest.raises(BasketInvalid, match=str(paid_minor)):
        memory.sell(tenders=(Tender(kind="cash", amount_minor=paid_minor),))


def test_cash_rounding_belongs_to_what_is_due(memory: TerminalMemory) -> None:
    memory.sell(basket_of(1_002), rounding_minor=-2)
    body = memory.entries()[-1].body
    assert isinstance(body, SaleBody)
    assert body.rounding_minor == -2


def test_a_sale_consumes_its_hold_in_the_same_transaction(memory: TerminalMemory) -> None:
    memory.know(500, memory.grant(300))
    hold = memory.hold(2)
    sale = memory.redeem(hold)
    entry = memory.entries()[-1]
    assert isinstance(entry.body, SaleBody)
    assert entry.body.redemption is not None
    assert (sale.points_redeemed, sale.discount_minor, sale.points_earned) == (200, 1_000, 40)
    assert sale.balance == 500 - 200 + 40
    assert [(use.grant_id, use.points) for use in entry.grants] == [("grant-1", 200)]
    assert memory.keys.sign("grant", entry.grants[0].document).signature == entry.grants[0].signature
    assert memory.scalar("SELECT state FROM holds") == "spent"
    assert (memory.grant_row("grant-1").spent, memory.grant_row("grant-1").held) == (200, 0)


def test_law_5_a_retry_of_a_redeeming_sale_spends_once(memory: TerminalMemory) -> None:
    memory.know(500, memory.grant(300))
    hold = memory.hold()
    request = memory.sale_request(basket_of(5_000), discount_minor=500, hold_id=hold.hold_id, member_id=MEMBER)
    memory.run(memory.sale_command(request))
    assert memory.run(memory.sale_command(request)).recorded_before
    assert memory.grant_row("grant-1").spent == 100


def test_a_hold_keeps_the_programme_that_it_was_made_under(memory: TerminalMemory) -> None:
    memory.know(500, memory.grant(300))
    hold = memory.hold()
    memory.store_programme(2, earning=[{"id": "base", "kind": "amount", "points": 9, "per_minor": 100}], rewards=[])
    sale = memory.redeem(hold)
    assert (memory.entries()[-1].programme_version, sale.points_earned) == (1, 45)


def test_a_hold_is_spent_once_by_its_member_and_must_be_known(memory: TerminalMemory) -> None:
    memory.know(500, memory.grant(300))
    hold = memory.hold()
    with pytest.raises(InvalidRequest, match="another member"):
        memory.redeem(hold, member_id="someone else")
    memory.redeem(hold)
    with pytest.raises(HoldNotOpen, match="already spent"):
        memory.redeem(hold)
    with pytest.raises(HoldUnknown, match="hold the redemption again"):
        memory.sell(basket_of(5_000), discount_minor=500, hold_id="no such hold")
    released = memory.hold()
    memory.release(released)
    with pytest.raises(HoldNotOpen, match="already released"):
        memory.redeem(released)
    memory.check_chain()


def test_a_basket_that_no_longer_reaches_the_reward_is_refused_and_the_hold_stays(memory: TerminalMemory) -> None:
    memory.know(500, memory.grant(300))
    hold = memory.hold()
    with pytest.raises(BasketInvalid, match="release the hold"):
        memory.sell(basket_of(400), discount_minor=500, hold_id=hold.hold_id, tenders=())
    assert memory.scalar("SELECT state FROM holds") == "open"
    assert memory.grant_row("grant-1").held == 100


def test_the_receipt_key_takes_every_part_of_the_context(memory: TerminalMemory) -> None:
    request = memory.sale_request(receipt_number="17", receipt_series="B")
    assert str(receipt_key_of(request)) == "store-1/lane-1 2026-05-04 B-17"
