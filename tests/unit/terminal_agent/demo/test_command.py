"""The command: its exit status, its one line of JSON, its errors in one sentence."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loyalty_sdk.errors import AgentUnreachable
from terminal_agent.demo import command
from terminal_agent.demo import run as demo
from terminal_agent.demo.check import Findings
from terminal_agent.demo.oracle import Reckoning
from terminal_agent.demo.pos import Tally
from terminal_agent.demo.processes import ProcessFailed
from terminal_agent.demo.result import DemoResult, Outage
from terminal_agent.demo.stage import clear_directory

FIXED_KEYS = [
    "sales",
    "returns",
    "anonymous_sales",
    "members",
    "redemptions",
    "receipts_printed",
    "entries_recorded",
    "entries_applied",
    "entries_held",
    "entries_rejected",
    "entries_lost",
    "entries_duplicated",
    "points_issued",
    "points_redeemed",
    "balances_equal",
    "outage_seconds",
    "agent_kills",
]
FINDINGS = Findings(
    entries_recorded=3,
    entries_applied=3,
    entries_held=0,
    entries_rejected=0,
    entries_lost=0,
    entries_duplicated=0,
    points_issued=7,
    points_redeemed=0,
    members=(),
    faults=(),
)
RESULT = DemoResult(
    findings=FINDINGS,
    reckoning=Reckoning(
        balances={"A": 7},
        points_issued=7,
        points_redeemed=0,
        sales=1,
        anonymous_sales=0,
        returns=0,
        voids=0,
        redemptions=0,
    ),
    tally=Tally(receipts=1),
    rows=(("João", "A", 7, 7, 7),),
    strikes={"any_moment": 1},
    agent_kills=1,
    outage=Outage(seconds=1.5, sales=1, queued=1, drain_seconds=0.1),
    receipts=Path("receipts"),
    receipts_printed=1,
    wall_seconds=2.0,
    seed=1,
)


def run(monkeypatch: pytest.MonkeyPatch, outcome: DemoResult | BaseException, *options: str) -> int:
    def fake(*_: Any) -> DemoResult:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(demo, "run_demo", fake)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(options))


def test_it_ends_with_one_line_of_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, RESULT, "--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [key for key in FIXED_KEYS if key not in found] == []
    assert found["balances_equal"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RESULT, findings=replace(FINDINGS, faults=("lost",))),
        replace(RESULT, rows=(("João", "A", 6, 7, 7),)),
        replace(RESULT, receipts_printed=0),
        replace(RESULT, strikes={}),
        replace(RESULT, tally=Tally(receipts=1, refused=["a reward"])),
    ],
)
def test_whatever_is_wrong_makes_it_fail(monkeypatch: pytest.MonkeyPatch, wrong: DemoResult) -> None:
    assert run(monkeypatch, wrong) == 1
    assert json.loads(wrong.to_json())["faults"]


def test_a_till_that_differs_is_said_in_json() -> None:
    assert json.loads(replace(RESULT, rows=(("João", "A", 6, 7, 7),)).to_json())["balances_equal"] is False


@pytest.mark.parametrize(
    "error", [ProcessFailed("look here"), AgentUnreachable("look here"), ValueError("look here"), OSError("look here")]
)
def test_what_cannot_be_done_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    assert run(monkeypatch, error) == 2
    assert capsys.readouterr().err == "loyalty-agent demo: look here\n"


def test_an_interruption_is_no_failure_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, KeyboardInterrupt()) == command.INTERRUPTED


def test_the_summary_fits_a_screen() -> None:
    assert len(RESULT.summary()) <= 12


def test_only_a_demo_directory_is_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    clear_directory(folder)
    (folder / "old.txt").touch()
    clear_directory(folder)
    assert not (folder / "old.txt").exists()
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ProcessFailed, match="choose another --directory"):
        clear_directory(tmp_path)
    assert (tmp_path / "mine.txt").exists()
