"""The worked example of docs/ledger.md, step by step on the real ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from central_api.members import decisions
from central_api.programmes import versions as programmes
from central_api.storage.schema import balances, transfers
from central_api.storage.schema_ledger import settlements
from central_api.verification.verification import verify_tenant
from loyalty_sdk.envelope import GrantUse
from loyalty_sdk.programme import parse_programme
from tests.support.settling import settle_due
from tests.support.terminal import Recorded, SupportTerminal, basket_of, grant_use
from tests.unit.central_api.support import PROGRAMME, TENANT, World

PAGE = (Path(__file__).parents[3] / "docs" / "ledger.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d{4}-\d\d-\d\d \d\d:\d\d) \|[^|]*((?:\| \d+ ){5})\|$", re.MULTILINE)


def rows() -> list[tuple[datetime, list[int]]]:
    """Each event's time, and the figures after it."""
    return [
        (datetime.fromisoformat(when).replace(tzinfo=UTC), [int(figure) for figure in figures.strip("| ").split("|")])
        for when, figures in ROW.findall(PAGE)
    ]


def programme() -> str:
    """The programme that the page names."""
    named = dict(re.findall(r'`"(\w+)": (\{[^}]*\})`', PAGE))
    dated = {name: json.loads(value) for name, value in named.items()}
    assert set(dated) == {"pending", "expiry"}
    return json.dumps(json.loads(PROGRAMME) | {"version": 2} | dated)


def test_the_documented_example(world: World) -> None:
    world.now = datetime(2026, 5, 1, 8, tzinfo=UTC)
    programmes.activate_programme(world.connection, world.capabilities, TENANT, programme())
    till, other, member = world.terminal(1), world.terminal(2), world.member("1")
    for one in (till, other):
        one.programme = parse_programme(programme())
    sales: list[Recorded] = []

    def at(one: SupportTerminal, when: datetime) -> SupportTerminal:
        one.now = when
        return one

    late = datetime(2026, 5, 25, 12, tzinfo=UTC)
    uses: list[GrantUse] = []
    steps: list[Callable[[datetime], object]] = [
        lambda when: sales.append(at(till, when).sale(basket_of(30_000), member)),
        lambda when: None,
        lambda when: uses.append(grant_use(world.granted(till, member, 100), 100)),
        lambda when: sales.append(
            at(till, when).sale(basket_of(5_000), member, redemption=till.redemption(), uses=uses)
        ),
        lambda when: None,
        lambda when: at(other, late).unlinked_return(basket_of(3_000), member),
        lambda when: at(other, when).linked_return(sales[0]),
        lambda when: at(other, when).linked_return(sales[1]),
        lambda when: decisions.write_off(
            world.connection, world.capabilities, TENANT, member, 10, "a good customer", "tests"
        ),
        lambda when: sales.append(at(till, when).sale(basket_of(10_000), member)),
        lambda when: None,
        lambda when: None,
    ]
    for (when, figures), step in zip(rows(), steps, strict=True):
        world.now = when
        step(when)
        for one in (till, other):
            world.upload(one)
        settle_due(world.connection, world.capabilities, TENANT, 10)
        assert shown(world, member) == figures, when
        assert verify_tenant(world.connection, world.capabilities, TENANT, lambda _: None).shown == ()
        world.check_laws(member)
    corrections = select(transfers.c.from_account, transfers.c.to_account, transfers.c.points).where(
        transfers.c.reason == "correction"
    )
    assert tuple(world.connection.execute(corrections).all()[0]) == ("expired", "available", 30)


def shown(world: World, member: str) -> list[int]:
    """available, pending, reserved, owed, expired."""
    row = world.connection.execute(select(balances).where(balances.c.member_id == member)).one()
    expired = world.connection.execute(select(settlements.c.expired)).scalar_one()
    return [row.available, row.pending, world.figures(member)[1], row.owed, expired]
