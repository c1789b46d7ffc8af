"""The rig as a fixture, closed whatever a test does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.terminal_agent.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()
