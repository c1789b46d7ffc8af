"""A session with input that cannot be used: one clear message, no traceback, and nothing is started or removed."""

import argparse
from pathlib import Path

import pytest

from terminal_agent.replay.command import add_arguments, run
from terminal_agent.replay.session import REFUSED
from tests.unit.terminal_agent.replay.files import csv_file, line


def replay(folder: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([*words, "--directory", str(folder / "replay")]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.csv"], "check the path"),
        (["FILE", "--column", "invoice=Receipt"], "use --column invoice=NAME"),
        (["FILE", "--encoding", "klingon"], "--encoding"),
        (["FILE", "--timezone", "Mars"], "--timezone"),
        (["FILE", "--programme", "absent.json"], "--programme absent.json cannot be read"),
        (["FILE", "--currency", "XXQ"], "no ISO 4217 currency"),
        (["FILE", "--balances", "absent/balances.csv"], "--balances absent/balances.csv cannot be written"),
        (["FILE", "--stores", "99", "--terminals", "99"], "at most 256"),
    ],
)
def test_one_message_names_the_remedy(
    tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = csv_file(tmp_path, line())
    assert replay(tmp_path, *(str(file) if word == "FILE" else word for word in words)) == REFUSED
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("loyalty-agent replay: ")
    assert message in said
    assert not (tmp_path / "replay").exists()


def test_a_directory_with_something_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / "thesis.txt").touch()
    assert replay(tmp_path, str(csv_file(tmp_path, line()))) == REFUSED
    assert "name an empty --directory" in capsys.readouterr().err
    assert (tmp_path / "replay" / "thesis.txt").exists()
