"""Grants: ahead at identification, exact for a redemption, recalled, closed and released."""

import pytest

from central_api.problems import Problem, Refused
from central_api.terminals.terminals import recall_grants
from loyalty_sdk.protocol import MemberAnswer
from tests.support.terminal import SupportTerminal, basket_of, grant_document, grant_use
from tests.unit.central_api.support import TENANT, World, outcome_of


def rich(world: World, till: SupportTerminal, points: int = 300) -> str:
    """A member with so many points."""
    member = world.member("1")
    till.sale(basket_of(points * 100), member)
    world.deliver(till)
    return member


def test_a_grant_ahead_fills_up_to_the_cap_and_changes_no_balance(world: World) -> None:
    till = world.terminal(1)
    member = rich(world, till)
    answer = world.identify(till, "1")
    assert (answer.snapshot.balance, answer.snapshot.includes_seq) == (300, 2)
    assert answer.snapshot.name_masked == "M*** S."
    (grant,) = answer.grants
    document = grant_document(grant)
    assert (document.points, document.terminal, document.member_id) == (200, till.name, member)
    assert world.capabilities.keys.verify("grant", grant)
    assert world.figures(member) == (100, 200, 0)
    assert world.identify(till, "1").grants == answer.grants
    world.check_laws(member)


def test_a_spent_grant_ahead_is_filled_up(world: World) -> None:
    till = world.terminal(1)
    member = rich(world, till)
    (grant,) = world.identify(till, "1").grants
    till.sale(basket_of(1000), member, redemption=till.redemption(), uses=[grant_use(grant, 100)])
    world.deliver(till)
    points = sorted(grant_document(one).points for one in world.identify(till, "1").grants)
    assert points == [100, 200]
    assert world.figures(member) == (5, 200, 0)


def test_an_unknown_alias_is_said_so(world: World) -> None:
    with pytest.raises(Refused, match="no member has this card"):
        world.identify(world.terminal(1), "nobody")


def test_an_exact_grant_is_idempotent_by_its_redemption(world: World) -> None:
    till, other = world.terminal(1), world.terminal(2)
    member = rich(world, till)
    first = world.grant(till, member, 100)
    assert world.grant(till, member, 100) == first
    assert world.figures(member) == (200, 100, 0)
    for terminal, points in ((till, 150), (other, 100)):
        with pytest.raises(Refused) as caught:
            world.grant(terminal, member, points)
        assert caught.value.problem.name == "conflict"


def test_an_exact_grant_takes_what_is_there_if_that_is_enough(world: World) -> None:
    till = world.terminal(1)
    member = rich(world, till, 150)
    answer = world.grant(till, member, 200, least=100)
    assert isinstance(answer, MemberAnswer)
    assert grant_document(answer.grants[0]).points == 150


def test_insufficient_points_ask_the_other_tills_back(world: World) -> None:
    till, other = world.terminal(1), world.terminal(2)
    member = rich(world, till)
    (grant,) = world.identify(other, "1").grants
    answer = world.grant(till, member, 200)
    assert isinstance(answer, Problem)
    assert (answer.name, answer.status) == ("insufficient-points", 409)
    grant_id = grant_document(grant).grant_id
    assert world.changes(other).grants_recalled == (grant_id,)
    assert world.changes(till).grants_recalled == ()
    other.close_grant(grant, 200, "recalled")
    world.deliver(other)
    assert isinstance(world.grant(till, member, 200, "r-2"), MemberAnswer)
    world.check_laws(member)


def test_a_close_gives_back_exactly_its_points(world: World) -> None:
    till = world.terminal(1)
    member = rich(world, till)
    (grant,) = world.identify(till, "1").grants
    negative = till.close_grant(grant, -1)
    closed = till.close_grant(grant, 150)
    again = till.close_grant(grant, 10)
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, negative)[0] == "quarantined"
    assert outcome_of(outcomes, closed) == ("applied", "", 0)
    assert outcome_of(outcomes, again)[:2] == ("rejected", "grant-closed-twice")
    assert world.figures(member) == (250, 50, 0)


def test_law_8_a_close_that_names_more_than_is_reserved_gives_back_what_is(world: World) -> None:
    """The till's disk was restored: its life before had spent 100 of the 200, and this one does not know it."""
    till = world.terminal(1)
    member = rich(world, till)
    (grant,) = world.identify(till, "1").grants
    till.sale(basket_of(1000), member, redemption=till.redemption(), uses=[grant_use(grant, 100)])
    world.deliver(till)
    till.open_journal()
    close = till.close_grant(grant, 200)
    assert outcome_of(world.deliver(till), close) == ("applied", "points-differ: 200, but 100 were reserved", 0)
    assert world.figures(member) == (205, 0, 0)
    world.check_laws(member)


def test_a_hold_outlives_the_close_of_its_grant(world: World) -> None:
    till = world.terminal(1)
    member = rich(world, till)
    (grant,) = world.identify(till, "1").grants
    till.close_grant(grant, 50)
    till.release(member, grant_use(grant, 50))
    sale = till.sale(basket_of(1000), member, redemption=till.redemption(), uses=[grant_use(grant, 100)])
    late = till.release(member, grant_use(grant, 1))
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, sale) == ("applied", "", 5 - 100)
    assert outcome_of(outcomes, late) == ("applied", "points-differ: 1, but 0 were reserved", 0)
    assert world.figures(member) == (205, 0, 0)
    world.check_laws(member)


def test_a_release_under_an_open_grant_moves_nothing(world: World) -> None:
    till = world.terminal(1)
    member = rich(world, till)
    (grant,) = world.identify(till, "1").grants
    released = till.release(member, grant_use(grant, 100))
    assert outcome_of(world.deliver(till), released) == ("applied", "", 0)
    assert world.figures(member) == (100, 200, 0)


def test_points_that_come_back_repay_what_is_owed_first(world: World) -> None:
    till = world.terminal(1)
    member = rich(world, till, 200)
    (grant,) = world.identify(till, "1").grants
    till.unlinked_return(basket_of(5000), member)
    world.deliver(till)
    assert world.figures(member) == (0, 200, 50)
    till.close_grant(grant, 200)
    world.deliver(till)
    assert world.figures(member) == (150, 0, 0)
    world.check_laws(member)


def test_recall_tells_every_terminal_and_takes_nothing(world: World) -> None:
    till = world.terminal(1)
    member = rich(world, till)
    world.identify(till, "1")
    assert recall_grants(world.connection, world.capabilities, TENANT) == 1
    assert len(world.changes(till).grants_recalled) == 1
    assert world.figures(member) == (100, 200, 0)
