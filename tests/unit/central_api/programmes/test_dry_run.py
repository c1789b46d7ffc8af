"""A dry run against figures computed by hand, and against what the ledger booked."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import update

from central_api.members.merging import merge
from central_api.problems import Refused
from central_api.programmes import dry_run as programme_dry_run
from central_api.programmes.dry_run import dry_run
from central_api.programmes.versions import activate_programme
from central_api.storage.schema import entries
from loyalty_sdk.codec import CodecError
from loyalty_sdk.office import DryRunReport
from tests.support.terminal import Recorded, SupportTerminal, basket_of, grant_use
from tests.unit.central_api.support import PROGRAMME, TENANT, World

DAY = timedelta(days=1)
# Two points for each euro from 10 € on; the reward costs half as much again, once in a sale.
NEXT = """{"format": "loyalty-programme-1", "name": "Next", "version": 2, "currency": "EUR",
  "earning": [{"id": "base", "kind": "amount", "points": 2, "per_minor": 100, "minimum_spend_minor": 1000},
              {"id": "coffee", "kind": "item", "points": 5, "included": {"skus": ["COFFEE"]}}],
  "rewards": [{"id": "five-off", "points": 150, "discount_minor": 500}]}"""
REDEMPTIONS = count(1)


def run(world: World, document: str = NEXT, days: int = 30) -> DryRunReport:
    return dry_run(world.connection, world.capabilities, TENANT, document, days)


def redeeming(world: World, terminal: SupportTerminal, member: str, times: int, amount_minor: int) -> Recorded:
    """A sale that takes the reward so many times."""
    signed = world.granted(terminal, member, 100 * times, f"r-{next(REDEMPTIONS)}")
    redemption = terminal.redemption(times)
    return terminal.sale(basket_of(amount_minor), member, redemption=redemption, uses=[grant_use(signed, 100 * times)])


def sold(world: World) -> tuple[list[str], list[Recorded]]:
    """Three members, in the order of their ids, and their seven sales."""
    terminal = world.terminal(1)
    members = sorted(world.member(f"CARD-{number}") for number in range(3))
    first, second, third = members
    sales = [
        terminal.sale(basket_of(25_000), first),  # 250 points; would be 500
        terminal.sale(basket_of(999), first),  # 9; below the minimum 0
        terminal.sale(basket_of(30_000), second),  # 300; 600
        terminal.sale(basket_of(50), second),  # 0; 0
        terminal.sale(basket_of(800), third),  # 8; 0
    ]
    terminal.sale(basket_of(70_000))  # Of nobody: counts nowhere.
    world.deliver(terminal)
    sales.append(redeeming(world, terminal, first, 1, 2_000))  # 15 of 1500; 30 of 1500
    sales.append(redeeming(world, terminal, second, 2, 2_000))  # 10 of 1000; without its redemption 40 of 2000
    assert {one.outcome for one in world.deliver(terminal)} == {"applied"}
    return members, sales


def test_the_figures_are_those_computed_by_hand(world: World) -> None:
    (first, second, third), sales = sold(world)
    found = run(world)
    assert (found.version, found.days, found.since) == (2, 30, world.now - 30 * DAY)
    assert (found.sales, found.skipped, found.changed) == (7, 0, 6)
    assert (found.points_before, found.points_after) == (592, 1_170)
    assert [tuple(asdict(rule).values()) for rule in found.rules] == [("base", 592, 1_170), ("coffee", 0, 0)]
    assert [tuple(asdict(one).values()) for one in found.members_gaining] == [(second, 310, 640), (first, 274, 530)]
    assert [tuple(asdict(one).values()) for one in found.members_losing] == [(third, 8, 0)]
    examples = [(one.entry_id, one.points_before, one.points_after) for one in found.examples]
    figures = ((2, 300, 600), (0, 250, 500), (6, 10, 40), (5, 15, 30), (1, 9, 0), (4, 8, 0))
    assert examples == [(sales[number].entry.id, before, after) for number, before, after in figures]
    assert (found.redemptions, found.redemptions_lost) == (2, 1)
    assert (found.points_redeemed_before, found.points_redeemed_after) == (300, 150)
    (lost,) = found.lost
    assert (lost.entry_id, lost.member_id, lost.reward_id, lost.count) == (sales[6].entry.id, second, "five-off", 2)
    assert lost.reason == "the basket takes it at most 1 times, not 2"


def test_before_is_what_the_ledger_booked(world: World) -> None:
    members, _ = sold(world)
    issued = sum(-world.sums(member)["issued"] for member in members)
    spent = sum(world.sums(member).get("redeemed", 0) for member in members)
    found = run(world)
    assert (found.points_before, found.points_redeemed_before) == (issued, spent)


def test_the_same_rules_change_nothing_and_nothing_is_written(world: World) -> None:
    members, _ = sold(world)
    before = [world.sums(member) for member in members]
    found = run(world, PROGRAMME)
    assert (found.sales, found.changed, found.points_before, found.points_after) == (7, 0, 592, 592)
    assert (found.redemptions_lost, found.points_redeemed_after) == (0, 300)
    assert (found.members_gaining, found.members_losing, found.examples, found.lost) == ((), (), (), ())
    assert [world.sums(member) for member in members] == before


def test_pages_change_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sold(world)
    whole, heard = run(world), list[int]()
    monkeypatch.setattr(programme_dry_run, "_FIRST", programme_dry_run._FIRST.limit(2))
    monkeypatch.setattr(programme_dry_run, "_NEXT", programme_dry_run._NEXT.limit(2))
    monkeypatch.setattr(programme_dry_run, "ROWS_AT_ONCE", 2)
    again = dry_run(world.connection, world.capabilities, TENANT, NEXT, 30, heard.append)
    assert again == whole
    assert heard == [2, 4, 6, 7]


def test_only_the_days_asked_for_count(world: World) -> None:
    terminal, member = world.terminal(1), world.member("CARD-1")
    world.now += 40 * DAY
    for days in (40, 31, 30, 2):
        terminal.now = world.now - days * DAY
        terminal.sale(basket_of(1_000), member)
    world.deliver(terminal)
    assert [run(world, days=days).sales for days in (1, 2, 30, 31, 366)] == [0, 1, 2, 3, 4]


def test_each_sale_counts_by_the_version_that_it_names(world: World) -> None:
    """Rules that the new document no longer has give nothing after; a sale without a programme gave nothing before."""
    terminal, member = world.terminal(1), world.member("CARD-1")
    terminal.sale(basket_of(1_000), member)
    terminal.programme = activate_programme(world.connection, world.capabilities, TENANT, NEXT)
    terminal.sale(basket_of(1_000), member)
    terminal.programme = None
    terminal.sale(basket_of(1_000), member)
    world.deliver(terminal)
    third = NEXT.replace('"version": 2', '"version": 3').replace('"id": "base"', '"id": "all"')
    found = run(world, third)
    assert (found.points_before, found.points_after, found.changed) == (10 + 20 + 0, 3 * 20, 2)
    rules = [tuple(asdict(rule).values()) for rule in found.rules]
    assert rules == [("all", 0, 60), ("coffee", 0, 0), ("base", 30, 0)]


def test_what_came_back_is_not_subtracted(world: World) -> None:
    terminal, member = world.terminal(1), world.member("CARD-1")
    sale = terminal.sale(basket_of(1_000), member)
    terminal.linked_return(sale, kind="void")
    world.deliver(terminal)
    found = run(world)
    assert (found.sales, found.points_before, found.points_after) == (1, 10, 20)


def test_sales_of_a_merged_member_count_for_the_other(world: World) -> None:
    (first, second, third), _ = sold(world)
    merge(world.connection, world.capabilities, TENANT, third, first, "one person", "test")
    found = run(world)
    assert [tuple(asdict(one).values()) for one in found.members_gaining] == [(second, 310, 640), (first, 282, 530)]
    assert found.members_losing == ()


def test_only_what_was_applied_counts(world: World) -> None:
    _, sales = sold(world)
    changed = update(entries).where(entries.c.id == sales[0].entry.id).values(outcome="rejected")
    world.connection.execute(changed)
    assert (run(world).sales, run(world).points_before) == (6, 592 - 250)


def test_another_currency_is_skipped(world: World) -> None:
    sold(world)
    found = run(world, NEXT.replace("EUR", "BRL"))
    assert (found.sales, found.skipped, found.points_before, found.points_after) == (0, 7, 0, 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (('"id": "five-off"', '"id": "other"'), "the programme has no reward five-off"),
        (('"discount_minor": 500', '"discount_minor": 2001'), "smaller than the discount of 2001"),
        (('"discount_minor": 500', '"discount_minor": 500, "minimum_spend_minor": 2001'), "below 2001"),
    ],
)
def test_a_redemption_that_is_lost_says_why(world: World, changes: tuple[str, str], says: str) -> None:
    sold(world)
    found = run(world, NEXT.replace(*changes))
    assert found.redemptions_lost == 2
    assert says in found.lost[0].reason


def test_no_more_are_shown_than_anybody_reads_and_the_most_are_kept(world: World) -> None:
    """Of equal ones those with the lower member id."""
    terminal = world.terminal(1)
    members = sorted(world.member(f"CARD-{number}") for number in range(12))
    for number, member in enumerate(members):
        for _ in range(2):
            terminal.sale(basket_of(1_000 + 1_000 * (number % 7)), member)
    world.deliver(terminal)
    found = run(world)
    most = [6, 5, 4, 11, 3, 10, 2, 9, 1, 8]
    assert [one.member_id for one in found.members_gaining] == [members[number] for number in most]
    gains = [one.points_after - one.points_before for one in found.members_gaining]
    assert gains == [140, 120, 100, 100, 80, 80, 60, 60, 40, 40]
    examples = [one.points_after - one.points_before for one in found.examples]
    assert examples == [gain // 2 for gain in gains for _ in range(2)]


@pytest.mark.parametrize("days", [0, -1, 367])
def test_days_have_a_limit(world: World, days: int) -> None:
    with pytest.raises(Refused, match="days must be from 1 to 366"):
        run(world, days=days)


def test_sales_have_a_limit(world: World) -> None:
    sold(world)
    with pytest.raises(Refused, match="there are 7 sales in 30 days, and 6 are evaluated at once; give fewer days"):
        dry_run(world.connection, world.capabilities, TENANT, NEXT, 30, sales_max=6)


def test_a_wrong_document_names_its_place(world: World) -> None:
    with pytest.raises(CodecError, match="currency"):
        run(world, NEXT.replace("EUR", "euro"))


def test_another_tenant_is_not_seen(world: World) -> None:
    sold(world)
    assert dry_run(world.connection, world.capabilities, "another", NEXT, 30).sales == 0
