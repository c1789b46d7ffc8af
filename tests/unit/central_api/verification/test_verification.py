"""`verify` finds nothing in an honest ledger, whatever happened in it, and names what was tampered with."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from central_api.storage.schema import balances, entries, grants, journals, reservations, transfers
from central_api.verification.differences import Difference
from central_api.verification.verification import Verification, entry_count, verify_tenant
from loyalty_sdk.model import ReturnLine
from tests.support.databases import Place
from tests.support.terminal import Recorded, basket_of, grant_use
from tests.unit.central_api.support import TENANT, World, new_world, prove
from tests.unit.central_api.test_laws import ACTIONS, act


def verified(world: World) -> Verification:
    heard: list[int] = []
    found = verify_tenant(world.connection, world.capabilities, TENANT, heard.append)
    assert heard == sorted(heard)
    assert found.entries == entry_count(world.connection, TENANT) == max(heard, default=0)
    return found


def test_an_honest_ledger_differs_in_nothing(place: Place) -> None:
    def law(steps: list[tuple[str, int, int, int]]) -> None:
        with new_world(place) as world:
            members, tills = [world.member("0"), world.member("1")], [world.terminal(1), world.terminal(2)]
            for step in steps:
                act(world, tills, members, step)
                # The clock stands, or is set back: it does not tell what arrived first.
                world.now -= timedelta(seconds=step[3] % 2)
                for till in tills[:: 1 - step[1] * 2]:
                    world.upload(till)
            found = verified(world)
            assert (found.shown, found.differences) == ((), 0)

    prove(place, law, most=8, steps=ACTIONS)


def day(world: World) -> tuple[str, str]:
    """A day with everything that is judged in more than one step. Returns a member and the sale they redeemed in."""
    till, other = world.terminal(1), world.terminal(2)
    late = till.sale(basket_of(30_000), alias="late")
    till.record_bytes(b"nonsense")
    world.upload(till)
    world.now += timedelta(seconds=1)
    member = world.member("late")
    uses = [grant_use(world.granted(till, member, 100), 100)]
    sale = till.sale(basket_of(1000), member, redemption=till.redemption(), uses=uses)
    taken_back = other.linked_return(sale)
    other.sale(basket_of(1000), alias="never")
    world.upload(other)
    world.now += timedelta(seconds=1)
    world.upload(till)
    twin = other.sale(basket_of(5000), member, receipt_key=late.entry.receipt_key)
    world.granted(other, member, 100, "r-2")
    world.now += timedelta(seconds=1)
    world.upload(other)
    assert taken_back.entry.id != twin.entry.id
    return member, sale.entry.id


def test_held_woken_doubled_and_unreadable_entries_are_judged_the_same(world: World) -> None:
    day(world)
    found = verified(world)
    assert (found.shown, found.journals, found.members) == ((), 2, 1)


def test_of_two_returns_the_one_that_was_judged_first_counts(world: World) -> None:
    """They wait with their sale for its card: the one that arrived last was recorded first, and takes all."""
    till, other, third = world.terminal(1), world.terminal(2), world.terminal(3)
    sale = till.sale(basket_of(30_000, 10_000), alias="late")
    taking_all, taking_some = (
        other.linked_return(sale),
        third.linked_return(sale, ReturnLine(line=1, quantity=Decimal(1))),
    )
    for one in (till, third, other):
        assert {found.outcome for found in world.deliver(one)} == {"held"}
        world.now += timedelta(seconds=1)
    world.member("late")
    assert outcomes_of(world, taking_some, taking_all) == ["rejected", "applied"]
    assert verified(world).shown == ()


def test_who_waits_has_the_receipt_before_who_is_judged(world: World) -> None:
    till, other = world.terminal(1), world.terminal(2)
    waits = till.sale(basket_of(30_000), alias="late")
    world.deliver(till)
    twin = other.sale(basket_of(30_000), world.member("known"), receipt_key=waits.entry.receipt_key)
    world.deliver(other)
    world.member("late")
    assert outcomes_of(world, waits, twin) == ["applied", "rejected"]
    assert verified(world).shown == ()


def test_entries_of_a_release_that_told_no_order_are_judged_as_they_arrived(world: World) -> None:
    day(world)
    world.connection.execute(update(entries).values(sitting=0, turn=0))
    assert verified(world).shown == ()


def outcomes_of(world: World, *recorded: Recorded) -> list[str]:
    found = {row.id: row.outcome for row in world.connection.execute(select(entries))}
    return [found[one.entry.id] for one in recorded]


@pytest.mark.parametrize(
    ("table", "values", "what"),
    [
        (balances, {"available": 100_000}, {"available", "available from entries"}),
        (reservations, {"points": 7}, {"reserved", "reserved by grants", "reserved from entries"}),
        (transfers, {"points": 1_000_000}, {"available", "reserved"}),
        (grants, {"spent": 0, "released": 0}, {"reserved by grants"}),
        (entries, {"outcome": "rejected"}, {"outcome"}),
        (entries, {"points": 5}, {"points"}),
        (entries, {"hash": b"#" * 32}, {"chain"}),
        (journals, {"watermark": 1}, {"watermark"}),
    ],
)
def test_what_was_tampered_with_is_named(world: World, table: Any, values: dict[str, Any], what: set[str]) -> None:
    member, _ = day(world)
    world.connection.execute(update(table).values(values))
    found = verified(world)
    assert found.differences == len(found.shown) > 0
    assert {one.what for one in found.shown} >= what
    assert all(isinstance(one, Difference) and one.stored != one.computed for one in found.shown)
    if table in (balances, reservations):
        assert all(member in one.where for one in found.shown)
