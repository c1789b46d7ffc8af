"""Fixtures of the terminal's memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal_memory import TerminalMemory


@pytest.fixture
def memory() -> Iterator[TerminalMemory]:
    """A terminal in memory, with a programme."""
    memory = TerminalMemory()
    memory.store_programme()
    yield memory
    memory.store.close()


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[TerminalMemory]:
    """A terminal on a real file, with a programme."""
    memory = TerminalMemory(path=tmp_path / "journal.db")
    memory.store_programme()
    yield memory
    memory.store.close()
