"""What the fleet does with files; that it starts and kills processes is seen in the acceptance test."""

import csv
from pathlib import Path

import pytest

from terminal_agent.replay.fleet import prepare_directory, wait_for_none, write_members
from terminal_agent.replay.options import OptionsInvalid


def test_the_directory_of_an_earlier_replay_is_emptied(tmp_path: Path) -> None:
    directory = prepare_directory(tmp_path / "build" / "replay")
    (directory / "central.db").touch()
    prepare_directory(directory)
    assert not (directory / "central.db").exists()


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    assert prepare_directory(tmp_path) == tmp_path


def test_a_directory_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(OptionsInvalid, match="name an empty --directory"):
        prepare_directory(tmp_path)
    with pytest.raises(OptionsInvalid, match="name an empty --directory"):
        prepare_directory(tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").exists()


def test_members_are_written_as_central_imports_them(tmp_path: Path) -> None:
    write_members(tmp_path / "members.csv", ["17850", 'a"b,c'])
    with (tmp_path / "members.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["alias", "name"], ["17850", ""], ['a"b,c', ""]]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def __call__(self) -> float:
        return self.now_s


def test_waiting_ends_when_nothing_is_left() -> None:
    counts, less, clock = iter([5, 5, 3, 3, 0]), list[int](), Clock()
    assert wait_for_none(lambda: next(counts), less.append, stalled_s=9.0, sleep=clock.sleep, monotonic_s=clock) == 0
    assert less == [2, 3]


def test_waiting_ends_when_nothing_moves_any_more() -> None:
    clock = Clock()
    counts = iter([5, 4])
    left = wait_for_none(lambda: next(counts, 4), lambda _: None, stalled_s=9.0, sleep=clock.sleep, monotonic_s=clock)
    assert (left, 9.0 <= clock.now_s <= 10.0) == (4, True)
