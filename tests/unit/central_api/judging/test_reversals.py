"""Voids, linked returns and unlinked returns."""

from decimal import Decimal

import pytest

from loyalty_sdk.model import ReturnLine
from tests.support.terminal import Recorded, SupportTerminal, basket_of, grant_document, grant_use
from tests.unit.central_api.support import World, outcome_of


def redeemed(world: World, till: SupportTerminal, member: str, *, overdraw: bool = False) -> Recorded:
    """A sale of 20.00 that earned 15 points and redeemed 100, after one that earned 200."""
    till.sale(basket_of(20000), member)
    world.deliver(till)
    grant = world.granted(till, member, 60 if overdraw else 100)
    return till.sale(basket_of(1000, 1000), member, redemption=till.redemption(), uses=[grant_use(grant, 100)])


def test_a_full_return_nets_zero(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    sale = redeemed(world, till, member)
    back = till.linked_return(sale)
    assert outcome_of(world.deliver(till), back) == ("applied", "", 100 - 15)
    assert world.figures(member) == (200, 0, 0)
    world.check_laws(member)


def test_a_void_in_its_journal_restores_the_grant(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    void = till.linked_return(redeemed(world, till, member), kind="void")
    assert outcome_of(world.deliver(till), void) == ("applied", "", 85)
    assert world.figures(member) == (100, 100, 0)
    world.check_laws(member)


def test_a_void_after_the_grant_was_closed_credits_the_member(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    sale = redeemed(world, till, member)
    world.deliver(till)
    used = sale.entry.grants[0].grant_id
    (grant,) = (one for one in world.identify(till, "1").grants if grant_document(one).grant_id == used)
    till.close_grant(grant, 0)
    till.linked_return(sale, kind="void")
    world.deliver(till)
    available, reserved, owed = world.figures(member)
    assert (available + reserved, owed) == (200, 0)
    world.check_laws(member)


def test_a_void_from_elsewhere_credits_the_member(world: World) -> None:
    member, till, other = world.member("1"), world.terminal(1), world.terminal(2)
    sale = redeemed(world, till, member)
    world.deliver(till)
    void = other.linked_return(sale, kind="void")
    assert outcome_of(world.deliver(other), void) == ("applied", "", 85)
    assert world.figures(member) == (200, 0, 0)


def test_a_void_of_an_overdrawn_sale_undoes_the_loss(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.linked_return(redeemed(world, till, member, overdraw=True), kind="void")
    world.deliver(till)
    assert world.sums(member)["offline_loss"] == 0
    assert world.figures(member) == (140, 60, 0)
    world.check_laws(member)


def test_a_return_of_an_overdrawn_sale_gives_the_member_no_more_than_was_his(world: World) -> None:
    member, till, other = world.member("1"), world.terminal(1), world.terminal(2)
    sale = redeemed(world, till, member, overdraw=True)
    world.deliver(till)
    for line in (1, 2):
        other.linked_return(sale, ReturnLine(line=line, quantity=Decimal(1)))
    world.deliver(other)
    assert world.sums(member)["offline_loss"] == 0
    assert world.figures(member) == (200, 0, 0)
    world.check_laws(member)


def test_a_shortfall_is_owed_and_repaid_first(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.sale(basket_of(1000), member)
    gone = till.unlinked_return(basket_of(3000), member)
    assert outcome_of(world.deliver(till), gone) == ("applied", "", -30)
    assert world.figures(member) == (0, 0, 20)
    assert world.balance(till, member) == -20
    till.sale(basket_of(2500), member)
    world.deliver(till)
    assert world.figures(member) == (5, 0, 0)
    world.check_laws(member)


def test_more_than_was_sold_does_not_come_back(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    sale = till.sale(basket_of(1000, 500), member)
    one = ReturnLine(line=1, quantity=Decimal(1))
    returns = [till.linked_return(sale, one), till.linked_return(sale, one), till.linked_return(sale)]
    returns += [till.linked_return(sale), till.linked_return(sale, kind="void")]
    outcomes = world.deliver(till)
    assert [outcome_of(outcomes, made)[:2] for made in returns] == [
        ("applied", ""),
        ("rejected", "returned-more-than-sold"),
        ("applied", ""),
        ("rejected", "returned-more-than-sold"),
        ("rejected", "returned-before"),
    ]
    assert world.figures(member) == (0, 0, 0)


def test_a_return_waits_for_its_sale(world: World) -> None:
    member, till, other = world.member("1"), world.terminal(1), world.terminal(2)
    sale = till.sale(basket_of(1000), member)
    back = other.linked_return(sale)
    assert outcome_of(world.deliver(other), back)[:2] == ("held", "original-not-arrived")
    world.deliver(till)
    assert world.figures(member) == (0, 0, 0)
    assert [(one.id, one.outcome) for one in world.changes(other).outcomes] == [(back.entry.id, "applied")]
    world.check_laws(member)


def test_centrals_figure_counts_where_another_terminal_took_lines(world: World) -> None:
    member, till, other = world.member("1"), world.terminal(1), world.terminal(2)
    sale = till.sale(basket_of(1050, 1050), member)
    world.deliver(till)
    other.linked_return(sale, ReturnLine(line=1, quantity=Decimal(1)))
    world.deliver(other)
    back = till.linked_return(sale, points_debited=21, points_credited=0)
    assert outcome_of(world.deliver(till), back) == ("applied", "points-corrected", -10)
    assert world.figures(member) == (0, 0, 0)


def test_a_return_of_an_anonymous_sale_moves_no_points(world: World) -> None:
    till = world.terminal(1)
    sale = till.sale(basket_of(1000))
    back = till.linked_return(sale)
    again = till.linked_return(sale)
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, back) == ("applied", "", None)
    assert outcome_of(outcomes, again)[:2] == ("rejected", "returned-more-than-sold")


def test_a_reversal_of_a_reversal_is_rejected(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    back = till.linked_return(till.sale(basket_of(1000), member))
    again = till.linked_return(back)
    assert outcome_of(world.deliver(till), again)[:2] == ("rejected", "original-is-no-sale")


def test_each_part_of_a_return_gives_back_its_own_part(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    sale = redeemed(world, till, member)
    parts = [till.linked_return(sale, ReturnLine(line=line, quantity=Decimal(1))) for line in (1, 2)]
    outcomes = world.deliver(till)
    # 15 points earned on 7.50 + 7.50 go as 8 and 7; the 100 redeemed come back as 50 and 50.
    assert [outcome_of(outcomes, part)[2] for part in parts] == [50 - 8, 50 - 7]
    third = till.linked_return(till.sale(basket_of(400, 300, 300), member), ReturnLine(line=1, quantity=Decimal(1)))
    assert outcome_of(world.deliver(till), third)[2] == -4


def test_law_9_a_rest_that_names_more_than_is_left_counts_for_what_is_left(world: World) -> None:
    member, till, other = world.member("1"), world.terminal(1), world.terminal(2)
    sale = redeemed(world, till, member)
    world.deliver(till)
    lines = [ReturnLine(line=line, quantity=Decimal(1)) for line in (1, 2)]
    other.linked_return(sale, lines[0])
    world.deliver(other)
    # The till does not know of that: it names both lines, and what they are worth by what it knows.
    rest = till.linked_return(sale, *lines, points_debited=15, points_credited=100)
    again = till.linked_return(sale, *lines)
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, rest) == ("applied", "returned-before", 50 - 7)
    assert outcome_of(outcomes, again)[:2] == ("rejected", "returned-more-than-sold")
    assert world.figures(member) == (200, 0, 0)
    world.check_laws(member)


@pytest.mark.parametrize("back", ["a part", "all", "a void"])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("overdraw", [False, True])
@pytest.mark.parametrize("void_first", [False, True])
def test_law_9_a_void_after_another_shop_took_some_gives_the_grant_all_its_points(
    world: World, back: str, closed: bool, overdraw: bool, void_first: bool
) -> None:
    member, till, other = world.member("1"), world.terminal(1), world.terminal(2)
    sale = redeemed(world, till, member, overdraw=overdraw)
    world.deliver(till)
    if closed:
        (grant,) = (one for one in world.identify(till, "1").grants if grant_document(one).points in (60, 100))
        till.close_grant(grant, 0)
        world.deliver(till)
    if void_first:
        till.linked_return(sale, kind="void")
        world.deliver(till)
    line = ReturnLine(line=1, quantity=Decimal(1))
    theirs = other.linked_return(
        sale, *([line] if back == "a part" else []), kind="void" if back == "a void" else "return"
    )
    assert outcome_of(world.deliver(other), theirs)[0] == ("rejected" if void_first else "applied")
    void = till.linked_return(sale, kind="void") if not void_first else None
    again = till.linked_return(sale, kind="void")
    outcomes = world.deliver(till)
    if void is not None:
        assert outcome_of(outcomes, void)[:2] == ("applied", "returned-before")
    assert outcome_of(outcomes, again)[:2] == ("rejected", "returned-before")
    available, reserved, owed = world.figures(member)
    assert available + reserved == 200
    if not closed:
        # What the till thinks that it may spend again is set aside for it: 100 of the grant, or the 60 that it had.
        assert reserved == (60 if overdraw else 100)
    assert world.sums(member).get("offline_loss", 0) == 0
    assert owed == 0
    world.check_laws(member)
