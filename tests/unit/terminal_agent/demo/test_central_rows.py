"""Central's rows by SQLAlchemy are those that plain sqlite3 reads, and a server's are cleared with care."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from central_api.storage import schema
from loyalty_sdk.envelope import Entry, JournalOpenedBody, ReleaseBody, encode_entry
from loyalty_sdk.model import ReceiptKey
from terminal_agent.demo.central_rows import clear_database, grants_open, read_by_sqlalchemy, read_central_rows
from terminal_agent.demo.processes import ProcessFailed
from terminal_agent.demo.rows import read_central
from tests.support.postgresql import Server

NOW = datetime(2011, 1, 31, 10, tzinfo=UTC)
KEY = ReceiptKey(store="s", register="r", business_date=NOW.date(), number="7", series="A")
TENANT = {"tenant": "t"}
PLACE = {**TENANT, "terminal": "one", "journal": "j"}


def entry(seq: int, body: JournalOpenedBody | ReleaseBody, key: ReceiptKey | None) -> bytes:
    return encode_entry(
        Entry(
            v=1,
            terminal="one",
            journal="j",
            seq=seq,
            id=f"id-{seq}",
            kind="journal_opened" if isinstance(body, JournalOpenedBody) else "release",
            occurred_at=NOW,
            central_time_seen=None,
            receipt_key=key,
            programme_version=None,
            snapshot_revision=None,
            grants=(),
            attachment_hash=None,
            body=body,
        )
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A small database of central: two entries, one member with a balance, a transfer and an open grant."""
    path = tmp_path / "central.db"
    engine = create_engine(f"sqlite:///{path}")
    schema.metadata.create_all(engine)
    bodies = [
        entry(1, JournalOpenedBody(agent_version="1"), None),
        entry(2, ReleaseBody(hold_id="h", member_id="m", reason="x"), KEY),
    ]
    with engine.begin() as connection:
        for seq, data in enumerate(bodies, start=1):
            row = {"seq": seq, "id": f"id-{seq}", "kind": "release", "bytes": data, "hash": b"#" * 32}
            times = {"received_at": NOW, "effective_at": NOW}
            connection.execute(schema.entries.insert().values(**PLACE, **row, **times, outcome="applied"))
        connection.execute(schema.balances.insert().values(**TENANT, member_id="m", available=5, pending=1, owed=0))
        for terminal, points in (("one", 3), ("two", 4)):
            connection.execute(
                schema.reservations.insert().values(**TENANT, member_id="m", terminal=terminal, points=points)
            )
        key = {"store": "s", "register": "r", "business_date": "2011-01-31", "series": "A", "number": "7"}
        connection.execute(schema.receipts.insert().values(**TENANT, **key, entry_id="id-2"))
        moved = {"id": "x", "member_id": "m", "from_account": "issued", "to_account": "available", "points": 13}
        times = {"effective_at": NOW, "recorded_at": NOW}
        connection.execute(schema.transfers.insert().values(**TENANT, **moved, **times, terminal="one", reason="sale"))
        for number, state in enumerate(("open", "open", "closed")):
            grant = {"grant_id": f"g{number}", "member_id": "m", "terminal": "one", "points": 3, "state": state}
            signed = {"document": "{}", "key_id": "k", "signature": b"s", "not_after": NOW, "issued_at": NOW}
            connection.execute(schema.grants.insert().values(**TENANT, **grant, **signed))
    engine.dispose()
    return path


def test_the_rows_are_the_same_by_sqlalchemy(database: Path) -> None:
    rows = read_by_sqlalchemy(make_url(f"sqlite:///{database}"))
    assert rows == read_central(database)
    assert (rows.reserved, rows.available, rows.receipts) == ({"m": 7}, {"m": 6}, ("s/r 2011-01-31 A-7",))


def test_sqlite_is_read_without_sqlalchemy(database: Path) -> None:
    url = f"sqlite:///{database}"
    assert read_central_rows(url) == read_central(database)
    assert grants_open(url) == 2


def test_only_what_a_run_has_made_is_cleared(postgresql: Server) -> None:
    with postgresql.database() as address:
        url = address.set(drivername="postgresql").render_as_string(hide_password=False)
        clear_database(url)
        clear_database(url)
    with postgresql.database() as address:
        url = address.render_as_string(hide_password=False)
        asyncio.run(made(address))
        for _ in range(2):
            with pytest.raises(ProcessFailed, match="name an empty one"):
                clear_database(url)


async def made(url: URL) -> None:
    """Make a table that is somebody's."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE precious (nothing integer)")
    await engine.dispose()


def test_a_database_that_cannot_be_had_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match="the database cannot be used"):
        clear_database(f"postgresql://somebody:secret@/none?host={tmp_path}")
    clear_database(f"sqlite:///{tmp_path}/none.db")
