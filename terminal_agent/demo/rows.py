"""What the check looks at, read with plain sqlite3 and json: an agent's journal and central's database.

Read only, and through none of the code that wrote it. `central_rows.py` reads the same of a central on another
database: nothing but `read_central` and `read_journal` knows SQLite.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CentralRows", "EntryRow", "TransferRow", "entry_row", "read_central", "read_journal", "receipt_of"]

_ENTRIES = "SELECT seq, id, kind, bytes, hash, outcome, reason, member_id FROM entries ORDER BY terminal, journal, seq"
_TRANSFERS = "SELECT member_id, from_account, to_account, points FROM transfers"
_BALANCES = "SELECT member_id, available + pending, owed FROM balances"
_RESERVED = "SELECT member_id, sum(points) FROM reservations GROUP BY member_id"
_RECEIPTS = "SELECT store, register, business_date, series, number FROM receipts"
_GRANTS_OPEN = "SELECT count(*) FROM grants WHERE state = 'open'"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry as a journal or central holds it.

    `receipt` is `str(ReceiptKey)`, `previous_hash` what a journal's first entry names. A journal knows no outcome.
    """

    terminal: str
    journal: str
    seq: int
    id: str
    kind: str
    receipt: str | None
    data: bytes
    hash: bytes
    previous_hash: bytes = b""
    outcome: str = ""
    reason: str = ""
    member_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """`points` of a member moved between two accounts of Law 8."""

    member_id: str
    from_account: str
    to_account: str
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralRows:
    """What central's database holds. `available` contains what is pending; `owed` is positive where points are owed."""

    entries: tuple[EntryRow, ...]
    transfers: tuple[TransferRow, ...]
    available: dict[str, int]
    owed: dict[str, int]
    reserved: dict[str, int]
    receipts: tuple[str, ...]
    grants_open: int


def read_journal(path: Path) -> tuple[EntryRow, ...]:
    """Read the entries of a terminal's journal.db. Raises sqlite3.Error."""
    with closing(_open(path)) as database:
        rows = database.execute("SELECT seq, id, kind, bytes, hash FROM entries ORDER BY seq")
        return tuple(entry_row(*row) for row in rows)


def read_central(path: Path) -> CentralRows:
    """Read central's SQLite file. Raises sqlite3.Error."""
    with closing(_open(path)) as database:
        # One transaction, so that all tables show the same moment.
        database.execute("BEGIN")
        balances = list(database.execute(_BALANCES))
        return CentralRows(
            entries=tuple(entry_row(*row) for row in database.execute(_ENTRIES)),
            transfers=tuple(_transfers(database)),
            available={member: available for member, available, _ in balances},
            owed={member: owed for member, _, owed in balances},
            reserved=dict(database.execute(_RESERVED)),
            receipts=tuple(receipt_of(*row) for row in database.execute(_RECEIPTS)),
            grants_open=database.execute(_GRANTS_OPEN).fetchone()[0],
        )


def receipt_of(store: str, register: str, business_date: str, series: str, number: str) -> str:
    """Write a receipt key as the POS's list does."""
    return f"{store}/{register} {business_date} {series}{'-' if series else ''}{number}"


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def entry_row(
    seq: int,
    entry_id: str,
    kind: str,
    data: bytes,
    digest: bytes,
    outcome: str = "",
    reason: str = "",
    member_id: str | None = None,
) -> EntryRow:
    """Make a row of the columns of `entries`; the envelope says the rest."""
    envelope: dict[str, Any] = json.loads(data)
    return EntryRow(
        terminal=envelope["terminal"],
        journal=envelope["journal"],
        seq=seq,
        id=entry_id,
        kind=kind,
        receipt=_receipt(envelope["receipt_key"]),
        data=data,
        hash=digest,
        previous_hash=bytes.fromhex(envelope["body"].get("previous_hash") or ""),
        outcome=outcome,
        reason=reason,
        member_id=member_id,
    )


def _receipt(key: dict[str, str] | None) -> str | None:
    if key is None:
        return None
    return receipt_of(key["store"], key["register"], key["business_date"], key.get("series", ""), key["number"])


def _transfers(database: sqlite3.Connection) -> Iterator[TransferRow]:
    for member, from_account, to_account, points in database.execute(_TRANSFERS):
        yield TransferRow(member_id=member, from_account=from_account, to_account=to_account, points=points)
