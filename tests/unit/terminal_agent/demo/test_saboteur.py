"""The saboteur strikes where the plan says, once, and the agent is back afterwards."""

import threading
from pathlib import Path
from random import Random

import pytest

from terminal_agent.demo.day import Fault, Visit, plan_day
from terminal_agent.demo.processes import Agent, Processes, ProcessFailed
from terminal_agent.demo.saboteur import Saboteur


class FakeAgent(Agent):
    """Reaches every failpoint at once; is killed and started in name only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Processes(), folder)
        self.failpoints.mkdir()
        self.happened: list[str] = []
        self.killed = threading.Event()
        self.broken = False

    def arm(self, failpoint: str) -> Path:
        self.happened.append(failpoint)
        reached = super().arm(failpoint)
        reached.touch()
        return reached

    def kill(self) -> None:
        self.kills += 1
        self.happened.append("kill")
        self.killed.set()

    def start(self) -> None:
        if self.broken:
            raise ProcessFailed("it does not start")
        self.happened.append("start")


@pytest.fixture
def agent(tmp_path: Path) -> FakeAgent:
    return FakeAgent(tmp_path)


@pytest.fixture
def saboteur(agent: FakeAgent) -> Saboteur:
    return Saboteur(agent, Random(1), lambda: agent.happened.append("settle"))


def visit(fault: Fault | None) -> Visit:
    return next(visit for visit in plan_day(1).visits if visit.fault == fault)


@pytest.mark.parametrize("fault", ["before_commit", "after_commit"])
def test_it_strikes_at_the_failpoint(agent: FakeAgent, saboteur: Saboteur, fault: Fault) -> None:
    saboteur.recording(visit(fault))
    assert agent.killed.wait(10)
    saboteur.recorded(visit(fault))
    assert agent.happened == ["settle", f"record_sale.{fault}", "kill", "start", "settle"]
    assert saboteur.strikes == {fault: 1}


def test_it_strikes_while_a_hold_is_open(agent: FakeAgent, saboteur: Saboteur) -> None:
    assert saboteur.held(visit("hold_open"))
    assert agent.happened == ["settle", "kill", "start", "settle"]
    assert saboteur.strikes == {"hold_open": 1}


def test_a_random_moment_counts_only_while_the_call_is_in_flight(agent: FakeAgent, saboteur: Saboteur) -> None:
    saboteur.recording(visit("any_moment"))
    # The answer comes before the strike: it missed.
    saboteur._flight.clear()
    saboteur.recorded(visit("any_moment"))
    assert saboteur.strikes["any_moment"] == 0
    agent.killed.clear()
    saboteur.recording(visit(None))
    assert agent.killed.wait(10)
    saboteur.recorded(visit(None))
    assert saboteur.strikes["any_moment"] == 1
    assert agent.kills == 2


def test_it_lets_other_visits_be(agent: FakeAgent, saboteur: Saboteur) -> None:
    assert not saboteur.held(visit(None))
    saboteur.recording(visit(None))
    saboteur.recorded(visit(None))
    assert agent.happened == []


def test_what_goes_wrong_beside_the_pos_is_told(agent: FakeAgent, saboteur: Saboteur) -> None:
    agent.broken = True
    saboteur.recording(visit("before_commit"))
    with pytest.raises(ProcessFailed, match="does not start"):
        saboteur.recorded(visit("before_commit"))
