"""The command: what it prints where every law holds, and the story that it leaves where one does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.planted import PLANTED

ARGUMENTS = ("simulation", "--seeds", "2", "--transactions", "20")


def test_it_counts_what_it_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*ARGUMENTS, "--json"])
    assert main() == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["seeds"], found["transactions"], found["failures"]) == (2, 40, [])
    assert found["rate"] > 0


def test_a_failing_seed_leaves_its_story_and_says_how_to_play_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", list(ARGUMENTS))
    with PLANTED["bytes_encoded_again"]():
        assert main() == 1
    told = capsys.readouterr().out
    assert "SEED_START=1 ARGS='--transactions 20 --story'" in told.replace("\n", " ")
    story = (tmp_path / "build" / "simulation" / "seed-1.txt").read_text()
    assert "sold shop-till-1/lane-1" in story
    assert "density_and_chain" in story
