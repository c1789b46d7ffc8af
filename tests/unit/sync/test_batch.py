"""A batch of commands: together when all goes well, each for itself when one is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from loyalty_sdk.envelope import ReleaseBody
from loyalty_sdk.errors import HoldUnknown, JournalUnavailable
from sync.statements import PinnedConnection
from sync.store import Command
from sync.transaction import Transaction
from tests.support.terminal_memory import MEMBER, TerminalMemory


@pytest.fixture
def filed(tmp_path: Path) -> TerminalMemory:
    return TerminalMemory(path=tmp_path / "journal.db")


def releases(hold_id: str, runs: list[str]) -> Command:
    def command(transaction: Transaction) -> int:
        runs.append(hold_id)
        transaction.append("release", ReleaseBody(hold_id=hold_id, member_id=MEMBER, reason="cancelled"))
        return transaction.head.seq

    return command


def writes_and_refuses(transaction: Transaction) -> None:
    transaction.append("release", ReleaseBody(hold_id="refused", member_id=MEMBER, reason="cancelled"))
    transaction.set_meta(contact_at="2030-01-01T00:00:00.000+00:00")
    raise HoldUnknown("no such hold")


def savepoints(memory: TerminalMemory) -> list[str]:
    """Every statement about savepoints from now on."""
    seen: list[str] = []
    connection = PinnedConnection(memory.store._database.writer)._driver
    connection.set_trace_callback(lambda text: seen.append(text) if "one" in text.split() else None)
    return seen


def test_commands_that_succeed_run_once_and_need_no_savepoint(filed: TerminalMemory) -> None:
    runs: list[str] = []
    seen = savepoints(filed)
    results = filed.results(*(releases(name, runs) for name in "abc"))
    assert [result.value for result in results] == [2, 3, 4]
    assert runs == ["a", "b", "c"]
    assert seen == []


def test_a_refused_command_leaves_the_others_alone(filed: TerminalMemory) -> None:
    runs: list[str] = []
    seen = savepoints(filed)
    results = filed.results(releases("a", runs), writes_and_refuses, releases("b", runs))
    assert [result.value for result in results] == [2, None, 3]
    assert isinstance(results[1].error, HoldUnknown)
    assert runs == ["a", "a", "b"]  # The first attempt went no further than the refusal.
    assert "ROLLBACK TO one" in seen
    assert [entry.seq for entry in filed.entries()] == [1, 2, 3]
    assert filed.scalar("SELECT count(*) FROM meta WHERE name = 'contact_at'") == 0
    filed.check_chain()


def test_a_refused_command_alone_leaves_nothing_behind(filed: TerminalMemory) -> None:
    with pytest.raises(HoldUnknown):
        filed.run(writes_and_refuses)
    assert filed.scalar("SELECT count(*) FROM meta WHERE name = 'contact_at'") == 0
    filed.sell()
    assert [entry.seq for entry in filed.entries()] == [1, 2]
    filed.check_chain()


def test_a_failing_file_fails_the_batch_at_once(filed: TerminalMemory) -> None:
    def failing(_transaction: Transaction) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    runs: list[str] = []
    results = filed.results(releases("a", runs), failing)
    assert all(isinstance(result.error, JournalUnavailable) for result in results)
    assert runs == ["a"]
    assert len(filed.entries()) == 1
