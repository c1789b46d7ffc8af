"""What people decide: adjustments, write-offs, merges; and what the calendar decides."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from central_api.members import decisions, merging
from central_api.problems import Refused
from central_api.programmes import versions as programmes
from central_api.storage.schema import aliases, entries, sales, transfers
from central_api.storage.schema_ledger import debits, lots, settlements
from central_api.storage.schema_ledger import decisions as decided
from central_api.storage.schema_office import merges
from central_api.verification.verification import verify_tenant
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import MemberAnswer
from tests.support.settling import settle_due
from tests.support.terminal import SupportTerminal, basket_of, grant_use
from tests.unit.central_api.support import PROGRAMME, TENANT, World


def adjust(world: World, member: str, points: int, reason: str = "a gift") -> None:
    decisions.adjust(world.connection, world.capabilities, TENANT, member, points, reason, "ana")


def write_off(world: World, member: str, points: int) -> None:
    decisions.write_off(world.connection, world.capabilities, TENANT, member, points, "bad luck", "ana")


def merge(world: World, source: str, target: str, reason: str = "two cards of one person") -> None:
    merging.merge(world.connection, world.capabilities, TENANT, source, target, reason, "ana")


def settle(world: World, limit: int = 10) -> int:
    return settle_due(world.connection, world.capabilities, TENANT, limit)


def dated(world: World, *tills: SupportTerminal, **fields: Any) -> None:
    """Activate the next version of the programme, with dates."""
    version = max((till.programme.version for till in tills if till.programme), default=1) + 1
    document = json.dumps(json.loads(PROGRAMME) | {"version": version} | fields)
    programmes.activate_programme(world.connection, world.capabilities, TENANT, document)
    for till in tills:
        till.programme = parse_programme(document)


def differences(world: World) -> Any:
    return verify_tenant(world.connection, world.capabilities, TENANT, lambda _: None).shown


def test_what_is_given_and_taken_by_hand_is_kept_with_who_and_why(world: World) -> None:
    member = world.member("1")
    adjust(world, member, 300)
    adjust(world, member, -120, "a mistake")
    assert world.figures(member) == (180, 0, 0)
    rows = world.connection.execute(select(decided).order_by(decided.c.points.desc())).all()
    assert [(row.points, row.reason, row.actor) for row in rows] == [(300, "a gift", "ana"), (-120, "a mistake", "ana")]
    assert [lot.remaining for lot in lots_of(world, member)] == [180]
    assert differences(world) == ()
    world.check_laws(member)


def lots_of(world: World, member: str) -> list[decisions.MemberLot]:
    return decisions.member_lots(world.connection, world.capabilities, TENANT, member)


@pytest.mark.parametrize(
    ("points", "reason", "name"),
    [
        (0, "why", "invalid-request"),
        (10**10, "why", "invalid-request"),
        (5, " ", "invalid-request"),
        (5, "a\nb", "invalid-request"),
        (-1, "why", "insufficient-points"),
    ],
)
def test_an_adjustment_that_cannot_be_is_refused(world: World, points: int, reason: str, name: str) -> None:
    member = world.member("1")
    with pytest.raises(Refused) as refused:
        adjust(world, member, points, reason)
    assert refused.value.problem.name == name
    assert world.figures(member) == (0, 0, 0)


def test_nobody_is_adjusted_who_does_not_exist(world: World) -> None:
    with pytest.raises(Refused, match="there is no member nobody"):
        adjust(world, "nobody", 1)


def test_no_more_is_written_off_than_is_owed(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    till.unlinked_return(basket_of(5_000), member)
    world.deliver(till)
    with pytest.raises(Refused, match="owes 50 points") as refused:
        write_off(world, member, 51)
    assert refused.value.problem.name == "conflict"
    write_off(world, member, 20)
    assert world.figures(member) == (0, 0, 30)
    assert world.sums(member)["offline_loss"] == -20
    assert differences(world) == ()


def test_law_7_a_sale_that_was_made_before_a_write_off_undoes_it(world: World) -> None:
    """It turns out that nothing was owed: then nothing was written off, and the member has not more for it."""
    till, late, member = world.terminal(1), world.terminal(2), world.member("1")
    late.sale(basket_of(8_000), member)
    till.unlinked_return(basket_of(5_000), member)
    world.deliver(till)
    write_off(world, member, 50)
    assert world.figures(member) == (0, 0, 0)
    world.now += timedelta(days=1)
    world.deliver(late)
    assert world.figures(member) == (30, 0, 0)
    assert world.sums(member)["offline_loss"] == 0
    assert differences(world) == ()


def test_points_by_hand_expire_but_are_never_pending(world: World) -> None:
    dated(world, expiry={"months_after_earning": 1}, pending={"hours": 48})
    member = world.member("1")
    adjust(world, member, 70)
    assert world.figures(member) == (70, 0, 0)
    world.now += timedelta(days=32)
    assert settle(world) == 1
    assert world.figures(member) == (0, 0, 0)
    assert world.sums(member)["expired"] == 70


def test_the_job_settles_a_few_at_a_time_until_nothing_is_due(world: World) -> None:
    till = world.terminal(1)
    dated(world, till, pending={"hours": 1})
    members = [world.member(str(number)) for number in range(5)]
    for member in members:
        till.sale(basket_of(1_000), member)
    world.deliver(till)
    assert settle(world) == 0
    world.now += timedelta(hours=2)
    assert [settle(world, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert all(world.figures(member) == (10, 0, 0) for member in members)
    assert differences(world) == ()


def test_expiry_takes_effect_at_its_date_for_whoever_asks(world: World) -> None:
    """Nobody settled: the till is told what is so, and is not granted what is no longer there."""
    till, member = world.terminal(1), world.member("card")
    dated(world, till, expiry={"months_after_earning": 1})
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    assert world.balance(till, member) == 300
    world.now += timedelta(days=32)
    assert world.balance(till, member) == 0
    assert world.identify(till, "card").snapshot.balance == 0
    assert not isinstance(world.grant(till, member, 100), MemberAnswer)
    assert world.figures(member) == (300, 0, 0)
    assert settle(world) == 1
    assert world.figures(member) == (0, 0, 0)


@pytest.mark.parametrize("by", ["the job", "a person"])
def test_what_was_told_before_it_was_booked_is_told_again_where_the_booking_nets_nothing(world: World, by: str) -> None:
    """A snapshot counts points from their date on; when that is booked they expired, or were taken, as well."""
    till, other, member = world.terminal(1), world.terminal(2), world.member("card")
    dated(world, till, pending={"hours": 1}, expiry={"months_after_earning": 1})
    world.identify(other, "card")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    world.now += timedelta(hours=2)
    page = world.changes(other)
    assert [one.balance for one in page.snapshots] == [300]
    if by == "the job":
        world.now += timedelta(days=32)
        assert settle(world) == 1
    else:
        adjust(world, member, -300)
    assert [one.balance for one in world.changes(other, page.cursor).snapshots] == [0]
    assert world.figures(member) == (0, 0, 0)


def test_nothing_is_told_of_a_date_on_which_nothing_is_left(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    dated(world, till, expiry={"months_after_earning": 1})
    till.linked_return(till.sale(basket_of(30_000), member))
    world.deliver(till)
    cursor = world.changes(till).cursor
    world.now += timedelta(days=32)
    assert settle(world) == 1
    assert world.changes(till, cursor).snapshots == ()


def test_pending_points_are_told_to_no_till_and_taken_back_from_where_they_are(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    dated(world, till, pending={"hours": 48})
    first, second = till.sale(basket_of(3_000), member), till.sale(basket_of(2_000), member)
    world.deliver(till)
    assert (world.balance(till, member), world.sums(member)["pending"]) == (0, 50)
    till.linked_return(first)
    world.deliver(till)
    assert (world.figures(member), world.sums(member)["pending"]) == ((0, 0, 0), 20)
    world.now += timedelta(hours=49)
    till.linked_return(second)
    world.deliver(till)
    assert (world.figures(member), world.sums(member)["pending"]) == ((0, 0, 0), 0)
    assert differences(world) == ()


def test_the_clock_of_central_going_back_brings_nothing_back(world: World) -> None:
    """Law 10."""
    till, member = world.terminal(1), world.member("1")
    dated(world, till, expiry={"months_after_earning": 1})
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    world.now += timedelta(days=32)
    settle(world)
    world.now -= timedelta(days=20)
    till.now = world.now
    till.sale(basket_of(1_000), member)
    world.deliver(till)
    assert world.figures(member) == (10, 0, 0)
    world.check_laws(member)


def test_in_order_nothing_is_folded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of nearly every entry loads no facts: neither without dates, nor while nothing is due."""
    till, member = world.terminal(1), world.member("1")
    loaded: list[object] = []
    monkeypatch.setattr("central_api.ledger.facts.fold", lambda *facts: loaded.append(facts))
    for fields in ({}, {"expiry": {"months_after_earning": 1}, "pending": {"hours": 48}}):
        dated(world, till, **fields)
        sale = till.sale(basket_of(30_000), member)
        world.deliver(till)
        till.linked_return(sale)
        till.unlinked_return(basket_of(100), member)
        world.deliver(till)
    assert loaded == []


def test_two_members_are_made_one(world: World) -> None:
    till, other = world.terminal(1), world.terminal(2)
    dated(world, till, other, expiry={"months_after_earning": 2})
    source, target = world.member("old card"), world.member("new card")
    sale = till.sale(basket_of(30_000), source)
    other.sale(basket_of(5_000), target)
    world.deliver(till)
    world.deliver(other)
    held = world.granted(till, source, 100)
    world.now += timedelta(days=1)
    merge(world, source, target)
    assert (world.figures(source), world.figures(target)) == ((0, 0, 0), (250, 100, 0))
    assert set(world.sums(source).values()) == {0}
    assert sorted(lot.points for lot in lots_of(world, source)) == [50, 300]
    assert differences(world) == ()
    # The till that is still offline knows only the old member, and its grant.
    till.now = world.now
    till.sale(basket_of(1_000), source, redemption=till.redemption(), uses=[grant_use(held, 100)])
    other.linked_return(sale)
    outcomes = [one.outcome for one in (*world.deliver(till), *world.deliver(other))]
    assert set(outcomes) == {"applied"}
    # 50 + 5 of 10.00 with 5.00 off; the 100 redeemed points were of the sale that came back.
    assert (world.figures(source), world.figures(target)) == ((0, 0, 0), (0, 0, 45))
    assert world.identify(till, "old card").snapshot.member_id == target
    assert differences(world) == ()
    world.check_laws(source, target)
    mine = select(func.count()).where(entries.c.member_id == source)
    assert world.connection.execute(mine).scalar_one() == 0


def test_what_one_owed_the_other_pays(world: World) -> None:
    till = world.terminal(1)
    source, target, third = world.member("1"), world.member("2"), world.member("3")
    till.unlinked_return(basket_of(5_000), source)
    till.sale(basket_of(8_000), target)
    world.deliver(till)
    merge(world, source, target)
    assert world.figures(target) == (30, 0, 0)
    # And once more: what counted for the first two counts for the third.
    merge(world, target, third)
    till.sale(basket_of(1_000), source)
    world.deliver(till)
    assert world.figures(third) == (40, 0, 0)
    into = set(world.connection.execute(select(merges.c.into_member_id)).scalars())
    assert into == {third}
    assert differences(world) == ()
    world.check_laws(source, target, third)


def test_a_merge_that_cannot_be_is_refused(world: World) -> None:
    one, other, third = world.member("1"), world.member("2"), world.member("3")
    for source, target, reason, name in (
        (one, one, "why", "conflict"),
        (one, other, "", "invalid-request"),
        (one, other, "x" * 501, "invalid-request"),
        (one, "nobody", "why", "not-found"),
        ("nobody", one, "why", "not-found"),
    ):
        with pytest.raises(Refused) as refused:
            merge(world, source, target, reason)
        assert refused.value.problem.name == name
    merge(world, one, other)
    for source, target in ((one, third), (third, one)):
        with pytest.raises(Refused, match="merged into") as refused:
            merge(world, source, target)
        assert refused.value.problem.name == "conflict"


def test_the_cards_of_both_are_read_under_the_key_of_the_one(world: World) -> None:
    one, other = world.member("1"), world.member("2")
    before = set(world.connection.execute(select(aliases.c.sealed)).scalars())
    merge(world, one, other)
    after = world.connection.execute(select(aliases.c.member_id, aliases.c.sealed)).all()
    assert {row.member_id for row in after} == {other}
    assert len(before - {row.sealed for row in after}) == 1


@pytest.mark.parametrize(
    ("table", "values", "what"),
    [
        (lots, {"points": 7}, {"lot"}),
        (lots, {"expires_at": None}, {"lot"}),
        (debits, {"points": 1}, {"debit", "decision"}),
        (settlements, {"expired": 9}, {"expired", "expired from entries"}),
        (settlements, {"next_due_at": None}, {"next due"}),
        (decided, {"points": -1}, {"decision", "available from entries"}),
        (sales, {"points_earned": 1}, set()),
    ],
)
def test_verify_names_what_was_tampered_with(world: World, table: Any, values: dict[str, Any], what: set[str]) -> None:
    till, member = world.terminal(1), world.member("1")
    dated(world, till, expiry={"months_after_earning": 1})
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    world.granted(till, member, 100)
    adjust(world, member, -50)
    assert differences(world) == ()
    world.connection.execute(update(table).values(values))
    assert {one.what for one in differences(world)} == what


def test_corrections_are_transfers_of_their_own(world: World) -> None:
    """What an entry moved stays as it was booked; what the fold makes of it is beside it."""
    till, late, member = world.terminal(1), world.terminal(2), world.member("1")
    dated(world, till, late, expiry={"months_after_earning": 1})
    late.now = till.now
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    back = late.unlinked_return(basket_of(5_000), member)
    world.now += timedelta(days=40)
    settle(world)
    world.deliver(late)
    rows = world.connection.execute(
        select(transfers.c.id, transfers.c.from_account, transfers.c.to_account, transfers.c.points, transfers.c.reason)
        .where(transfers.c.id.startswith(back.entry.id))
        .order_by(transfers.c.id)
    ).all()
    assert [tuple(row) for row in rows] == [
        (f"{back.entry.id}/1", "owed", "issued", 50, "unlinked-return"),
        (f"{back.entry.id}/correction/1", "expired", "owed", 50, "correction"),
    ]
    assert world.sums(member)["expired"] == 250


def test_what_was_earned_by_a_clock_that_went_back_is_not_pending(world: World) -> None:
    """It was available when it was booked: a return finds it there."""
    till, member = world.terminal(1), world.member("1")
    sale = till.sale(basket_of(30_000), member)
    world.deliver(till)
    world.granted(till, member, 100)
    world.now -= timedelta(days=1)
    till.linked_return(sale)
    assert [one.outcome for one in world.deliver(till)] == ["applied", "applied"]
    assert world.figures(member) == (0, 100, 100)
    assert differences(world) == ()


def test_nothing_is_folded_to_before_what_is_known(world: World) -> None:
    """A grant that was issued by a clock that was ahead is not forgotten where the member is folded."""
    till, member = world.terminal(1), world.member("1")
    adjust(world, member, 300)
    world.granted(till, member, 100)
    world.now -= timedelta(days=1)
    adjust(world, member, -50)
    till.unlinked_return(basket_of(40_000), member)
    world.deliver(till)
    write_off(world, member, 250)
    assert world.figures(member) == (0, 100, 0)
    assert differences(world) == ()
    world.check_laws(member)


def test_a_merge_moves_what_expired_and_was_written_off(world: World) -> None:
    till = world.terminal(1)
    dated(world, till, expiry={"months_after_earning": 1}, pending={"hours": 48})
    source, target = world.member("1"), world.member("2")
    sale = till.sale(basket_of(30_000), source)
    till.sale(basket_of(7_000), target)
    world.deliver(till)
    world.now += timedelta(days=32)
    till.now = world.now
    till.sale(basket_of(4_000), source)
    till.unlinked_return(basket_of(9_000), target)
    world.deliver(till)
    write_off(world, target, 60)
    merge(world, source, target)
    sums = world.sums(target)
    # 300 of the source and 70 of the target expired; the 30 that are still owed wait for the 40 that are pending.
    assert (sums["expired"], sums["pending"], sums["offline_loss"]) == (370, 40, -60)
    assert (world.figures(source), world.figures(target)) == ((0, 0, 0), (0, 0, 30))
    assert differences(world) == ()
    till.linked_return(sale)
    world.now += timedelta(days=3)
    world.deliver(till)
    assert world.figures(target) == (10, 0, 0)
    assert world.sums(target)["expired"] == 70
    assert differences(world) == ()
    world.check_laws(source, target)
