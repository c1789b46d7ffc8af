"""The calls on the real journal: what central's presence, absence and malice change, and what they do not."""

import asyncio
import sqlite3

import httpx
import pytest
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from sqlalchemy.exc import IntegrityError

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.codec import loads
from loyalty_sdk.envelope import attachment_info
from loyalty_sdk.errors import (
    BasketInvalid,
    CurrencyMismatch,
    InsufficientPoints,
    JournalUnavailable,
    OfflineCapExceeded,
    OutcomeUnknown,
    ReceiptConflict,
    ScanUnreadable,
)
from loyalty_sdk.local import OpenHoldsRequest, QuoteRequest, ReleaseRequest, ReversalRequest
from loyalty_sdk.protocol import SignedDocument
from tests.unit.terminal_agent.rig import (
    ANA,
    ANA_CARD,
    BASKET,
    SEALING_KEY,
    Rig,
    answered,
    context,
    grant,
    hold_request,
    identify_call,
    member_answer,
    problem,
    sale_request,
)

CARD = "5550001112223"


async def test_online_the_member_is_central_s(rig: Rig) -> None:
    member = await rig.service.identify(identify_call(f" {ANA_CARD}\t"))
    assert (member.state, member.member_id, member.balance, member.online) == ("known", ANA, 300, True)
    assert loads(rig.central.requests[0].content)["alias"] == ANA_CARD


async def test_training_asks_for_no_grant(rig: Rig) -> None:
    await rig.service.identify(identify_call(training=True))
    assert loads(rig.central.requests[0].content)["grant_ahead"] is False


async def test_offline_the_member_is_the_replica_s(rig: Rig) -> None:
    await rig.service.identify(identify_call())
    rig.central.down()
    member = await rig.service.identify(identify_call())
    assert (member.state, member.balance, member.online) == ("known", 300, False)
    assert "as of 2026-05-01T09:30" in member.message


async def test_a_card_that_central_does_not_know_is_unknown(rig: Rig) -> None:
    rig.central.handler = lambda request: problem("alias-unknown", 404)
    member = await rig.service.identify(identify_call(CARD))
    assert (member.state, member.alias, member.member_id, member.online) == ("unknown", CARD, None, True)


async def test_a_card_that_nobody_can_ask_about_is_unconfirmed(rig: Rig) -> None:
    rig.central.down()
    member = await rig.service.identify(identify_call(CARD))
    assert (member.state, member.alias, member.online) == ("unconfirmed", CARD, False)


@pytest.mark.parametrize("code", ["", "  \r\n", "x" * 129, "12\x0034", "12\u202e34"])
async def test_an_unreadable_code_is_refused_and_central_not_asked(rig: Rig, code: str) -> None:
    with pytest.raises(ScanUnreadable, match="key it in"):
        await rig.service.identify(identify_call(code))
    assert rig.central.requests == []


async def test_hostile_answers_never_stop_the_till(rig: Rig) -> None:
    rig.know_ana()
    forged = SignedDocument(document=grant("g", 10_000).document, key_id="signing-1", signature=b"0" * 64)
    rig.central.handler = lambda request: answered(member_answer(grants=(forged,)))
    member = await rig.service.identify(identify_call())
    assert member.balance == 300
    with sqlite3.connect(rig.path) as connection:
        assert connection.execute("SELECT count(*) FROM grants").fetchone() == (0,)
    connection.close()
    rig.clock.monotonic_s += 10
    rig.central.handler = lambda request: httpx.Response(200, html="<p>portal")
    assert (await rig.service.identify(identify_call())).online is False


@pytest.mark.parametrize(
    "error", [JournalUnavailable("the disk is full"), IntegrityError("INSERT", None, Exception("CHECK"))]
)
async def test_an_answer_that_cannot_be_kept_is_still_given(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("sync.answers.store_snapshot", refuse)
    member = await rig.service.identify(identify_call())
    assert (member.state, member.member_id, member.balance, member.online) == ("known", ANA, 300, True)


async def test_a_journal_that_is_begun_anew_meanwhile_is_no_error(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is about the journal before; central tells its grant again by the feed."""

    def replaced(*_: object) -> None:
        raise OutcomeUnknown("the journal was replaced by a new one")

    monkeypatch.setattr("sync.answers.store_snapshot", replaced)
    member = await rig.service.identify(identify_call())
    assert (member.state, member.balance, member.online) == ("known", 300, True)
    assert {record.levelname for record in caplog.records if "was not kept" in record.message} == {"WARNING"}
    assert "ERROR" not in {record.levelname for record in caplog.records}


async def test_a_quote_names_its_programme_and_snapshot(rig: Rig) -> None:
    rig.know_ana()
    quote = await rig.service.quote(QuoteRequest(context=context(), basket=BASKET, member_id=ANA))
    assert (quote.points_earned, quote.programme_version, quote.snapshot_revision, quote.balance) == (250, 1, 7, 300)
    assert [(offer.reward_id, offer.count_max) for offer in quote.rewards] == [("five-off", 1)]
    other = Basket.of("BRL", Line.of("A", 100))
    with pytest.raises(CurrencyMismatch, match="counts in EUR"):
        await rig.service.quote(QuoteRequest(context=context(), basket=other, member_id=ANA))


async def test_a_hold_online_takes_an_exact_grant_and_asks_once(rig: Rig) -> None:
    rig.know_ana()
    request = hold_request()
    rig.central.handler = lambda _: answered(
        member_answer(grants=(grant("exact", 100, redemption_id=request.redemption_id),))
    )
    hold = await rig.service.hold(request)
    assert (hold.hold_id, hold.points, hold.discount_minor) == (request.redemption_id, 100, 500)
    asked = loads(rig.central.requests[0].content)
    assert (asked["points"], asked["points_min"], asked["redemption_id"]) == (100, 100, request.redemption_id)
    assert await rig.service.hold(request) == hold
    assert len(rig.central.requests) == 1


async def test_a_hold_offline_takes_what_was_granted_ahead(rig: Rig) -> None:
    rig.know_ana(grants=(grant("ahead", 200),))
    rig.central.down()
    hold = await rig.service.hold(hold_request())
    assert hold.points == 100
    assert (await rig.service.open_holds(OpenHoldsRequest(context=context()))).holds == (hold,)
    released = ReleaseRequest(context=context(), hold_id=hold.hold_id)
    assert await rig.service.release(released) == await rig.service.release(released)
    assert (await rig.service.open_holds(OpenHoldsRequest(context=context()))).holds == ()


async def test_without_a_grant_nothing_is_redeemed_offline(rig: Rig) -> None:
    rig.know_ana()
    rig.central.down()
    with pytest.raises(InsufficientPoints, match="when central can be reached"):
        await rig.service.hold(hold_request())


async def test_the_caps_stand_offline(rig: Rig) -> None:
    rig.know_ana(grants=(grant("ahead", 200),))
    rig.central.down()
    rig.clock.now = rig.clock.now.replace(day=5)
    with pytest.raises(OfflineCapExceeded, match="72 hours"):
        await rig.service.hold(hold_request())


async def test_a_refusal_of_central_leaves_earlier_grants(rig: Rig) -> None:
    rig.know_ana(grants=(grant("ahead", 200),))
    rig.central.handler = lambda request: problem("insufficient-points", 409)
    assert (await rig.service.hold(hold_request())).points == 100


async def test_a_sale_is_recorded_once_under_its_receipt_key(rig: Rig) -> None:
    rig.know_ana()
    first = await rig.service.record_sale(sale_request(member_id=ANA))
    assert (first.points_earned, first.balance, first.recorded_before) == (250, 550, False)
    head = rig.head_seq()
    again = await rig.service.record_sale(sale_request(member_id=ANA))
    assert (again.entry_id, again.recorded_before, rig.head_seq()) == (first.entry_id, True, head)
    with pytest.raises(ReceiptConflict, match=first.entry_id):
        await rig.service.record_sale(sale_request())
    assert rig.central.requests == [], "recording asks nobody"


async def test_many_registers_record_at_once(rig: Rig) -> None:
    before = rig.head_seq()
    sales = await asyncio.gather(*(rig.service.record_sale(sale_request(f"{n:04}")) for n in range(50)))
    assert len({sale.entry_id for sale in sales}) == 50
    assert rig.head_seq() == before + 50


async def test_a_call_that_is_broken_off_harms_neither_the_writer_nor_the_sale(rig: Rig) -> None:
    head = rig.head_seq()
    call = asyncio.create_task(rig.service.record_sale(sale_request()))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await rig.service.record_sale(sale_request())
    assert rig.head_seq() == head + 1
    assert (await rig.service.record_sale(sale_request("0002"))).recorded_before is False


async def test_what_does_not_add_up_records_nothing(rig: Rig) -> None:
    head = rig.head_seq()
    with pytest.raises(BasketInvalid, match="25000 is due"):
        await rig.service.record_sale(sale_request(tenders=(Tender(kind="cash", amount_minor=1),)))
    assert rig.head_seq() == head


async def test_the_alias_in_clear_never_reaches_the_disk(rig: Rig) -> None:
    rig.central.down()
    await rig.service.identify(identify_call(CARD))
    sale = await rig.service.record_sale(sale_request(alias=CARD))
    assert (sale.member_id, sale.points_earned) == (None, 250)
    unlinked = ReversalRequest(
        context=context(), receipt_number="0002", kind="unlinked_return", basket=BASKET, alias=CARD
    )
    await rig.service.reverse_sale(unlinked)
    rig.central.handler = lambda request: answered(member_answer())
    rig.clock.monotonic_s += 10
    await rig.service.identify(identify_call(CARD))
    files = [path for path in rig.path.parent.iterdir() if path.name.startswith("journal.db")]
    assert len(files) == 3
    assert all(CARD.encode() not in path.read_bytes() for path in files)


async def test_central_can_open_what_was_sealed(rig: Rig) -> None:
    sale = await rig.service.record_sale(sale_request(alias=f" {CARD} "))
    with rig.store.reading() as connection:
        sealed = connection.exec_driver_sql("SELECT sealed FROM attachments").scalar_one()
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    opened = suite.decrypt(sealed, SEALING_KEY, info=attachment_info(rig.identity.terminal, sale.entry_id))
    assert loads(opened) == {"alias": CARD}


async def test_without_a_programme_the_till_sells(tmp_path_factory: pytest.TempPathFactory) -> None:
    rig = Rig(tmp_path_factory.mktemp("bare"), with_programme=False)
    try:
        quote = await rig.service.quote(QuoteRequest(context=context(), basket=BASKET))
        assert (quote.points_earned, quote.rewards, quote.programme_version) == (0, (), None)
        assert (await rig.service.record_sale(sale_request(member_id=ANA))).points_earned == 0
    finally:
        rig.close()
