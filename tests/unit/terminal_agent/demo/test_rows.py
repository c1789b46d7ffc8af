"""Rows are read from the tables as sync and central_api define them."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from central_api.storage.schema import metadata
from loyalty_sdk.envelope import Entry, JournalOpenedBody, encode_entry
from loyalty_sdk.model import ReceiptKey
from sync.schema import STATEMENTS
from terminal_agent.demo.rows import TransferRow, read_central, read_journal, receipt_of

KEY = ReceiptKey(store="s", register="1", business_date=date(2026, 5, 1), number="7", series="A")
ENTRY = encode_entry(
    Entry(
        v=1,
        terminal="t",
        journal="j",
        seq=1,
        id="id-1",
        kind="journal_opened",
        occurred_at=datetime(2026, 5, 1, tzinfo=UTC),
        central_time_seen=None,
        receipt_key=KEY,
        programme_version=None,
        snapshot_revision=None,
        grants=(),
        attachment_hash=None,
        body=JournalOpenedBody(agent_version="0", previous_journal="i", previous_hash="ab" * 32),
    )
)
HASH = b"h" * 32
NOW = "2026-05-01T08:30:00.000+00:00"


def test_a_journal_is_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database, database:
        for statement in STATEMENTS:
            database.execute(statement)
        database.execute(
            "INSERT INTO entries (seq, id, kind, bytes, hash, points) VALUES (1, 'id-1', 'journal_opened', ?, ?, 0)",
            (ENTRY, HASH),
        )
    (entry,) = read_journal(tmp_path / "journal.db")
    assert (entry.terminal, entry.journal, entry.seq, entry.receipt) == ("t", "j", 1, str(KEY))
    assert (entry.data, entry.hash, entry.previous_hash) == (ENTRY, HASH, b"\xab" * 32)


def test_central_is_read(tmp_path: Path) -> None:
    file = tmp_path / "central.db"
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    metadata.create_all(engine)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "INSERT INTO entries (tenant, terminal, journal, seq, id, kind, bytes, hash, received_at, effective_at,"
            " member_id, outcome, reason) VALUES ('x', 't', 'j', 1, 'id-1', 'journal_opened', ?, ?, ?, ?,"
            " 'm', 'held', 'why')",
            (ENTRY, HASH, NOW, NOW),
        )
        database.execute(
            "INSERT INTO transfers (tenant, id, member_id, from_account, to_account, points, terminal, effective_at,"
            " recorded_at, reason) VALUES ('x', '1', 'm', 'issued', 'available', 5, 't', ?, ?, 'sale')",
            (NOW, NOW),
        )
        database.execute("INSERT INTO balances VALUES ('x', 'm', 5, 2, 0)")
        database.execute("INSERT INTO reservations VALUES ('x', 'm', 't', 3), ('x', 'm', 'u', 4)")
        database.execute("INSERT INTO receipts VALUES ('x', 's', '1', '2026-05-01', 'A', '7', 'id-1')")
    rows = read_central(file)
    assert [(entry.outcome, entry.reason, entry.member_id) for entry in rows.entries] == [("held", "why", "m")]
    assert rows.transfers == (TransferRow(member_id="m", from_account="issued", to_account="available", points=5),)
    assert (rows.available, rows.owed, rows.reserved) == ({"m": 7}, {"m": 0}, {"m": 7})
    assert rows.receipts == (str(KEY),)
    assert rows.grants_open == 0


def test_nothing_is_created_where_there_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        read_central(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("series", ["", "A"])
def test_a_receipt_is_written_as_the_list_writes_it(series: str) -> None:
    key = ReceiptKey(store="s/1", register="2", business_date=date(2026, 5, 1), number="7", series=series)
    assert receipt_of("s/1", "2", "2026-05-01", series, "7") == str(key)
