"""The audit sees what is wrong: a journal that is whole passes, and each way to damage it is told by its kind."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sync.store import Command
from tests.crash import rig
from tests.crash.audit import FaultKind, audit
from tests.crash.check import check_directory
from tests.crash.expected import Expected
from tests.crash.register import Json, Register

STEPS = 150


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Expected]:
    """A journal that a register sold on, and what was acknowledged to it."""
    directory = tmp_path_factory.mktemp("sold")
    lines: list[Json] = []
    store = rig.store_at(directory)
    store.open()

    def call(make: Callable[[], Command]) -> Any:
        (result,) = store.transact([make()])
        assert result.error is None, result.error
        return result.value

    call(rig.StoreProgramme)
    register = Register(name="1", series="", random=Random(5), call=call, acknowledge=lines.append)
    for _ in range(STEPS):
        register.step()
    store.close()
    return (directory / rig.JOURNAL).read_bytes(), Expected.of(lines)


@pytest.fixture
def journal(sold: tuple[bytes, Expected], tmp_path: Path) -> Path:
    """A copy of that journal to damage."""
    path = tmp_path / rig.JOURNAL
    path.write_bytes(sold[0])
    return path


def test_a_whole_journal_passes(journal: Path, sold: tuple[bytes, Expected]) -> None:
    assert set(sold[1].holds.values()) == {"open", "spent", "released"}
    assert check_directory(journal.parent, sold[1]) == []


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)", "halved"),
        ("DELETE FROM entries WHERE seq = 7", "corrupt"),
        ("UPDATE entries SET bytes = CAST(bytes || ' ' AS BLOB) WHERE seq = 7", "corrupt"),
        ("UPDATE entries SET hash = zeroblob(32) WHERE seq = 7", "corrupt"),
        ("UPDATE entries SET bytes = zeroblob(600) WHERE seq = 7", "corrupt"),
        ("UPDATE entries SET id = 'another' WHERE seq = 7", "corrupt"),
        ("DELETE FROM receipts WHERE seq = (SELECT max(seq) FROM receipts)", "lost"),
        ("UPDATE meta SET value = 'another' WHERE name = 'journal'", "corrupt"),
        ("UPDATE meta SET value = '0' WHERE name = 'watermark'", "lost"),
        ("UPDATE meta SET value = '9999' WHERE name = 'watermark'", "lost"),
        ("UPDATE meta SET value = '' WHERE name = 'watermark_hash'", "corrupt"),
        ("UPDATE holds SET state = 'open' WHERE state = 'spent'", "lost"),
        ("UPDATE holds SET state = 'open' WHERE state = 'released'", "lost"),
        ("UPDATE holds SET state = 'spent' WHERE state = 'open'", "halved"),
        ("DELETE FROM holds WHERE state = 'open'", "lost"),
        ("UPDATE grants SET held = 0", "halved"),
        ("UPDATE grants SET spent = 0", "halved"),
        ("DELETE FROM grants WHERE spent = 0", "lost"),
        ("UPDATE grants SET state = 'open' WHERE state = 'closed'", "lost"),
        ("UPDATE grants SET state = 'closed' WHERE state = 'open'", "halved"),
        ("DELETE FROM attachments", "halved"),
    ],
)
def test_damage_is_told(journal: Path, sold: tuple[bytes, Expected], damage: str, kind: FaultKind) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        assert connection.execute(damage).rowcount > 0
        connection.commit()
        assert kind in {fault.kind for fault in audit(connection, sold[1])}


def test_a_page_that_is_overwritten_is_told(journal: Path, sold: tuple[bytes, Expected]) -> None:
    data = bytearray(journal.read_bytes())
    data[8192:12288] = bytes(4096)
    journal.write_bytes(data)
    assert check_directory(journal.parent, sold[1]) != []


def test_a_journal_that_is_gone_is_told(tmp_path: Path, sold: tuple[bytes, Expected]) -> None:
    """The product makes a new one without a word where there is none."""
    assert "lost" in {fault.kind for fault in check_directory(tmp_path, sold[1])}
