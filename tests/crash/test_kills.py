"""A kill at any moment costs nothing that was acknowledged, and counts nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.kill_result import KillSettings
from tests.crash.process_kills import run_process_kills

KILLS = 20
RELEASED = sorted(Path(__file__).parents[1].glob("fixtures/**/journal.db"))


def test_no_kill_loses_or_doubles_anything() -> None:
    result = run_process_kills(KillSettings(kills=KILLS))
    assert result.faults == []
    assert result.kills == KILLS
    assert result.acknowledged > 0
    assert result.unanswered > 0


@pytest.mark.parametrize("journal", RELEASED, ids=lambda path: str(path.parent.name))
def test_no_kill_while_a_released_journal_is_opened_costs_anything(journal: Path) -> None:
    assert run_process_kills(KillSettings(kills=8, journal=journal)).faults == []
