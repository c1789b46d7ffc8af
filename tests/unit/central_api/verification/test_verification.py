"""`verify` finds nothing in an honest ledger, whatever happened in it, and names what was tampered with."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from central_api.storage.schema import balances, entries, grants, journals, reservations, transfers
from central_api.verification.differences import Difference
from central_api.verification.verification import Verification, entry_count, verify_tenant
from tests.support.databases import Place
from tests.support.terminal import basket_of, grant_use
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
                for till in tills:
                    world.now += timedelta(seconds=1)
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
