"""The programme's totals are the sums of the transfers, whether they are folded yet or not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from central_api.ledger.totals import (
    MEMBERS_ACCOUNTS,
    count_parts,
    daily_totals,
    fold_totals,
    moved_totals,
    note_transfers,
)
from central_api.problems import Refused
from central_api.storage.schema import transfers
from tests.support.databases import Place
from tests.support.terminal import basket_of
from tests.unit.central_api.support import START, TENANT, World, new_world, prove

FIRST = START.date()


def row(number: int, source: str, target: str, points: int, days: int = 0, tenant: str = TENANT) -> dict[str, Any]:
    """A transfer as it is booked."""
    recorded_at = START + timedelta(days=days)
    accounts = {"from_account": source, "to_account": target}
    return {"tenant": tenant, "id": f"{tenant}/{number}", "points": points, "recorded_at": recorded_at, **accounts}


def of_transfers(connection: Connection) -> dict[tuple[str, str, str], tuple[int, int]]:
    """The sums that plain SQL makes of the table of transfers."""
    names = (func.substr(transfers.c.recorded_at, 1, 10).label("day"), transfers.c.from_account, transfers.c.to_account)
    query = select(*names, func.sum(transfers.c.points), func.count()).where(transfers.c.tenant == TENANT)
    return {
        (day, source, target): (int(points), n)
        for day, source, target, points, n in connection.execute(query.group_by(*names))
    }


def of_totals(connection: Connection) -> dict[tuple[str, str, str], tuple[int, int]]:
    found = moved_totals(connection, TENANT, FIRST - timedelta(days=5), FIRST + timedelta(days=60))
    return {(one.day.isoformat(), one.from_account, one.to_account): (one.points, one.transfers) for one in found}


def test_totals_are_the_sums_of_what_sales_and_returns_booked(world: World) -> None:
    till, member = world.terminal(1), world.member("2001")
    for number in range(5):
        sale = till.sale(basket_of(1_000 + 100 * number), member)
        if number == 3:
            till.linked_return(sale)
        world.now += timedelta(hours=9)
        world.deliver(till)
        assert of_totals(world.connection) == of_transfers(world.connection)
        if number % 2:
            fold_totals(world.connection, TENANT)
    while fold_totals(world.connection, TENANT, limit=1):
        assert of_totals(world.connection) == of_transfers(world.connection)
    assert count_parts(world.connection, TENANT) == 0
    days = daily_totals(world.connection, TENANT, FIRST, FIRST + timedelta(days=3))
    assert [one.day for one in days] == [FIRST + timedelta(days=number) for number in range(4)]
    assert sum(one.issued for one in days) == days[-1].outstanding == sum(world.figures(member))


def test_figures_of_a_day_and_what_is_outstanding_at_its_end(world: World) -> None:
    connection = world.connection
    note_transfers(connection, [row(1, "issued", "available", 100), row(2, "issued", "pending", 30)])
    note_transfers(connection, [row(3, "available", "reserved", 40, 1), row(4, "reserved", "redeemed", 25, 1)])
    note_transfers(connection, [row(5, "available", "expired", 10, 3), row(6, "owed", "issued", 8, 3)])
    note_transfers(connection, [row(7, "offline_loss", "owed", 8, 4), row(8, "redeemed", "available", 5, 4)])
    note_transfers(connection, [row(1, "issued", "available", 7_000, tenant="other")])
    found = daily_totals(connection, TENANT, FIRST, FIRST + timedelta(days=4))
    figures = [(one.issued, one.redeemed, one.expired, one.offline_loss, one.outstanding) for one in found]
    assert figures == [
        (130, 0, 0, 0, 130),
        (0, 25, 0, 0, 105),
        (0, 0, 0, 0, 105),
        (-8, 0, 10, 0, 87),
        (0, -5, 0, 8, 100),
    ]
    assert [one.transfers for one in found] == [2, 2, 0, 2, 2]
    assert daily_totals(connection, TENANT, FIRST + timedelta(days=4), FIRST + timedelta(days=4)) == found[-1:]
    fold_totals(connection, TENANT)
    assert daily_totals(connection, TENANT, FIRST, FIRST + timedelta(days=4)) == found
    assert count_parts(connection, "other") == 1


@pytest.mark.parametrize(
    ("first", "last"),
    [(FIRST, FIRST - timedelta(days=1)), (date(1, 1, 2), date(9999, 12, 31)), (date(1, 1, 1), date(1, 1, 2))],
)
def test_days_that_nobody_can_want_are_refused(world: World, first: date, last: date) -> None:
    with pytest.raises(Refused, match="by the first and the last"):
        daily_totals(world.connection, TENANT, first, last)


def test_the_last_day_of_all_can_be_asked_for(world: World) -> None:
    assert daily_totals(world.connection, TENANT, date(9999, 12, 31), date(9999, 12, 31))[0].outstanding == 0


def test_a_day_begins_at_midnight_utc(world: World) -> None:
    late = row(1, "issued", "available", 1)
    late["recorded_at"] = datetime(2026, 5, 1, 23, 30, tzinfo=UTC).astimezone(tz=None)
    note_transfers(world.connection, [late])
    note_transfers(world.connection, [])
    assert list(of_totals(world.connection)) == [("2026-05-01", "issued", "available")]


ACCOUNTS = ("issued", "available", "pending", "reserved", "redeemed", "expired", "owed", "offline_loss")
MOVES = st.lists(
    st.tuples(st.permutations(ACCOUNTS), st.integers(1, 10**12), st.integers(0, 3), st.booleans()), max_size=20
)


def test_law_8_of_totals_whatever_is_booked_and_whenever_it_is_folded(place: Place) -> None:
    """Nothing is made or lost: outstanding is what was issued less what went."""

    def law(moves: list[tuple[list[str], int, int, bool]]) -> None:
        with new_world(place) as world:
            connection = world.connection
            for number, (accounts, points, days, folds) in enumerate(moves):
                note_transfers(connection, [row(number, accounts[0], accounts[1], points, days)])
                if folds:
                    fold_totals(connection, TENANT, limit=1)
            held = sum(
                points * ((accounts[1] in MEMBERS_ACCOUNTS) - (accounts[0] in MEMBERS_ACCOUNTS))
                for accounts, points, _, _ in moves
            )
            found = daily_totals(connection, TENANT, FIRST, FIRST + timedelta(days=3))
            assert found[-1].outstanding == held
            left = 0
            for one in found:
                left += one.issued - one.redeemed - one.expired + one.offline_loss
                assert one.outstanding == left
            assert sum(one.transfers for one in found) == len(moves)

    prove(place, law, moves=MOVES)
