"""Held entries: judged again, and named where they wait too long."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from central_api.jobs.catalogue import Step, Task, jobs_named
from central_api.judging.held import HELD_DAYS, NAMES_AT_ONCE, count_held, held_long, judge_held, names_waited_for
from central_api.ledger.awaited import waits_for_alias, waits_for_receipt
from central_api.storage.schema import entries, waiting
from central_api.storage.statements import insert_rows
from tests.support.terminal import Recorded, SupportTerminal, basket_of
from tests.unit.central_api.support import TENANT, World


def unsold(world: World) -> SupportTerminal:
    """A till with three sales that it has not delivered; a second one delivered their returns."""
    made, returner = world.terminal(1), world.terminal(2)
    member = world.member("2001")
    for _ in range(3):
        returner.linked_return(made.sale(basket_of(1_000), member))
    assert {one.outcome for one in world.deliver(returner)} == {"held"}
    return made


def names_of(seller: SupportTerminal) -> list[str]:
    return sorted(waits_for_receipt(one.entry.receipt_key) for one in sales_of(seller) if one.entry.receipt_key)


def sales_of(seller: SupportTerminal) -> list[Recorded]:
    return [one for one in seller.recorded if one.entry.kind == "sale"]


def outcomes(world: World, kind: str) -> list[str]:
    query = select(entries.c.outcome).where(entries.c.kind == kind).order_by(entries.c.seq)
    return list(world.connection.execute(query).scalars())


def judge(world: World, after: str = "", limit: int = NAMES_AT_ONCE) -> tuple[int, str]:
    """How many names were judged, and the last where there may be more."""
    names = names_waited_for(world.connection, TENANT, after, limit)
    judge_held(world.connection, world.capabilities, TENANT, names)
    return len(names), names[-1] if len(names) == limit else ""


def test_judging_again_what_still_waits_changes_nothing(world: World) -> None:
    seller = unsold(world)
    before = world.connection.execute(select(entries).order_by(entries.c.terminal, entries.c.seq)).all()
    assert count_held(world.connection, TENANT) == 3
    assert judge(world) == (3, "")
    assert judge(world, names_of(seller)[0]) == (2, "")
    assert judge(world, names_of(seller)[-1]) == (0, "")
    assert world.connection.execute(select(entries).order_by(entries.c.terminal, entries.c.seq)).all() == before
    world.deliver(seller)
    assert outcomes(world, "reversal") == ["applied"] * 3
    assert count_held(world.connection, TENANT) == 0


def test_what_was_not_woken_is_judged_by_the_job(world: World) -> None:
    """As after a repair by hand: the sale is there, and its return still waits."""
    seller = unsold(world)
    rows = [dict(row) for row in world.connection.execute(select(waiting)).mappings()]
    world.connection.execute(delete(waiting))
    world.deliver(seller)
    insert_rows(world.connection, waiting, rows)
    assert outcomes(world, "reversal") == ["held"] * 3
    assert judge(world) == (3, "")
    assert outcomes(world, "reversal") == ["applied"] * 3
    assert world.connection.execute(select(waiting)).all() == []
    assert judge(world) == (0, "")


def test_the_job_goes_on_after_each_part(world: World) -> None:
    names = names_of(unsold(world))

    def judge_two(after: str) -> tuple[int, str]:
        return judge(world, after, 2)

    assert judge_two("") == (2, names[1])
    assert judge_two(names[1]) == (1, "")


def step(world: World) -> Step:
    (job,) = jobs_named("held")
    return job.step(Task(connection=world.connection, capabilities=world.capabilities, tenant=TENANT))


def test_what_waits_too_long_is_named(world: World) -> None:
    seller = unsold(world)
    world.terminal(3).sale(basket_of(500), alias="nobody's card")
    world.deliver(seller)
    stranger = world.terminal(4)
    stranger.sale(basket_of(700), alias="nobody's card")
    world.deliver(stranger)
    digest = world.capabilities.keys.alias_digest(TENANT, "nobody's card")
    assert world.connection.execute(select(waiting.c.waits_for)).scalars().all() == [waits_for_alias(digest)]
    assert step(world).note == ""
    world.now += timedelta(days=HELD_DAYS, seconds=1)
    assert step(world).note.startswith("1 entries are held for more than 30 days; see: loyalty-central jobs held")
    (found,) = held_long(world.connection, TENANT, world.now, HELD_DAYS, 10)
    assert (found.terminal, found.kind, found.waits_for) == (stranger.name, "sale", "member")
    assert held_long(world.connection, TENANT, world.now, HELD_DAYS + 1, 10) == []
