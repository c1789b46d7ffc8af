"""The POS program sells the whole plan on the SDK's fake agent, and its list is what happened."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from loyalty_sdk.programme import parse_programme
from loyalty_sdk.testing import FakeAgent
from terminal_agent.demo.acknowledged import AcknowledgedList, read_acknowledged
from terminal_agent.demo.day import Day, TakeBack, Visit, plan_day
from terminal_agent.demo.oracle import reckon
from terminal_agent.demo.pos import Pos, Watcher
from terminal_agent.demo.scanning import ScanningDesk
from terminal_agent.demo.shop import MEMBERS, PROGRAMME


class FakeScanner:
    """Sends codes to the fake agent as its driver would: without the AIM identifier."""

    def __init__(self, agent: FakeAgent) -> None:
        self._agent = agent
        self.losses = 0

    def scan(self, data: bytes | str) -> None:
        if self.losses:
            self.losses -= 1
            return
        assert isinstance(data, str)
        self._agent.scan(data[3:])


class Shop:
    """A fake agent with every member, its scanner, and the POS program with its list."""

    def __init__(self, folder: Path, watcher: Watcher) -> None:
        self.agent = FakeAgent(parse_programme(json.dumps(PROGRAMME)))
        for person in MEMBERS:
            self.agent.add_member(person.alias, name=person.name)
        self.scanner = FakeScanner(self.agent)
        self.till = self.agent.till(business_date=date(2026, 5, 1))
        self.listed = AcknowledgedList(folder / "list")
        self.pos = Pos(self.till, ScanningDesk(self.till, self.scanner), self.listed, watcher)

    def sell(self, day: Day) -> None:
        for phase in day.phases:
            self.agent.offline = phase.name == "outage"
            for step in phase.steps:
                self.pos.serve(step)


@contextmanager
def shop_in(folder: Path, watcher: Watcher) -> Iterator[Shop]:
    shop = Shop(folder, watcher)
    with shop.till, shop.listed:
        yield shop


@pytest.mark.parametrize("seed", range(5))
def test_the_whole_plan_can_be_sold(tmp_path: Path, seed: int) -> None:
    day = plan_day(seed)
    with shop_in(tmp_path, Watcher()) as shop:
        shop.sell(day)
    reckoning = reckon(read_acknowledged(tmp_path / "list"), PROGRAMME)
    assert shop.pos.tally.refused == []
    assert {person.alias: shop.agent.balance(person.alias) for person in MEMBERS} == reckoning.balances
    assert reckoning.sales == len(day.visits)
    assert reckoning.redemptions == sum(visit.redeem > 0 for visit in day.visits)
    assert (reckoning.returns, reckoning.voids) == (3, 1)
    assert shop.pos.tally.redemptions_offline >= 3
    assert shop.pos.tally.unconfirmed_sales >= 2
    assert shop.pos.tally.receipts == shop.pos.tally.prints == len(shop.agent.printed)


def test_a_lost_answer_is_asked_for_again_and_listed_once(tmp_path: Path) -> None:
    with shop_in(tmp_path, Watcher()) as shop:
        visit = plan_day(1).visits[0]
        shop.agent.fail_next("answer_lost", on="record_sale", times=9)
        shop.pos.serve(visit)
    assert len(read_acknowledged(tmp_path / "list")) == len(shop.agent.sales) == 1
    assert shop.pos.tally.repeats_found_recorded == 1


def test_what_cannot_be_redeemed_is_sold_without(tmp_path: Path) -> None:
    with shop_in(tmp_path, Watcher()) as shop:
        visit = next(visit for visit in plan_day(1).visits if visit.redeem)
        shop.pos.serve(visit)
    (line,) = read_acknowledged(tmp_path / "list")
    assert line["reward"] is None
    assert len(shop.pos.tally.refused) == 1


def test_an_open_hold_is_taken_up_again(tmp_path: Path) -> None:
    class Interrupted(Watcher):
        def held(self, visit: Visit) -> bool:
            return True

    with shop_in(tmp_path, Interrupted()) as shop:
        visit = next(visit for visit in plan_day(1).visits if visit.redeem)
        assert visit.customer is not None
        shop.agent.set_balance(visit.customer.alias, 500)
        shop.pos.serve(visit)
    assert shop.pos.tally.holds_resumed == 1
    assert [sale.points_redeemed for sale in shop.agent.sales] == [50]


def test_a_scan_that_is_lost_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminal_agent.demo.scanning.SCAN_TIMEOUT_S", 0.05)
    with shop_in(tmp_path, Watcher()) as shop:
        shop.scanner.losses = 2
        shop.pos.serve(plan_day(1).visits[0])
    assert len(shop.agent.sales) == 1


def test_a_return_without_a_card_is_anonymous(tmp_path: Path) -> None:
    basket = plan_day(1).visits[0].basket
    with shop_in(tmp_path, Watcher()) as shop:
        shop.pos.serve(TakeBack(kind="unlinked_return", basket=basket))
    (line,) = read_acknowledged(tmp_path / "list")
    assert (line["reversal"], line["member"]) == ("unlinked_return", None)
