"""Laws 5, 7, 8 and 9 on the real ledger, with baskets, returns and terminals chosen by hypothesis."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import select

from central_api.storage.schema import transfers
from loyalty_sdk.model import ReturnLine
from loyalty_sdk.protocol import MemberAnswer
from tests.support.databases import Place
from tests.support.terminal import SupportTerminal, basket_of, grant_document, grant_use
from tests.unit.central_api.support import World, new_world, prove

AMOUNTS = st.lists(st.integers(0, 40_000), min_size=1, max_size=4).map(lambda found: [*found, 500])
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["sale", "redeem", "return", "void", "unlinked", "close", "release", "identify"]),
        st.integers(0, 1),
        st.integers(0, 1),
        st.integers(0, 30_000),
    ),
    max_size=25,
)


def act(world: World, tills: list[SupportTerminal], members: list[str], step: tuple[str, int, int, int]) -> None:
    """Record what an honest till could record; what it cannot do now is left out."""
    what, which_till, which_member, amount = step
    till, member = tills[which_till], members[which_member]
    sales = [one for other in tills for one in other.recorded if one.entry.kind == "sale"]
    if what == "sale":
        till.sale(basket_of(amount, 500), member)
    elif what == "unlinked":
        till.unlinked_return(basket_of(amount), member)
    elif what in ("return", "void") and sales:
        till.linked_return(sales[amount % len(sales)], kind=what)
    elif what == "identify":
        world.identify(till, str(which_member))
    elif what in ("redeem", "close", "release"):
        use_grant(world, till, member, what, amount)


def use_grant(world: World, till: SupportTerminal, member: str, what: str, amount: int) -> None:
    redemption_id = till.new_id()
    answer = world.grant(till, member, 100, redemption_id=redemption_id)
    if not isinstance(answer, MemberAnswer):
        return
    # Ids of grants that were issued in the same millisecond have no order.
    (grant,) = (one for one in answer.grants if grant_document(one).redemption_id == redemption_id)
    if what == "redeem":
        till.sale(basket_of(amount, 500), member, redemption=till.redemption(), uses=[grant_use(grant, 100)])
    elif what == "close":
        till.close_grant(grant, amount % 101)
    else:
        till.release(member, grant_use(grant, 1 + amount % 100))


def test_points_are_conserved_whatever_happens(place: Place) -> None:
    def law(steps: list[tuple[str, int, int, int]]) -> None:
        with new_world(place) as world:
            members, tills = [world.member("0"), world.member("1")], [world.terminal(1), world.terminal(2)]
            for step in steps:
                act(world, tills, members, step)
                for till in tills:
                    world.upload(till)
                world.check_laws(*members)
            assert all("offline_loss" not in world.sums(member) for member in members)

    prove(place, law, steps=ACTIONS)


def test_any_split_of_a_full_return_nets_zero(place: Place) -> None:
    def law(amounts: list[int], order: Any, redeems: bool, tills: int) -> None:
        with new_world(place) as world:
            member = world.member("1")
            made = [world.terminal(number + 1) for number in range(tills)]
            made[0].sale(basket_of(20_000), member)
            world.deliver(made[0])
            uses, redemption = [], None
            if redeems:
                uses, redemption = [grant_use(world.granted(made[0], member, 100), 100)], made[0].redemption()
            sale = made[0].sale(basket_of(*amounts), member, redemption=redemption, uses=uses)
            world.deliver(made[0])
            lines = list(range(1, len(amounts) + 1))
            order.shuffle(lines)
            for number, line in enumerate(lines):
                till = made[number % tills]
                till.linked_return(sale, ReturnLine(line=line, quantity=Decimal(1)))
                world.deliver(till)
            assert world.figures(member) == (200, 0, 0)
            world.check_laws(member)

    order = st.randoms(use_true_random=False)
    prove(place, law, amounts=AMOUNTS, order=order, redeems=st.booleans(), tills=st.integers(1, 3))


def test_order_and_repetition_of_uploads_do_not_matter(place: Place) -> None:
    def law(first: list[int], second: list[int], batches: list[tuple[int, int]]) -> None:
        found = []
        for plan in ([(0, 7), (1, 7)], [*batches, (1, 7), (0, 7)]):
            with new_world(place) as world:
                member, tills = world.member("1"), [world.terminal(1), world.terminal(2)]
                for till, amounts in zip(tills, (first, second), strict=True):
                    for amount in amounts:
                        sale = till.sale(basket_of(amount), member)
                        if amount % 2:
                            till.linked_return(sale)
                for which, head in plan:
                    world.upload(tills[which], 1, min(head * 2, len(tills[which].recorded)))
                world.check_laws(member)
                moved = select(transfers.c.entry_id).distinct()
                found.append((world.figures(member), sorted(world.connection.execute(moved).scalars())))
        assert found[0] == found[1]

    some = st.lists(st.integers(0, 20_000), max_size=6)
    batches = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 7)), max_size=8)
    prove(place, law, first=some, second=some, batches=batches)
