"""One register against the SDK's fake agent: what is asked, repeated, listed, and what is refused for good."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from loyalty_sdk.errors import Busy, CurrencyMismatch, JournalUnavailable, OfflineCapExceeded
from loyalty_sdk.testing import FakeAgent
from terminal_agent.demo.acknowledged import Json
from terminal_agent.replay.cashier import AgentGone, Cashier, Refusal, Task
from terminal_agent.replay.distribution import lanes, receipt_key
from terminal_agent.replay.linking import link_cancellations
from terminal_agent.replay.receipts import group_rows
from tests.unit.terminal_agent.replay.files import csv_file, line, rows_of

(LANE,) = lanes(1, 1, 1)


def tasks(folder: Path, *lines: str) -> list[Task]:
    """The tasks of a file, in the currency of the fake's programme, all at one register."""
    invoices = group_rows(rows_of(csv_file(folder, *lines)), currency="EUR", cancellation_prefix="C")
    return [
        Task(
            step=step,
            key=receipt_key(step.receipt, LANE),
            original=None if step.original is None else receipt_key(step.original, LANE),
        )
        for step in link_cancellations(invoices.receipts)
    ]


def cashier(agent: FakeAgent, listed: list[Json], *, redeem: bool = False, patience_s: float = 30.0) -> Cashier:
    class List:
        def append(self, line: Json) -> None:
            listed.append(line)

    till = agent.till(store=LANE.store, register=LANE.register)
    return Cashier(till, List(), redeem=redeem, stopping=Event(), patience_s=patience_s)


def recorded(agent: FakeAgent, todo: list[Task], *, redeem: bool = False) -> list[Json]:
    """What the register listed; nothing may be refused."""
    listed: list[Json] = []
    clerk = cashier(agent, listed, redeem=redeem)
    assert [clerk.record(task) for task in todo] == [None] * len(todo)
    return listed


def shown(listed: list[Json]) -> list[tuple[Any, ...]]:
    return [(one["kind"], one["receipt"].rpartition(" ")[2], one["member"]) for one in listed]


def test_sales_and_returns_are_recorded_with_their_own_date_and_listed(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.add_member("m")
    listed = recorded(
        agent,
        tasks(
            tmp_path,
            line("1", price="30.00"),
            line("2", member=""),
            line("C3", price="30.00", quantity="-1"),
            line("C4", price="9.00", quantity="-1"),
        ),
    )
    assert shown(listed) == [
        ("sale", "1", "m"),
        ("sale", "2", None),
        ("reversal", "C3", None),
        ("reversal", "C4", "m"),
    ]
    assert [one["reversal"] for one in listed[2:]] == ["return", "unlinked_return"]
    assert listed[2]["original"] == listed[0]["receipt"] == str(agent.sales[0].receipt)
    assert agent.sales[0].receipt.business_date.isoformat() == "2011-01-31"
    assert agent.balance("m") == -9


def test_a_receipt_is_worth_nothing_when_it_costs_nothing(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.add_member("m")
    recorded(agent, tasks(tmp_path, line("1", price="0")))
    assert (len(agent.sales), agent.balance("m")) == (1, 0)


def test_an_answer_that_was_lost_is_asked_for_again_and_listed_once(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.add_member("m")
    agent.fail_next("answer_lost", times=11, on="record_sale")
    agent.fail_next("unreachable", times=7, on="identify")
    agent.fail_next(Busy("the queue is full; try again"), times=6)
    agent.fail_next(JournalUnavailable("the disk is full; make room"), times=2)
    assert shown(recorded(agent, tasks(tmp_path, line("1", price="30.00")))) == [("sale", "1", "m")]
    assert (len(agent.sales), agent.balance("m")) == (1, 30)


def test_answers_that_were_lost_after_recording_are_counted(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.add_member("m")
    clerk = cashier(agent, [])
    first, second, back = tasks(tmp_path, line("1"), line("2"), line("C3", quantity="-1"))
    clerk.record(first)
    agent.fail_next("answer_lost", on="record_sale")
    clerk.record(second)
    agent.fail_next("answer_lost", on="reverse_sale")
    clerk.record(back)
    assert clerk.repeats == 2


def test_an_unknown_card_travels_with_the_sale(tmp_path: Path) -> None:
    agent = FakeAgent()
    assert shown(recorded(agent, tasks(tmp_path, line("1")))) == [("sale", "1", "m")]
    assert agent.sales[0].member_id is None


def test_without_the_option_nothing_is_redeemed(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.add_member("m", balance=500)
    (sale,) = recorded(agent, tasks(tmp_path, line("1", price="30.00")))
    assert (sale["reward"], agent.sales[0].points_redeemed) == (None, 0)


def test_a_reward_is_redeemed_as_often_as_the_quote_offers(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.add_member("m", balance=500)
    (sale,) = recorded(agent, tasks(tmp_path, line("1", price="30.00")), redeem=True)
    assert sale["reward"] == {"id": "five-off", "count": 2}
    assert (agent.sales[0].points_redeemed, agent.sales[0].discount_minor, agent.balance("m")) == (200, 1_000, 320)
    assert agent.open_holds == ()


def test_a_lost_answer_to_a_hold_makes_no_second_hold(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.add_member("m", balance=500)
    agent.fail_next("answer_lost", times=9, on="hold_redemption")
    recorded(agent, tasks(tmp_path, line("1", price="30.00")), redeem=True)
    assert (agent.open_holds, agent.balance("m")) == ((), 320)


@pytest.mark.parametrize(("times", "reward"), [(1, {"id": "five-off", "count": 1}), (2, None)])
def test_a_refused_reward_is_tried_once_and_then_left(tmp_path: Path, times: int, reward: Json | None) -> None:
    agent = FakeAgent()
    agent.add_member("m", balance=500)
    agent.fail_next(OfflineCapExceeded("the cap is reached; sell without"), times=times, on="hold_redemption")
    (sale,) = recorded(agent, tasks(tmp_path, line("1", price="30.00")), redeem=True)
    assert sale["reward"] == reward


def test_what_is_refused_for_good_is_named_and_not_listed(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.add_member("m", balance=500)
    agent.fail_next(CurrencyMismatch("the programme counts in EUR"), on="record_sale")
    listed: list[Json] = []
    (task,) = tasks(tmp_path, line("1", price="30.00"))
    refusal = cashier(agent, listed, redeem=True).record(task)
    assert refusal == Refusal(invoice="1", reason="CurrencyMismatch: the programme counts in EUR")
    assert (listed, agent.sales, agent.open_holds) == ([], (), ())


def test_patience_with_an_agent_that_is_gone_has_an_end(tmp_path: Path) -> None:
    agent = FakeAgent()
    agent.fail_next("unreachable", times=100)
    (task,) = tasks(tmp_path, line("1"))
    with pytest.raises(AgentGone, match=r"agent\.log"):
        cashier(agent, [], patience_s=0.0).record(task)
