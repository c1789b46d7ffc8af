"""The connections: what SQLite's errors mean, what is never written to, and reading while there is no file."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from loyalty_sdk.errors import JournalUnavailable
from sync import database
from sync.database import DamageFound, Database, StoreRefused, is_damage, is_full
from sync.schema import APPLICATION_ID, SCHEMA_VERSION
from tests.support.terminal_memory import TerminalMemory


def error_of(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("in whatever words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "damage", "full"),
    [
        (sqlite3.SQLITE_CORRUPT, True, False),
        (sqlite3.SQLITE_CORRUPT_INDEX, True, False),
        (sqlite3.SQLITE_NOTADB, True, False),
        (sqlite3.SQLITE_FULL, False, True),
        (sqlite3.SQLITE_IOERR_SHMSIZE, False, True),
        (sqlite3.SQLITE_IOERR_FSYNC, False, False),
        (sqlite3.SQLITE_READONLY, False, False),
        (sqlite3.SQLITE_BUSY, False, False),
    ],
)
def test_errors_are_told_apart_by_their_code(code: int, damage: bool, full: bool) -> None:
    error = error_of(code)
    wrapped = OperationalError("COMMIT", None, error)
    assert (is_damage(error), is_full(error)) == (is_damage(wrapped), is_full(wrapped)) == (damage, full)


def test_other_errors_are_neither() -> None:
    assert not is_damage(ValueError("x"))
    assert not is_full(sqlite3.OperationalError("without a code"))
    assert is_damage(DamageFound("found"))


def hot_copy(memory: TerminalMemory, folder: Path) -> Path:
    """The journal as a killed process leaves it: the last commits are in the log alone."""
    assert memory.path is not None
    folder.mkdir()
    for companion in ("", "-wal"):
        shutil.copyfile(f"{memory.path}{companion}", folder / f"journal.db{companion}")
    return folder / "journal.db"


@pytest.mark.parametrize("pragma", [f"user_version = {SCHEMA_VERSION + 1}", "application_id = 7"])
def test_a_file_that_is_refused_stays_as_it_is_with_its_log(filed: TerminalMemory, tmp_path: Path, pragma: str) -> None:
    """Opening and closing is enough for SQLite to fold a log into its file: not into one that is not ours."""
    filed.run(lambda transaction: transaction.execute(f"PRAGMA {pragma}"))
    path = hot_copy(filed, tmp_path / "copy")
    log = path.with_name("journal.db-wal")
    before = path.read_bytes(), log.read_bytes()
    assert before[1]
    filed.store.close()
    filed.path = path
    store = filed.new_store()
    with pytest.raises(StoreRefused, match="install the release that wrote it"):
        store.open()
    assert (path.read_bytes(), log.read_bytes()) == before


def test_opening_and_recovering_write_nothing(filed: TerminalMemory) -> None:
    """So that a start on a full disk needs no room, and a damaged file is not touched."""
    filed.sell()
    assert filed.path is not None
    log = filed.path.with_name("journal.db-wal")
    before = filed.path.read_bytes(), log.read_bytes()
    filed.store._recover()
    assert (filed.path.read_bytes(), log.read_bytes()) == before
    assert filed.store.head_seq == 2


def test_a_new_file_is_marked_as_ours(filed: TerminalMemory) -> None:
    assert filed.scalar("PRAGMA application_id") == APPLICATION_ID
    assert filed.scalar("PRAGMA auto_vacuum") == 2
    filed.reopen()
    assert filed.scalar("PRAGMA auto_vacuum") == 2


def test_a_place_that_allows_no_log_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network share, where SQLite keeps its older journal and says nothing."""
    monkeypatch.setattr(database, "PRAGMAS", ("PRAGMA synchronous = FULL",))
    with pytest.raises(StoreRefused, match="on a disk of this machine"):
        Database(tmp_path / "journal.db").connect()


def test_closing_folds_the_log_into_the_file(filed: TerminalMemory) -> None:
    filed.sell()
    filed.store.close()
    assert filed.path is not None
    assert not filed.path.with_name("journal.db-wal").exists()
    with closing(sqlite3.connect(filed.path)) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (2,)


def test_reading_a_closed_journal_says_try_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    with pytest.raises(JournalUnavailable, match="try again"), database.reading():
        pass
