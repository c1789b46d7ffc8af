"""Older databases: every step, real kills between and within them, and what they carry over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sync import identity as identities
from sync.migrations import MIGRATIONS
from sync.schema import SCHEMA_VERSION
from sync.store import Store
from terminal_agent.bootstrap import system_host
from tests.support.terminal_memory import TerminalMemory

ROOT = Path(__file__).parents[3]
RELEASED = ROOT / "tests" / "fixtures" / "v0.1.0"
# Kills itself before the n-th statement that migrates, in the middle of its transaction.
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sync import identity, migrations, store
from terminal_agent.bootstrap import system_host

left = int(sys.argv[2])
class Step(tuple):
    def __iter__(self):
        global left
        for statement in super().__iter__():
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            yield statement

for version, statements in migrations.MIGRATIONS.items():
    # The statement that comes last stands for the moment before the version is set.
    migrations.MIGRATIONS[version] = Step((*statements, "SELECT 1"))
folder = Path(sys.argv[1])
store.Store(folder / "journal.db", identity.read(folder / "identity.json"), system_host(), "killed").open()
"""


@pytest.fixture
def released(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASED, tmp_path / "released"))


def contents(path: Path, *tables: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


def opened(folder: Path) -> Store:
    store = Store(folder / "journal.db", identities.read(folder / "identity.json"), system_host(), "test")
    store.open()
    return store


# What a grant of the older release says; that it is confirmed is new.
GRANTS = "(SELECT grant_id, points, spent, held, released, not_after, document, signature, state FROM grants)"
STATEMENTS = sum(len(statements) + 1 for statements in MIGRATIONS.values())


@pytest.mark.parametrize("before", range(STATEMENTS))
def test_a_kill_within_a_migration_leaves_the_older_release_and_the_next_start_finishes(
    released: Path, before: int
) -> None:
    kept = contents(released / "journal.db", "entries", "attachments", "holds", GRANTS, "meta")
    command = [sys.executable, "-c", KILLED, str(released), str(before)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = opened(released)
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar() == SCHEMA_VERSION
    assert store.is_sound()
    store.close()
    assert contents(released / "journal.db", "entries", "attachments", "holds", GRANTS, "meta") == kept
    assert not list(released.glob("*damaged*"))


def test_receipts_of_an_older_release_know_what_was_told(released: Path) -> None:
    """Once their entries are pruned, a retry is answered from the receipt alone."""
    opened(released).close()
    with closing(sqlite3.connect(released / "journal.db")) as connection:
        rows = connection.execute(
            "SELECT e.bytes, r.points, r.points_redeemed FROM receipts r JOIN entries e ON e.seq = r.seq"
        ).fetchall()
    known = [((points, redeemed), points_told(json.loads(data))) for data, points, redeemed in rows]
    assert all(kept == told for kept, told in known)
    assert {redeemed for (_, redeemed), _ in known} == {0, 100}
    assert (2, 0) in [kept for kept, _ in known], "the sale to a card that the till did not know"


def points_told(entry: dict[str, Any]) -> tuple[int, int]:
    body = entry["body"]
    if entry["kind"] == "reversal":
        credited = body["points_credited"] or 0
        return credited - (body["points_debited"] or 0), credited
    anonymous = body["member_id"] is None and entry["attachment_hash"] is None
    redeemed = (body["redemption"] or {}).get("points", 0)
    return (0 if anonymous else body["points_earned"]) - redeemed, redeemed


def test_a_step_s_statements_and_a_new_journal_s_make_the_same_tables(released: Path, filed: TerminalMemory) -> None:
    opened(released).close()
    assert filed.path is not None
    with closing(sqlite3.connect(released / "journal.db")) as old, closing(sqlite3.connect(filed.path)) as new:
        for kind in ("table", "index"):
            query = f"SELECT name FROM sqlite_master WHERE type = '{kind}' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            assert old.execute(query).fetchall() == new.execute(query).fetchall()
        for (table,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for pragma in ("table_xinfo", "index_list", "foreign_key_list"):
                query = f"PRAGMA {pragma}({table})"
                assert sorted(old.execute(query).fetchall()) == sorted(new.execute(query).fetchall())
