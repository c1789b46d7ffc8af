"""The benchmark harness, run as small as it goes. What it measures is never asserted: a test has no time in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import peers
from bench.cli import main
from bench.measure import Round, contest
from bench.rows import at_least, at_most, compared, not_measured
from bench.subjects import SUBJECTS, matches, selected

FIELDS = {"name", "ours", "other", "other_name", "ratio", "target", "holds"}


def run(tmp_path: Path, *arguments: str) -> list[dict[str, object]]:
    """Run the command line with the fewest rounds, and return what it wrote."""
    output = tmp_path / "bench.json"
    few = ["--rounds", "2", "--operations", "4", "--entries", "1200"]
    assert main([*few, "--output", str(output), "--directory", str(tmp_path / "work"), *arguments]) == 0
    rows: list[dict[str, object]] = json.loads(output.read_text(encoding="utf-8"))
    return rows


@pytest.mark.parametrize(
    "pattern", ["callers", "local api", "scan", "wire", "receipt, p50", "ingest, sqlite, p", "growth, sqlite, p"]
)
def test_a_subject_gives_its_rows(tmp_path: Path, pattern: str) -> None:
    rows = run(tmp_path, "--rows", pattern)
    promised = {name for subject in selected(pattern) for name in subject.names if matches(name, pattern)}
    assert {row["name"] for row in rows} == promised
    assert all(set(row) >= FIELDS for row in rows)
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("pattern", ["in process", "backlog", "import"])
def test_a_subject_with_peers_gives_its_rows(tmp_path: Path, pattern: str) -> None:
    if not peers.FOLDER.exists():
        pytest.skip("the libraries to compare with are not installed; `make bench` installs them")
    rows = run(tmp_path, "--rows", pattern)
    assert {row["name"] for row in rows} == {
        name for subject in SUBJECTS for name in subject.names if matches(name, pattern)
    }


def test_without_the_peers_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(peers, "library", missing)
    assert main(["--rows", "import", "--directory", str(tmp_path), "--output", str(tmp_path / "out.json")]) == 2
    assert "make bench" in capsys.readouterr().err


def test_the_table_and_the_json_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "--rows", "receipt, p50")
    assert "python-escpos" in capsys.readouterr().out
    rows = run(tmp_path, "--rows", "receipt, p50", "--json")
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == [row["name"] for row in rows]


def test_a_pattern_that_nothing_matches_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rows", "no such row"]) == 2
    assert "--list" in capsys.readouterr().err


def test_the_rows_are_listed_and_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert names == [name for subject in SUBJECTS for name in subject.names]
    assert len(set(names)) == len(names)


def test_the_sides_take_turns_and_begin_in_turn() -> None:
    done: list[str] = []
    steps: list[int] = []

    def side(name: str) -> Callable[[], object]:
        return lambda: done.append(name)

    taken = contest({"a": side("a"), "b": side("b")}, rounds=2, operations=3, advance=lambda: steps.append(1))
    assert "".join(done) == "aaabbb" + "aaabbb" + "bbbaaa"  # The first six warm up and count nothing.
    assert len(steps) == 2
    assert {name: len(found.rounds) for name, found in taken.items()} == {"a": 2, "b": 2}


def test_a_round_is_summed_up() -> None:
    one = Round.of([float(number) for number in range(100, 0, -1)])
    assert (one.p50_ms, one.p99_ms) == (50.0, 99.0)
    assert one.rate == pytest.approx(1000 * 100 / 5050)


def test_a_row_compares_round_by_round() -> None:
    row = compared("x", "ms", [2.0, 30.0, 6.0], [1.0, 10.0, 3.0], "other", at_most(2))
    assert (row.ours, row.other, row.ratio, row.holds, row.target) == (6.0, 3.0, 2.0, True, "≤ 2 ×")
    assert (row.low, row.high) == (2.0, 2.5)


@pytest.mark.parametrize(
    ("target", "holds", "text"),
    [
        (at_least(0.5), True, "≥ 0.5 ×"),
        (at_least(0.6), False, "≥ 0.6 ×"),
        (at_most(0.4), False, "≤ 0.4 ×"),
        (at_most(5, "ours"), True, "≤ 5 ms"),
        (at_most(4, "ours"), False, "≤ 4 ms"),
        (at_most(-5, "difference"), True, "≤ -5 ms"),
        (at_most(-6, "difference"), False, "≤ -6 ms"),
    ],
)
def test_a_target_is_of_the_ratio_of_ours_or_of_the_difference(target: object, holds: bool, text: str) -> None:
    row = compared("x", "ms", [5.0], [10.0], "other", target)  # type: ignore[arg-type]  # parametrize gives objects
    assert (row.holds, row.target) == (holds, text)


def test_what_is_not_measured_neither_holds_nor_fails() -> None:
    row = not_measured("x", "other", at_most(10, "ours"), "MB", "why")
    assert (row.ours, row.ratio, row.holds, row.note) == (None, None, None, "why")
