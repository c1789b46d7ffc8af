"""Laws 5 to 10 with many writers at once, on SQLite and on PostgreSQL: the real ledger, real transactions, no order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_api.capabilities import Capabilities
from central_api.keys import new_key_ring
from central_api.ledger import feed
from central_api.members.members import note_interest
from central_api.members.merging import merge
from central_api.problems import Problem, Refused
from central_api.programmes import versions as programmes
from central_api.storage.database import Database, open_database
from central_api.storage.installation import install
from central_api.storage.postgresql import PostgresqlEngines
from central_api.storage.schema import entries, grants, waiting
from central_api.terminals import terminals
from central_api.verification.verification import verify_tenant
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import ChangesPage, EntryOutcome, MemberAnswer
from tests.support.postgresql import Server
from tests.support.settling import settle_due
from tests.support.terminal import Recorded, SupportTerminal, basket_of, grant_use
from tests.unit.central_api.support import PROGRAMME, TENANT, World

T = TypeVar("T")
Work = Callable[[World], T]
DATES = {"expiry": {"months_after_earning": 1}, "pending": {"hours": 48}}
FEW = settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])


@dataclass(slots=True)
class Crowd:
    """Many writers on one database. Members and terminals are new for each example."""

    runner: asyncio.Runner
    database: Database
    world: World
    numbers: Iterator[int]

    def on(self, work: Work[T]) -> Callable[[Connection], T]:
        return lambda connection: work(replace(self.world, connection=connection))

    def together(self, *works: Work[T]) -> list[T]:
        """Each in a transaction of its own, all of them at once."""

        async def run() -> list[T]:
            return list(await asyncio.gather(*(self.database.write(self.on(work)) for work in works)))

        return self.runner.run(run())

    def alone(self, work: Work[T]) -> T:
        (value,) = self.together(work)
        return value

    def tills(self, wanted: int) -> list[SupportTerminal]:
        return [self.alone(lambda world: world.terminal(next(self.numbers))) for _ in range(wanted)]

    def member(self, points: int = 0) -> str:
        """A new member with so many points."""
        member_id = self.alone(lambda world: world.member(f"card-{next(self.numbers)}"))
        if points:
            (till,) = self.tills(1)
            till.sale(basket_of(points * 100), member_id)
            self.alone(lambda world: world.deliver(till))
        return member_id

    def check(self, *members: str) -> None:
        self.alone(lambda world: world.check_laws(*members))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("crowd")
        yield from new_crowd(f"sqlite:///{folder}/central.db")
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database() as url:
        yield from new_crowd(url.render_as_string(hide_password=False))


def new_crowd(url: str) -> Iterator[Crowd]:
    with asyncio.Runner() as runner:
        database = open_database(url)
        world: Any = World(connection=None)  # type: ignore[arg-type]  # each transaction gives it a connection
        ring = new_key_ring(world.random_bytes)
        world.capabilities = Capabilities(now=lambda: world.now, random_bytes=world.random_bytes, keys=ring)
        made = Crowd(runner, database, world, count(1))
        made.alone(lambda found: install(found.connection, found.capabilities, TENANT))
        made.alone(lambda found: programmes.activate_programme(found.connection, found.capabilities, TENANT, PROGRAMME))
        yield made
        # Whatever was judged at once, in the same moment of a clock that stands, is judged again in the same order.
        found = made.alone(lambda world: verify_tenant(world.connection, world.capabilities, TENANT, lambda _: None))
        runner.run(database.close())
        assert found.shown == ()


def delivery(till: SupportTerminal) -> Work[list[EntryOutcome]]:
    return lambda world: world.deliver(till)


def exact_grant(till: SupportTerminal, member: str) -> Work[MemberAnswer | Problem]:
    return lambda world: world.grant(till, member, 100, redemption_id=till.new_id())


def figures(member: str) -> Work[tuple[int, int, int]]:
    return lambda world: world.figures(member)


def registration(card: str) -> Work[Any]:
    return lambda world: world.member(card)


def outcomes(crowd: Crowd, *recorded: Recorded) -> list[str]:
    """What central holds of these entries."""
    ids = [one.entry.id for one in recorded]
    query = select(entries.c.id, entries.c.outcome).where(entries.c.id.in_(ids))
    found = crowd.alone(lambda world: {row.id: row.outcome for row in world.connection.execute(query)})
    return [found[entry_id] for entry_id in ids]


def test_redemptions_at_once_cannot_spend_twice(crowd: Crowd) -> None:
    @FEW
    @given(points=st.integers(0, 650), rivals=st.integers(2, 8))
    def law(points: int, rivals: int) -> None:
        member, tills = crowd.member(points), crowd.tills(rivals)
        answers = crowd.together(*(exact_grant(till, member) for till in tills))
        granted = [(till, one) for till, one in zip(tills, answers, strict=True) if isinstance(one, MemberAnswer)]
        assert len(granted) == min(rivals, points // 100)
        crowd.check(member)
        sold = []
        for till, answer in granted:
            uses = [grant_use(answer.grants[-1], 100)]
            sold.append(till.sale(basket_of(500), member, redemption=till.redemption(), uses=uses))
        crowd.together(*(delivery(till) for till, _ in granted for _ in range(2)))
        assert outcomes(crowd, *sold) == ["applied"] * len(sold)
        crowd.check(member)
        assert crowd.alone(lambda world: world.sums(member).get("redeemed", 0)) == 100 * len(sold)
        assert crowd.alone(lambda world: "offline_loss" not in world.sums(member))

    law()


def test_one_grant_used_by_two_journals_at_once_is_spent_once(crowd: Crowd) -> None:
    """A till and its clone: what both spend of one grant is central's loss, never the member's."""
    member, (till,) = crowd.member(300), crowd.tills(1)
    granted = crowd.alone(exact_grant(till, member))
    assert isinstance(granted, MemberAnswer)
    twin = replace(till, recorded=list(till.recorded), seed=till.seed)
    twin.open_journal()
    for one in (till, twin):
        one.sale(basket_of(500), member, redemption=one.redemption(), uses=[grant_use(granted.grants[0], 100)])
    crowd.together(delivery(till), delivery(twin))
    crowd.check(member)
    sums = crowd.alone(lambda world: world.sums(member))
    assert (sums["redeemed"], sums["available"]) in ((200, 200), (100, 200))
    assert sums.get("offline_loss", 0) == 100 - sums["redeemed"]


def test_uploads_of_the_same_at_once_count_once(crowd: Crowd) -> None:
    @FEW
    @given(sales=st.integers(1, 8), times=st.integers(2, 6))
    def law(sales: int, times: int) -> None:
        member, (till,) = crowd.member(), crowd.tills(1)
        recorded = [till.sale(basket_of(1000), member) for _ in range(sales)]
        answers = crowd.together(*(delivery(till) for _ in range(times)))
        assert answers == [answers[0]] * times
        assert outcomes(crowd, *recorded) == ["applied"] * sales
        crowd.check(member)
        assert crowd.alone(lambda world: world.figures(member)) == (10 * sales, 0, 0)

    law()


def test_a_receipt_that_two_tills_claim_at_once_counts_once(crowd: Crowd) -> None:
    member, tills = crowd.member(), crowd.tills(6)
    key = tills[0].receipt_key()
    sold = [till.sale(basket_of(1000), member, receipt_key=key) for till in tills]
    crowd.together(*(delivery(till) for till in tills))
    assert sorted(outcomes(crowd, *sold)) == ["applied"] + ["rejected"] * 5
    crowd.check(member)
    assert crowd.alone(lambda world: world.figures(member)) == (10, 0, 0)


@pytest.mark.parametrize("known", [True, False])
def test_returns_of_one_sale_at_once_net_zero(crowd: Crowd, known: bool) -> None:
    member, tills = crowd.member(50), crowd.tills(5)
    sale = tills[0].sale(basket_of(3000), member if known else None)
    crowd.alone(delivery(tills[0]))
    taken_back = [till.linked_return(sale) for till in tills]
    crowd.together(*(delivery(till) for till in tills))
    assert sorted(outcomes(crowd, *taken_back)) == ["applied"] + ["rejected"] * 4
    crowd.check(member)
    assert crowd.alone(lambda world: world.figures(member)) == (50, 0, 0)


def test_nobody_waits_for_what_came_at_the_same_moment(crowd: Crowd) -> None:
    """A return beside its sale, a sale beside its card: whoever is first, nothing is held when both are there."""
    for _ in range(6):
        member, (till, other, third) = crowd.member(), crowd.tills(3)
        sale = till.sale(basket_of(3000), member)
        taken_back = other.linked_return(sale)
        card = f"late-{next(crowd.numbers)}"
        unknown = third.sale(basket_of(1000), alias=card)
        crowd.together(delivery(other), delivery(third), delivery(till), registration(card))
        assert outcomes(crowd, sale, taken_back, unknown) == ["applied"] * 3
        crowd.check(member)
    assert crowd.alone(lambda world: world.connection.execute(select(func.count()).select_from(waiting)).scalar()) == 0


def test_members_that_meet_in_opposite_order_hold_nobody_up(crowd: Crowd) -> None:
    members, tills = [crowd.member() for _ in range(6)], crowd.tills(6)
    for number, till in enumerate(tills):
        for member in members[number:] + members[:number]:
            till.sale(basket_of(1000), member)
    crowd.together(*(delivery(till) for till in tills), *(exact_grant(till, members[0]) for till in tills))
    crowd.check(*members)
    for member in members:
        available, reserved, owed = crowd.alone(figures(member))
        assert (available + reserved, owed) == (60, 0)


def test_a_page_of_changes_never_passes_an_open_transaction(crowd: Crowd) -> None:
    """Writers tell two tills of members in any order while the tills read: none of them misses anything."""
    members, tills = [crowd.member() for _ in range(8)], crowd.tills(2)
    for till in tills:
        crowd.alone(wish(till, *members))

    def told(member: str) -> Work[None]:
        return lambda world: feed.members_changed(world.connection, TENANT, [member], world.capabilities.now())

    async def tell(member: str) -> None:
        for _ in range(3):
            await crowd.database.write(crowd.on(told(member)))

    async def hear(till: SupportTerminal, talk: asyncio.Future[Any]) -> dict[str, int]:
        heard: dict[str, int] = {}
        cursor, last = "", False
        while not last:
            last = talk.done()
            page = await crowd.database.read(crowd.on(page_after(till, cursor)))
            heard |= {one.member_id: one.revision for one in page.snapshots}
            cursor, last = page.cursor, last and not page.more
        return heard

    async def run() -> list[dict[str, int]]:
        talk = asyncio.gather(*(tell(member) for member in members))
        heard = await asyncio.gather(*(hear(till, talk) for till in tills))
        await talk
        return list(heard)

    assert crowd.runner.run(run()) == [dict.fromkeys(members, 4)] * 2


def page_after(till: SupportTerminal, cursor: str) -> Work[ChangesPage]:
    return lambda world: world.changes(till, cursor, limit=3)


def wish(till: SupportTerminal, *members: str) -> Work[None]:
    """Let a till hear of members."""

    def work(world: World) -> None:
        for member in members:
            note_interest(world.connection, world.terminals[till.name], member)

    return work


def postgresql_engines(crowd: Crowd) -> PostgresqlEngines:
    """The engines of a server, which has transactions open beside each other."""
    if not isinstance(crowd.database.engines, PostgresqlEngines):
        pytest.skip("SQLite has one writer: no transaction is open beside another")
    return crowd.database.engines


async def seen_to_wait(connection: AsyncConnection, task: asyncio.Task[Any]) -> None:
    """Until the server itself says that somebody waits for a lock."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not (await connection.exec_driver_sql(waits)).scalar_one():
        assert not task.done()
        await asyncio.sleep(0.01)


def test_whoever_tells_a_till_waits_for_the_one_before(crowd: Crowd) -> None:
    """With a transaction left open, a later one for the same till does not end before it: its number is higher."""
    engines = postgresql_engines(crowd)
    first, second, (till, other) = crowd.member(), crowd.member(), crowd.tills(2)
    for one in (till, other):
        crowd.alone(wish(one, first))
    crowd.alone(wish(till, second))

    def tell(member: str) -> Callable[[Connection], None]:
        return lambda connection: feed.members_changed(connection, TENANT, [member], datetime.now(UTC))

    async def run() -> tuple[list[str], list[str]]:
        async with engines.writer.begin() as connection:
            await connection.run_sync(tell(first))
            later = asyncio.create_task(crowd.database.write(tell(second)))
            await seen_to_wait(connection, later)
            meanwhile = await crowd.database.read(crowd.on(lambda world: world.changes(till)))
        await later
        after = await crowd.database.read(crowd.on(lambda world: world.changes(till, meanwhile.cursor)))
        return [one.member_id for one in meanwhile.snapshots], [one.member_id for one in after.snapshots]

    assert crowd.runner.run(run()) == ([], [first, second])


def test_tills_and_members_of_their_own_share_nothing(crowd: Crowd) -> None:
    """No shared hot row: beside a transaction that is left open, everything that has nothing to do with it goes on."""
    engines = postgresql_engines(crowd)
    members, (till, other) = [crowd.member(200), crowd.member(200)], crowd.tills(2)
    for one, member in zip((till, other), members, strict=True):
        sale = one.sale(basket_of(1000), member)
        one.linked_return(sale)

    async def run() -> None:
        async with engines.writer.begin() as connection:
            await connection.run_sync(crowd.on(delivery(till)))
            await connection.run_sync(crowd.on(exact_grant(till, members[0])))
            await crowd.database.write(crowd.on(delivery(other)))
            await crowd.database.write(crowd.on(exact_grant(other, members[1])))

    crowd.runner.run(run())
    crowd.check(*members)


def test_no_grant_is_issued_beside_a_revocation_that_does_not_hear_of_it(crowd: Crowd) -> None:
    """Whichever is first: the revocation wants back what was issued, or the grant is refused."""
    engines = postgresql_engines(crowd)
    member, (till, other) = crowd.member(400), crowd.tills(2)

    def revocation(of: SupportTerminal) -> Work[None]:
        return lambda world: terminals.revoke_terminal(world.connection, world.capabilities, TENANT, of.name)

    async def beside(first: Work[Any], second: Work[Any]) -> None:
        async with engines.writer.begin() as connection:
            await connection.run_sync(crowd.on(first))
            later = asyncio.create_task(crowd.database.write(crowd.on(second)))
            await seen_to_wait(connection, later)
        await later

    crowd.runner.run(beside(exact_grant(till, member), revocation(till)))
    with pytest.raises(Refused, match="was revoked"):
        crowd.runner.run(beside(revocation(other), exact_grant(other, member)))
    issued = select(grants.c.terminal, grants.c.recalled).where(grants.c.member_id == member)
    assert crowd.alone(lambda world: list(world.connection.execute(issued))) == [(till.name, 1)]
    crowd.check(member)


def test_points_expire_once_however_many_notice_at_once(crowd: Crowd) -> None:
    """Uploads, grants and two jobs meet at the moment at which points have expired, and others are pending no more."""
    document = json.dumps(json.loads(PROGRAMME) | DATES | {"version": 2})
    crowd.alone(lambda world: programmes.activate_programme(world.connection, world.capabilities, TENANT, document))
    member, tills = crowd.member(), crowd.tills(4)
    for till in tills:
        till.programme = parse_programme(document)
    tills[0].sale(basket_of(30_000), member)
    crowd.alone(delivery(tills[0]))
    crowd.world.now += timedelta(days=31)
    tills[1].now = crowd.world.now
    tills[1].sale(basket_of(15_000), member)
    crowd.alone(delivery(tills[1]))
    crowd.world.now += timedelta(days=4)
    for till in tills:
        till.now = crowd.world.now
        till.unlinked_return(basket_of(1_000), member)
    jobs: list[Work[Any]] = [lambda world: settle_due(world.connection, world.capabilities, TENANT, 10)] * 2
    crowd.together(*(delivery(till) for till in tills), *(exact_grant(till, member) for till in tills), *jobs)
    crowd.check(member)
    sums = crowd.alone(lambda world: world.sums(member))
    # Of 300 + 150 the first 300 expired; 40 were returned, and 100 of the other 110 granted at most once.
    assert (sums["expired"], sums["issued"], sums.get("pending", 0)) == (300, -410, 0)
    assert sums["available"] + sums.get("reserved", 0) == 110


def test_what_arrives_while_members_are_merged_counts_once(crowd: Crowd) -> None:
    @FEW
    @given(rivals=st.integers(1, 4))
    def law(rivals: int) -> None:
        source, target, tills = crowd.member(200), crowd.member(50), crowd.tills(rivals)
        for till in tills:
            till.sale(basket_of(1_000), source)
            till.sale(basket_of(2_000), target)

        def merging(world: World) -> None:
            merge(world.connection, world.capabilities, TENANT, source, target, "one person", "tests")

        crowd.together(*(delivery(till) for till in tills[::2]), merging, *(delivery(till) for till in tills[1::2]))
        crowd.check(source, target)
        assert crowd.alone(figures(source)) == (0, 0, 0)
        assert crowd.alone(figures(target)) == (250 + 30 * rivals, 0, 0)

    law()
