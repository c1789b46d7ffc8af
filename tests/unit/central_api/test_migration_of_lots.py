"""Schema 5 brings over what members were given and what was taken: the same as a ledger that kept it from the start."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from central_api.storage.migration import upgrade
from central_api.storage.schema_ledger import debits, decisions, lots, settlements
from tests.support.databases import Place
from tests.unit.central_api.support import World, new_world, prove
from tests.unit.central_api.test_laws import ACTIONS, act


def facts(world: World) -> list[Any]:
    return [sorted(tuple(row) for row in world.connection.execute(select(table))) for table in (lots, debits)]


def test_the_facts_brought_over_are_those_that_were_kept(place: Place) -> None:
    def law(steps: list[tuple[str, int, int, int]]) -> None:
        with new_world(place) as world:
            members, tills = [world.member("0"), world.member("1")], [world.terminal(1), world.terminal(2)]
            for step in steps:
                act(world, tills, members, step)
                for till in tills:
                    world.upload(till)
            kept = facts(world)
            for table in (lots, debits, settlements, decisions):
                table.drop(world.connection)
            upgrade(world.connection, 4, 5)
            assert facts(world) == kept

    prove(place, law, most=10, steps=ACTIONS)
