"""What the agent does beside serving: threads that outlive it by a moment end without a word."""

from pathlib import Path

from sync.store import Store
from sync.writer import Writer
from terminal_agent.bootstrap import _check_file, system_host
from tests.unit.terminal_agent.rig import Rig


def test_the_check_of_the_file_may_come_after_the_end(tmp_path: Path, rig: Rig) -> None:
    store = Store(tmp_path / "journal.db", rig.identity, system_host(), "test")
    store.open()
    store.close()
    _check_file(store, Writer(store, on_commit=lambda head_seq: None))
