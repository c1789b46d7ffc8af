"""Totals that are not the sums of the transfers are found."""

from __future__ import annotations

from sqlalchemy import update

from central_api.ledger.totals import fold_totals
from central_api.storage.schema_office import total_parts, totals
from central_api.verification.differences import Differences
from central_api.verification.totals import verify_totals
from tests.support.terminal import basket_of
from tests.unit.central_api.support import TENANT, World


def found(world: World) -> list[tuple[str, str, str]]:
    differences = Differences()
    verify_totals(world.connection, TENANT, differences)
    return [(one.what, one.stored, one.computed) for one in differences.kept]


def test_totals_that_differ_from_the_transfers_are_named(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    till.sale(basket_of(1_000), member)
    world.deliver(till)
    assert found(world) == []
    world.connection.execute(update(total_parts).values(points=9))
    assert found(world) == [("total points", "9", "10")]
    fold_totals(world.connection, TENANT)
    assert found(world) == [("total points", "9", "10")]
    world.connection.execute(update(totals).values(points=10, transfers=2))
    assert found(world) == [("total transfers", "2", "1")]
