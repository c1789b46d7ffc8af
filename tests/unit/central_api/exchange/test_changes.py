"""The feed of changes: each thing once, in order, to those who want it."""

from tests.support.terminal import basket_of
from tests.unit.central_api.support import World


def test_a_sale_elsewhere_reaches_those_who_know_the_member(world: World) -> None:
    member, till, other, stranger = world.member("1"), world.terminal(1), world.terminal(2), world.terminal(3)
    world.identify(other, "1")
    for _ in range(3):
        till.sale(basket_of(1000), member)
        world.deliver(till)
    page = world.changes(other)
    (snapshot,) = page.snapshots
    assert (snapshot.balance, snapshot.revision, snapshot.includes_seq) == (30, 4, 0)
    assert (page.more, page.programme_version) == (False, 1)
    till.sale(basket_of(1000), member)
    world.deliver(till)
    assert [one.balance for one in world.changes(other, page.cursor).snapshots] == [40]
    assert world.changes(stranger).snapshots == ()
    assert world.changes(other, world.changes(other).cursor).snapshots == ()
    assert world.changes(till).snapshots[0].includes_seq == 5


def test_a_till_hears_of_a_member_to_whom_its_upload_nets_nothing(world: World) -> None:
    member, till, other = world.member("1"), world.terminal(1), world.terminal(2)
    other.sale(basket_of(5_000), member)
    world.deliver(other)
    till.linked_return(till.sale(basket_of(1_000), alias="1"))
    world.deliver(till)
    assert [(one.balance, one.includes_seq) for one in world.changes(till).snapshots] == [(50, 3)]


def test_pages_follow_each_other(world: World) -> None:
    till = world.terminal(1)
    members = [world.member(str(number)) for number in range(5)]
    for member in members:
        till.sale(basket_of(1000), member)
    world.deliver(till)
    found, cursor, more = [], "", True
    while more:
        page = world.changes(till, cursor, limit=2)
        found += [snapshot.member_id for snapshot in page.snapshots]
        cursor, more = page.cursor, page.more
    assert sorted(found) == sorted(members)
    assert len(found) == len(members)


def test_granting_is_no_change(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.sale(basket_of(1000), member)
    world.deliver(till)
    cursor = world.changes(till).cursor
    world.identify(till, "1")
    assert world.changes(till, cursor).snapshots == ()


def test_a_grant_whose_answer_was_lost_reaches_its_terminal_by_the_feed(world: World) -> None:
    member = world.member("1")
    till = world.terminal(1)
    till.sale(basket_of(30_000), member_id=member)
    world.deliver(till)
    before = world.changes(till).cursor
    lost = world.granted(till, member, 100)
    page = world.changes(till, before)
    assert page.grants == (lost,)
    assert world.changes(till, page.cursor).grants == ()


def test_a_grant_that_was_closed_is_not_told_again(world: World) -> None:
    member = world.member("1")
    till = world.terminal(1)
    till.sale(basket_of(30_000), member_id=member)
    world.deliver(till)
    granted = world.granted(till, member, 100)
    till.close_grant(granted, 100)
    world.deliver(till)
    assert world.changes(till).grants == ()
