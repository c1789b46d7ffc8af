"""What is written at the end: the CSV files, and the line of JSON with every key that others rely on."""

import csv
import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from terminal_agent.demo.check import Findings, MemberBalance
from terminal_agent.demo.oracle import Reckoning
from terminal_agent.replay.results import Results, print_results, write_balances, write_rejects
from terminal_agent.replay.rows import Reject

KEYS = {
    *("sales", "returns", "anonymous_sales", "members", "redemptions", "receipts_printed", "entries_recorded"),
    *("entries_applied", "entries_held", "entries_rejected", "entries_lost", "entries_duplicated", "points_issued"),
    *("points_redeemed", "balances_equal", "outage_seconds", "agent_kills", "entries_per_second", "rejects"),
    *("wall_seconds",),
}


def balance(alias: str, available: int, owed: int, oracle: int) -> MemberBalance:
    return MemberBalance(
        alias=alias, member_id=f"id-{alias}", available=available, reserved=0, owed=owed, oracle=oracle
    )


def results(*faults: str) -> Results:
    findings = Findings(
        entries_recorded=1_000,
        entries_applied=1_000,
        entries_held=0,
        entries_rejected=0,
        entries_lost=0,
        entries_duplicated=0,
        points_issued=50,
        points_redeemed=0,
        members=(balance("m", 50, 0, 50),),
        faults=(),
    )
    reckoning = Reckoning(
        balances={"m": 50},
        points_issued=50,
        points_redeemed=0,
        sales=900,
        anonymous_sales=10,
        returns=90,
        voids=0,
        redemptions=0,
    )
    return Results(
        findings=findings,
        reckoning=reckoning,
        members=1,
        rejects=3,
        linked_returns=40,
        outage_seconds=1.23456,
        agent_kills=2,
        repeats=1,
        recording_seconds=4.0,
        wall_seconds=9.0,
        faults=faults,
    )


def test_the_json_is_one_line_with_every_key() -> None:
    line = results().to_json()
    data = json.loads(line)
    assert "\n" not in line
    assert set(data) >= KEYS
    assert (data["entries_per_second"], data["outage_seconds"], data["balances_equal"]) == (250.0, 1.235, True)


def test_a_fault_is_shown_and_counts() -> None:
    out = StringIO()
    wrong = results(*[f"receipt [{number}] is lost" for number in range(25)])
    print_results(Console(file=out, width=100), wrong)
    assert not wrong.is_clean
    assert "WRONG: receipt [0] is lost" in out.getvalue()
    assert "and 5 more" in out.getvalue()
    assert "Nothing lost" not in out.getvalue()


def test_a_clean_run_says_so() -> None:
    out = StringIO()
    print_results(Console(file=out, width=100), results())
    assert "Nothing lost" in out.getvalue()


def test_balances_are_sorted_and_hold_every_member(tmp_path: Path) -> None:
    held = [balance("9", 5, 0, 5), balance("10", 0, 7, -7), balance("(stray)", 1, 0, 0)]
    write_balances(tmp_path / "balances.csv", ["9", "10", "11"], held)
    with (tmp_path / "balances.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["member", "available", "owed"],
            ["10", "0", "7"],
            ["11", "0", "0"],
            ["9", "5", "0"],
        ]


def test_rejects_keep_whatever_bytes_the_file_held(tmp_path: Path) -> None:
    write_rejects(tmp_path / "rejects.csv", [Reject(line=7, invoice="5\udca3", reason='the code is "odd", so')])
    with (tmp_path / "rejects.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["line", "invoice", "reason"], ["7", "5\\udca3", 'the code is "odd", so']]
