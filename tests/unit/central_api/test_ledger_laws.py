"""Laws 5 to 10 on the real ledger, where points are pending and expire while terminals are away for weeks.

What is expected is reckoned here from what was recorded and decided, by a model of its own; the fold has one more in
ledger/test_fold.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import select

from central_api.ledger.facts import all_facts, folded_members, load_facts
from central_api.ledger.fold import Figures
from central_api.members import decisions
from central_api.problems import Refused
from central_api.programmes import versions as programmes
from central_api.storage.schema import balances, transfers
from central_api.storage.schema_ledger import settlements
from central_api.verification.verification import verify_tenant
from loyalty_sdk.envelope import GrantClosedBody, GrantUse
from loyalty_sdk.model import ReturnLine
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import MemberAnswer
from tests.support.databases import Place
from tests.support.settling import settle_due
from tests.support.terminal import Recorded, SupportTerminal, basket_of, grant_document, grant_use
from tests.unit.central_api.support import PROGRAMME, START, TENANT, World, new_world, prove

DATED = json.dumps(
    json.loads(PROGRAMME) | {"version": 2, "expiry": {"months_after_earning": 1}, "pending": {"hours": 48}}
)
LAST_DAY = 75

# (day, what, till, amount): a story that two centrals hear in different orders.
EVENTS = st.lists(
    st.tuples(
        st.integers(1, 60),
        st.sampled_from(["sale", "sale", "sale", "redeem", "return", "void", "unlinked", "close", "release"]),
        st.integers(0, 1),
        st.integers(0, 30_000),
    ),
    max_size=14,
).map(sorted)
# Points are booked on day 27 as available, and concern a day before it again, with others pending beside them.
MATURED_AND_FALLEN_BACK: list[tuple[list[tuple[int, str, int, int]], list[tuple[int, str]]]] = [
    (
        [(9, "sale", 0, 78), (27, "sale", 0, 2055), (35, "return", 0, 826), (44, "sale", 1, 28)],
        [(27, "first"), (1, "second")],
    ),
    (
        [*[(1, "sale", 0, 0)] * 4, (1, "sale", 1, 0), (9, "sale", 0, 78), (35, "return", 0, 826)],
        [(27, "give"), (1, "second")],
    ),
]
# On which days a till is online.
ONLINE = st.tuples(*(st.sets(st.integers(1, 74), max_size=8) for _ in range(2)))


@pytest.fixture(autouse=True)
def standings_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what comes late, returns or expires in these short stories is folded from a standing, too."""
    monkeypatch.setattr("central_api.ledger.fold.EVENTS_BETWEEN", 3)


def day(number: int, hour: int = 0) -> datetime:
    return START + timedelta(days=number, hours=hour)


@dataclass
class Shop:
    """One central with two tills, and a member who has got grants to redeem from."""

    world: World
    tills: list[SupportTerminal]
    member: str
    grants: list[GrantUse] = field(default_factory=list)
    sales: list[tuple[int, Recorded, GrantUse | None]] = field(default_factory=list)

    def use(self, index: int) -> GrantUse:
        return self.grants[index]

    def sent(self, which: int, today: int) -> None:
        """Upload what a till has recorded by now."""
        till = self.tills[which]
        self.world.now = max(self.world.now, day(today, 12))
        head = sum(1 for one in till.recorded if one.entry.occurred_at <= self.world.now)
        if head:
            self.world.upload(till, 1, head)


def opened(world: World) -> Shop:
    """Day 0: a programme with dates, points by hand, and six grants at the first till."""
    programmes.activate_programme(world.connection, world.capabilities, TENANT, DATED)
    tills = [world.terminal(1), world.terminal(2)]
    for till in tills:
        till.programme = parse_programme(DATED)
        till.now = START
    shop = Shop(world, tills, world.member("1"))
    world.now = day(0, 12)
    decisions.adjust(world.connection, world.capabilities, TENANT, shop.member, 1_000, "a gift", "tests")
    for number in range(6):
        granted(shop, 0, f"grant-{number}")
    return shop


def granted(shop: Shop, which: int, redemption_id: str) -> GrantUse:
    answer = shop.world.grant(shop.tills[which], shop.member, 100, redemption_id)
    assert isinstance(answer, MemberAnswer)
    (found,) = (one for one in answer.grants if grant_document(one).redemption_id == redemption_id)
    shop.grants.append(grant_use(found, 100))
    return shop.grants[-1]


def record(shop: Shop, events: list[tuple[int, str, int, int]]) -> None:
    """Write both journals to their ends. Nothing of it depends on what central answered."""
    unused = list(shop.grants)
    for today, what, which, amount in events:
        till = shop.tills[which]
        till.now = max(till.now, day(today))
        if what == "sale":
            shop.sales.append((which, till.sale(basket_of(amount, 500), shop.member), None))
        elif what == "redeem" and which == 0 and unused:
            use = unused.pop()
            sold = till.sale(basket_of(amount, 500), shop.member, redemption=till.redemption(), uses=[use])
            shop.sales.append((which, sold, use))
        elif what == "unlinked":
            till.unlinked_return(basket_of(amount // 10), shop.member)
        elif what in ("return", "void") and shop.sales:
            seller, sold, _ = shop.sales[amount % len(shop.sales)]
            till.linked_return(sold, kind=what if seller == which else "return")
        elif what in ("close", "release") and which == 0 and unused:
            use = unused.pop()
            till.record("grant_closed", closed_body(shop, use, amount % 101))


def closed_body(shop: Shop, use: GrantUse, points: int) -> GrantClosedBody:
    return GrantClosedBody(grant_id=use.grant_id, member_id=shop.member, points=points, reason="expired")


def ended(shop: Shop) -> dict[str, Any]:
    """After the last day, with everything delivered and settled: every figure, and what is left of every lot."""
    for which in range(2):
        shop.sent(which, LAST_DAY)
    settle_due(shop.world.connection, shop.world.capabilities, TENANT, 100)
    check(shop)
    return figures(shop) | {
        lot.lot_id: (lot.points, lot.remaining, lot.available_at, lot.expires_at)
        for lot in decisions.member_lots(shop.world.connection, shop.world.capabilities, TENANT, shop.member)
        if lot.points and lot.lot_id in {one.entry.id for till in shop.tills for one in till.recorded}
    }


def figures(shop: Shop) -> dict[str, Any]:
    found: dict[str, Any] = {"expired": 0, "written_off": 0}
    for table, names in ((balances, ("available", "pending", "owed")), (settlements, ("expired", "written_off"))):
        row = shop.world.connection.execute(select(table).where(table.c.member_id == shop.member)).first()
        found |= {name: 0 if row is None else getattr(row, name) for name in names}
    return found | {"reserved": shop.world.figures(shop.member)[1]}


def when(online: Any) -> list[tuple[int, int]]:
    """(day, till) of every upload, in their order."""
    return sorted((today, which) for which, days in enumerate(online) for today in days)


def check(shop: Shop) -> None:
    """Law 8, and that nothing is booked twice: balances are the sums of transfers, which sum to nothing."""
    shop.world.check_laws(shop.member)
    sums, found = shop.world.sums(shop.member), figures(shop)
    assert (sums.get("pending", 0), sums.get("expired", 0)) == (found["pending"], found["expired"])
    check_standings(shop)


def check_standings(shop: Shop) -> None:
    """From the last standing as from the first fact, up to where the account is settled at least."""
    connection, of_member = shop.world.connection, settlements.c.member_id == shop.member
    settled_at = connection.execute(select(settlements.c.settled_at).where(of_member)).scalar_one_or_none()
    now = max(shop.world.now, settled_at or shop.world.now)
    short, whole = (
        facts.folded(now)
        for facts in (
            load_facts(connection, TENANT, [shop.member], now)[shop.member],
            all_facts(connection, TENANT, shop.member),
        )
    )
    assert (short.figures, short.next_due_at) == (whole.figures, whole.next_due_at)


def test_law_7_when_entries_arrive_does_not_matter(place: Place) -> None:
    """Two centrals hear the same two journals on different days, some weeks after the points had expired."""

    def law(events: list[tuple[int, str, int, int]], first: Any, second: Any) -> None:
        found = []
        for online in (first, second):
            with new_world(place) as world:
                shop = opened(world)
                record(shop, events)
                for today, which in when(online):
                    shop.sent(which, today)
                    check(shop)
                found.append(ended(shop))
        assert found[0] == found[1]

    prove(place, law, most=20, events=EVENTS, first=ONLINE, second=ONLINE)


def test_the_ledger_is_what_is_judged_and_folded_anew(place: Place) -> None:
    """`verify` finds nothing at any moment, settled or not."""

    def law(events: list[tuple[int, str, int, int]], online: Any, until: int) -> None:
        with new_world(place) as world:
            shop = opened(world)
            record(shop, events)
            for today, which in when(online):
                if today <= until:
                    shop.sent(which, today)
            world.now = max(world.now, day(until))
            found = verify_tenant(world.connection, world.capabilities, TENANT, lambda _: None)
            assert (found.shown, found.differences) == ((), 0)

    prove(place, law, most=8, events=EVENTS, online=ONLINE, until=st.integers(1, 74))


def test_law_9_a_full_return_nets_zero_also_after_points_were_spent_and_expired(place: Place) -> None:
    """With the sale and its return, or without both: the same. The grant that it used is then closed unspent."""

    def law(others: list[tuple[int, str, int, int]], sold_on: int, amount: int, parts: list[int], till: int) -> None:
        found = []
        for with_sale in (True, False):
            with new_world(place) as world:
                shop = opened(world)
                use = shop.grants.pop()
                seller = shop.tills[0]
                plan = sorted(
                    [*others, (sold_on, "this", 0, 0), *((sold_on + part, "back", 0, part) for part in parts)]
                )
                sale, left = None, 0
                for event in plan:
                    if event[1] == "this":
                        seller.now = max(seller.now, day(sold_on))
                        if with_sale:
                            basket = basket_of(*[amount] * (len(parts) + 1))
                            sale = seller.sale(basket, shop.member, redemption=seller.redemption(), uses=[use])
                            left = len(parts) + 1
                        else:
                            seller.record("grant_closed", closed_body(shop, use, 100))
                    elif event[1] == "back":
                        if sale is not None and left > 1:
                            other = shop.tills[till]
                            other.now = max(other.now, day(event[0]))
                            other.linked_return(sale, line(left))
                            left -= 1
                    else:
                        record(shop, [event])
                if sale is not None:
                    last = shop.tills[till]
                    last.now = max(last.now, day(70))
                    last.linked_return(sale)
                    seller.now = max(seller.now, day(71))
                    seller.record("grant_closed", closed_body(shop, use, 0))
                for today in (5, 20, 50, 65):
                    shop.sent(0, today)
                ending = ended(shop)
                found.append({name: ending[name] for name in figures(shop)})
        assert found[0] == found[1]

    few = EVENTS.map(lambda events: [one for one in events if one[1] in ("sale", "unlinked")][:6])
    amounts, parts = st.integers(500, 20_000), st.lists(st.integers(1, 50), max_size=3).map(sorted)
    days = st.integers(1, 4)
    prove(place, law, most=15, others=few, sold_on=days, amount=amounts, parts=parts, till=st.integers(0, 1))


def line(number: int) -> ReturnLine:
    return ReturnLine(line=number, quantity=Decimal(1))


def test_law_8_available_is_never_negative_nor_positive_while_owing(place: Place) -> None:
    """With people deciding in between, on what they are shown at the time; `owed` is repaid, or written off."""

    def law(steps: list[tuple[str, int]], events: list[tuple[int, str, int, int]]) -> None:
        with new_world(place) as world:
            shop = opened(world)
            record(shop, events)
            for number, (what, points) in enumerate(steps):
                today = 1 + number * 70 // len(steps)
                if what in ("first", "second"):
                    shop.sent(int(what == "second"), today)
                world.now = max(world.now, day(today))
                decided(shop, what, points)
                check(shop)
            ended(shop)
            found = verify_tenant(world.connection, world.capabilities, TENANT, lambda _: None)
            assert (found.shown, found.differences) == ((), 0)

    what = st.sampled_from(["first", "second", "give", "take", "write off", "settle", "grant"])
    prove(place, law, most=15, steps=st.lists(st.tuples(what, st.integers(1, 400)), max_size=12), events=EVENTS)


def decided(shop: Shop, what: str, points: int) -> None:
    world = shop.world
    try:
        if what in ("give", "take"):
            signed = points if what == "give" else -points
            decisions.adjust(world.connection, world.capabilities, TENANT, shop.member, signed, "by hand", "tests")
        elif what == "write off":
            decisions.write_off(world.connection, world.capabilities, TENANT, shop.member, points, "kindness", "tests")
        elif what == "settle":
            settle_due(world.connection, world.capabilities, TENANT, 10)
        elif what == "grant":
            world.grant(shop.tills[1], shop.member, points, shop.tills[1].new_id())
    except Refused as refused:
        if refused.problem.name not in ("insufficient-points", "conflict"):
            raise


def test_law_10_no_setting_of_centrals_clock_makes_or_loses_points(place: Place) -> None:
    """It jumps to and fro; once it is past every date again, the figures are those of the facts."""

    def law(events: list[tuple[int, str, int, int]], jumps: list[tuple[int, str]]) -> None:
        with new_world(place) as world:
            shop = opened(world)
            record(shop, events)
            for today, what in jumps:
                world.now = day(today, 12)
                if what in ("first", "second"):
                    world.upload(shop.tills[int(what == "second")])
                else:
                    decided(shop, what, 100)
                check(shop)
            world.now = day(LAST_DAY + 60)
            found = ended(shop)
            folded = folded_members(world.connection, TENANT, [shop.member], world.now)[shop.member]
            assert folded.figures == Figures(**{name: found[name] for name in Figures._fields})
            verified = verify_tenant(world.connection, world.capabilities, TENANT, lambda _: None)
            assert (verified.shown, verified.differences) == ((), 0)

    for events, jumps in MATURED_AND_FALLEN_BACK:
        law(events, jumps)
    what = st.sampled_from(["first", "second", "give", "take", "settle", "grant"])
    prove(place, law, most=12, events=EVENTS, jumps=st.lists(st.tuples(st.integers(1, 74), what), max_size=8))


def test_law_5_the_same_upload_again_changes_nothing(place: Place) -> None:
    def law(events: list[tuple[int, str, int, int]], online: Any) -> None:
        with new_world(place) as world:
            shop = opened(world)
            record(shop, events)
            for today, which in when(online):
                shop.sent(which, today)
            before = ended(shop)
            count = len(world.connection.execute(select(transfers.c.id)).all())
            assert ended(shop) == before
            assert len(world.connection.execute(select(transfers.c.id)).all()) == count

    prove(place, law, most=6, events=EVENTS, online=ONLINE)
