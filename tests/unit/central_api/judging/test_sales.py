"""Sales: earning, redeeming from grants, and everything that makes a sale unfit."""

from dataclasses import replace

from sqlalchemy import select

from central_api.storage.schema import attachments, entries
from loyalty_sdk.codec import dumps
from tests.support.terminal import basket_of, grant_document, grant_use
from tests.unit.central_api.support import World, outcome_of


def test_a_sale_earns_what_the_rules_give(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    sale = till.sale(basket_of(1050, 230), member)
    assert outcome_of(world.deliver(till), sale) == ("applied", "", 12)
    assert world.figures(member) == (12, 0, 0)
    world.check_laws(member)


def test_an_upload_sent_again_counts_once(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.sale(basket_of(1000), member)
    first = world.upload(till)
    assert world.upload(till) == first
    till.sale(basket_of(1000), member)
    assert world.upload(till).watermark == 3
    assert world.figures(member) == (20, 0, 0)


def test_an_anonymous_sale_moves_no_points(world: World) -> None:
    till = world.terminal(1)
    sale = till.sale(basket_of(1000))
    assert outcome_of(world.deliver(till), sale) == ("applied", "", None)


def test_points_that_differ_are_quarantined_and_hold_nothing_back(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    wrong = till.sale(basket_of(1000), member, points=999)
    right = till.sale(basket_of(1000), member)
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, wrong)[:2] == ("quarantined", "points-differ: 999, but the rules give 10")
    assert outcome_of(outcomes, right)[0] == "applied"
    assert world.figures(member) == (10, 0, 0)


def test_bytes_that_cannot_be_read_are_kept(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.record_bytes(b'{"id":"x","v":NaN}')
    sale = till.sale(basket_of(1000), member)
    outcomes = world.deliver(till)
    assert (outcomes[0].outcome, outcomes[0].id) == ("quarantined", "")
    assert outcome_of(outcomes, sale)[0] == "applied"
    kept = world.connection.execute(select(entries.c.bytes).where(entries.c.seq == 2)).scalar_one()
    assert kept == b'{"id":"x","v":NaN}'


def test_unfit_sales_are_quarantined_with_their_reason(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    cases = {
        "programme-unknown": till.sale(basket_of(100), member, programme_version=9),
        "member-unknown": till.sale(basket_of(100), "nobody"),
        "envelope-misplaced": till.sale(basket_of(100), member, seq=77),
        "redemption-differs": till.sale(basket_of(9000), member, redemption=replace(till.redemption(), points=1)),
        "grants-differ": till.sale(basket_of(9000), member, redemption=till.redemption()),
    }
    outcomes = world.deliver(till)
    found = {reason: outcome_of(outcomes, recorded)[:2] for reason, recorded in cases.items()}
    assert found == {reason: ("quarantined", reason) for reason in cases}
    assert world.figures(member) == (0, 0, 0)


def test_a_sale_without_a_programme_earns_nothing(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.programme = None
    sale = till.sale(basket_of(1000), member)
    assert outcome_of(world.deliver(till), sale) == ("applied", "", 0)


def test_one_receipt_key_counts_once_whichever_terminal_names_it(world: World) -> None:
    member, till, other = world.member("1"), world.terminal(1), world.terminal(2)
    sale = till.sale(basket_of(1000), member)
    again = other.sale(basket_of(1000), member, receipt_key=sale.entry.receipt_key)
    assert outcome_of(world.deliver(till), sale)[0] == "applied"
    assert outcome_of(world.deliver(other), again)[:2] == ("rejected", "duplicate-receipt")
    assert world.figures(member) == (10, 0, 0)


def test_one_entry_id_counts_once_whichever_journal_names_it(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    sale = till.sale(basket_of(1000), member)
    world.deliver(till)
    till.open_journal()
    again = till.sale(basket_of(1000), member, id=sale.entry.id)
    assert outcome_of(world.deliver(till), again)[:2] == ("rejected", "duplicate-entry")
    assert world.figures(member) == (10, 0, 0)


def test_a_redemption_is_settled_from_its_grant(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.sale(basket_of(20000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    assert world.figures(member) == (100, 100, 0)
    sale = till.sale(basket_of(2000), member, redemption=till.redemption(), uses=[grant_use(grant, 100)])
    assert outcome_of(world.deliver(till), sale) == ("applied", "", 15 - 100)
    assert world.figures(member) == (115, 0, 0)
    assert world.sums(member)["redeemed"] == 100
    world.check_laws(member)


def test_what_is_spent_beyond_a_grant_is_centrals_loss(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.sale(basket_of(20000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    for _ in range(2):
        sale = till.sale(basket_of(2000), member, redemption=till.redemption(), uses=[grant_use(grant, 100)])
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, sale) == ("applied", "grant-overdrawn", 15)
    assert world.sums(member)["offline_loss"] == -100
    assert world.figures(member) == (130, 0, 0)
    world.check_laws(member)


def test_a_forged_or_foreign_grant_is_quarantined(world: World) -> None:
    member, other, till = world.member("1"), world.member("2"), world.terminal(1)
    till.sale(basket_of(20000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    forged = replace(grant, document=grant.document.replace('"points":100', '"points":900'))
    first = till.sale(basket_of(2000), member, redemption=till.redemption(), uses=[grant_use(forged, 100)])
    second = till.sale(basket_of(2000), other, redemption=till.redemption(), uses=[grant_use(grant, 100)])
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, first)[:2] == ("quarantined", "grant-signature-wrong")
    assert outcome_of(outcomes, second)[:2] == ("quarantined", "grant-misplaced")
    assert world.figures(member) == (100, 100, 0)


def test_a_grant_that_central_lost_is_taken_from_the_entry(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.sale(basket_of(20000), member)
    world.deliver(till)
    document = replace(grant_document(world.granted(till, member, 100)), grant_id="lost", points=150)
    signed = world.capabilities.keys.sign("grant", dumps(document).decode())
    sale = till.sale(basket_of(2000), member, redemption=till.redemption(), uses=[grant_use(signed, 100)])
    # Of the 150 points only 100 are there to be set aside again: 50 are owed, of which this sale earns 15.
    assert outcome_of(world.deliver(till), sale) == ("applied", "", 15 - 100)
    assert world.figures(member) == (0, 150, 35)
    world.check_laws(member)


def test_a_rejected_sale_gives_its_grant_back_to_the_member(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    first = till.sale(basket_of(20000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    sale = till.sale(
        basket_of(2000),
        member,
        redemption=till.redemption(),
        uses=[grant_use(grant, 100)],
        receipt_key=first.entry.receipt_key,
    )
    assert outcome_of(world.deliver(till), sale)[:2] == ("rejected", "duplicate-receipt")
    assert world.figures(member) == (200, 0, 0)
    world.check_laws(member)


def test_an_unknown_alias_is_held_until_somebody_registers_it(world: World) -> None:
    till = world.terminal(1)
    sale = till.sale(basket_of(1000), alias="77")
    back = till.linked_return(sale)
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, sale)[:2] == ("held", "alias-unknown")
    assert outcome_of(outcomes, back)[:2] == ("held", "original-not-arrived")
    member = world.member("77")
    assert world.figures(member) == (0, 0, 0)
    assert {row: world.sums(member)[row] for row in ("issued", "available")} == {"issued": 0, "available": 0}
    told = {one.id: (one.outcome, one.points) for one in world.changes(till).outcomes}
    assert told == {sale.entry.id: ("applied", 10), back.entry.id: ("applied", -10)}
    world.check_laws(member)


def test_an_attachment_is_kept_under_the_members_own_key(world: World) -> None:
    till = world.terminal(1)
    sale = till.sale(basket_of(1000), alias="77")
    world.deliver(till)
    query = select(attachments).where(attachments.c.entry_id == sale.entry.id)
    before = world.connection.execute(query).one()
    assert (before.sealed, before.member_id) == (sale.sealed, None)
    member = world.member("77")
    after = world.connection.execute(query).one()
    assert after.member_id == member
    assert after.sealed != sale.sealed
    assert b"77" not in after.sealed


def test_an_alias_that_does_not_open_is_quarantined(world: World) -> None:
    till = world.terminal(1)
    sale = till.sale(basket_of(1000), alias="77")
    till.recorded[-1] = replace(sale, sealed=None)
    outcome, reason, _ = outcome_of(world.deliver(till), sale)
    assert (outcome, reason.partition(":")[0]) == ("quarantined", "attachment-unreadable")
    assert "ask the customer for the receipt" in reason


def test_no_clock_gets_past_the_time_of_receipt(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    ahead = world.now.replace(year=2030)
    till.sale(basket_of(1000), member, occurred_at=ahead)
    till.sale(basket_of(1000), member, occurred_at=world.now.replace(year=2020), central_time_seen=till.now)
    seen = till.recorded[-1].entry.central_time_seen
    world.deliver(till)
    query = select(entries.c.effective_at, entries.c.clamped).order_by(entries.c.seq)
    found = [tuple(row) for row in world.connection.execute(query)]
    assert found[1:] == [(world.now, 1), (seen, 1)]
    assert found[0][1] == 0
