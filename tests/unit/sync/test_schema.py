"""The tables refuse what no points can be."""

from __future__ import annotations

import sqlite3

import pytest

from tests.support.terminal_memory import TerminalMemory


def test_every_table_is_strict(memory: TerminalMemory) -> None:
    loose = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict"
    assert [row.name for row in memory.rows(loose) if not row.name.startswith("sqlite_")] == []


@pytest.mark.parametrize(
    "change",
    [
        "points = 1.5",
        "points = 'abc'",
        "points = 0",
        "spent = -1",
        "held = points + 1",
        "spent = points, held = 1",
        "released = points, spent = 1",
        "state = 'lost'",
    ],
)
def test_law_8_no_statement_can_overdraw_a_grant(memory: TerminalMemory, change: str) -> None:
    memory.know(100, memory.grant(100))
    with pytest.raises(sqlite3.IntegrityError):
        memory.run(lambda transaction: transaction.execute(f"UPDATE grants SET {change}"))
    assert tuple(memory.grant_row("grant-1"))[2:6] == (100, 0, 0, 0)


def test_an_entry_s_place_is_taken_once(memory: TerminalMemory) -> None:
    copy = "INSERT INTO entries SELECT seq, id, kind, bytes, hash, member_id, points FROM entries"
    with pytest.raises(sqlite3.IntegrityError):
        memory.run(lambda transaction: transaction.execute(copy))
