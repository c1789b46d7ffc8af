"""A damaged database: set aside, read as far as it can be read, and taken up in a new journal that names the old one.

The damaged file is never changed and never deleted. From it come what a till needs to go on (receipt keys, snapshots,
grants, holds, programme) and the entries that central has not acknowledged, which are recorded again under their own
ids: central counts an id once, whichever journal brings it.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from loyalty_sdk.codec import CodecError
from loyalty_sdk.envelope import Entry, ReversalBody, decode_entry
from loyalty_sdk.errors import LoyaltyError
from sync.journal import find_receipt
from sync.transaction import Transaction

__all__ = ["Salvage", "read_damaged", "set_aside", "take_up"]

COMPANIONS = ("", "-wal", "-shm")
STRIDE_ROWS = 64
MISSES_MAX = 4_096
CARRIED_META = ("watermark", "epoch", "central_time_seen", "contact_at")
CARRIED_TABLES = ("programmes", "snapshots", "aliases", "grants", "holds", "hold_grants", "receipts")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvagedEntry:
    """An entry that could be read, with what the journal kept beside it."""

    entry: Entry
    hash: bytes
    member_id: str | None
    points: int
    sealed: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """What could be read of a damaged database: rows of its tables by name, single facts, entries in order."""

    file: Path
    meta: dict[str, str]
    tables: dict[str, tuple[dict[str, Any], ...]]
    entries: tuple[SalvagedEntry, ...]

    @property
    def journal(self) -> str | None:
        """The damaged journal's id, which each of its entries names."""
        return self.meta.get("journal") or (self.entries[-1].entry.journal if self.entries else None)

    @property
    def head_hash(self) -> bytes | None:
        """The last hash of the damaged journal that could be read."""
        return self.entries[-1].hash if self.entries else None

    @property
    def unacknowledged(self) -> tuple[SalvagedEntry, ...]:
        """The entries that central may not have; all of them where the watermark is lost."""
        watermark = int(self.meta.get("watermark", "0"))
        return tuple(salvaged for salvaged in self.entries if salvaged.entry.seq > watermark)


def set_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged database with its companions; return its new path."""
    aside = path.with_name(f"{path.stem}.damaged-{now.strftime('%Y%m%dT%H%M%S%f')}{path.suffix}")
    for companion in COMPANIONS:
        source = path.with_name(path.name + companion)
        if source.exists():
            source.rename(aside.with_name(aside.name + companion))
    return aside


def read_damaged(file: Path) -> Salvage:
    """Read what can be read, page by page around the damage."""
    try:
        # Read-only: a connection that may write would fold the write-ahead log into the damaged file when it closes.
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            meta = {row["name"]: row["value"] for row in _rows(connection, "meta")}
            tables = {table: tuple(dict(row) for row in _rows(connection, table)) for table in CARRIED_TABLES}
            return Salvage(file=file, meta=meta, tables=tables, entries=tuple(_entries(connection)))
    except sqlite3.Error as error:
        _log.error("nothing of %s can be read: %s", file, error)
        return Salvage(file=file, meta={}, tables=dict.fromkeys(CARRIED_TABLES, ()), entries=())


def take_up(transaction: Transaction, salvage: Salvage) -> None:
    """Take what was salvaged into the new, empty journal of this transaction."""
    _copy_tables(transaction, salvage)
    transaction.set_meta(**{name: salvage.meta[name] for name in CARRIED_META[1:] if name in salvage.meta})
    included = {row["member_id"]: row["includes_seq"] for row in salvage.tables["snapshots"]}
    _carry_balances(transaction, salvage, included)
    for salvaged in salvage.unacknowledged:
        _record_again(transaction, salvaged, included)
    transaction.set_meta(recorded_again_seq=str(transaction.head.seq), damaged_file=str(salvage.file))


def _copy_tables(transaction: Transaction, salvage: Salvage) -> None:
    for table, rows in salvage.tables.items():
        for row in rows:
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            # A row that contradicts the rest, because its partner was lost, is left in the damaged file.
            with suppress(sqlite3.IntegrityError), transaction.connection.savepoint():
                transaction.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
    # Seqs are those of the old journal: receipts lead to no entry until it is recorded again, snapshots contain none.
    transaction.execute("UPDATE receipts SET seq = 0")
    transaction.execute("UPDATE snapshots SET includes_seq = 0")


def _carry_balances(transaction: Transaction, salvage: Salvage, included: dict[str, int]) -> None:
    """Fold entries that are not recorded again, and not yet in a snapshot, into the balance that is shown."""
    watermark = int(salvage.meta.get("watermark", "0"))
    for salvaged in salvage.entries:
        member_id = salvaged.member_id
        if member_id is not None and included.get(member_id, watermark) < salvaged.entry.seq <= watermark:
            transaction.execute(
                "UPDATE snapshots SET balance = balance + ? WHERE member_id = ?", (salvaged.points, member_id)
            )


def _record_again(transaction: Transaction, salvaged: SalvagedEntry, included: dict[str, int]) -> None:
    """Append an entry once more under its own id; only its journal and place in it are new."""
    entry = salvaged.entry
    if entry.kind == "journal_opened":
        return
    shown = included.get(salvaged.member_id or "", 0) < entry.seq
    again = transaction.append_again(
        entry, sealed=salvaged.sealed, member_id=salvaged.member_id, points=salvaged.points if shown else 0
    )
    transaction.execute("UPDATE receipts SET seq = ? WHERE entry_id = ?", (again.seq, uuid.UUID(entry.id).bytes))
    original = entry.body.original if isinstance(entry.body, ReversalBody) else None
    row = None if original is None else find_receipt(transaction.connection, original)
    if row is not None and row.seq:
        transaction.execute("INSERT INTO reversals VALUES (?, ?)", (row.seq, again.seq))


def _entries(connection: sqlite3.Connection) -> Iterator[SalvagedEntry]:
    """Scan the journal forward by seq: a stride at a time, row by row where a stride cannot be read."""
    seq, misses = 0, 0
    while misses < MISSES_MAX:
        rows = _read(connection, seq + 1, seq + STRIDE_ROWS)
        if rows is None:
            rows = [row for one in range(seq + 1, seq + STRIDE_ROWS + 1) for row in _read(connection, one, one) or ()]
        misses = 0 if rows else misses + STRIDE_ROWS
        seq += STRIDE_ROWS
        yield from (salvaged for row in rows if (salvaged := _decoded(row)) is not None)


def _read(connection: sqlite3.Connection, first: int, last: int) -> list[sqlite3.Row] | None:
    try:
        return connection.execute(
            "SELECT e.seq, e.bytes, e.hash, e.member_id, e.points,"
            " (SELECT sealed FROM attachments a WHERE a.seq = e.seq) AS sealed"
            " FROM entries e WHERE e.seq BETWEEN ? AND ? ORDER BY e.seq",
            (first, last),
        ).fetchall()
    except sqlite3.Error:
        return None


def _decoded(row: sqlite3.Row) -> SalvagedEntry | None:
    try:
        entry = decode_entry(bytes(row["bytes"]))
    except (CodecError, LoyaltyError, TypeError):
        return None
    if entry.seq != row["seq"]:
        return None
    return SalvagedEntry(
        entry=entry, hash=row["hash"], member_id=row["member_id"], points=row["points"], sealed=row["sealed"]
    )


def _rows(connection: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    """Read a table from its beginning to the damage, and from its end back to it."""
    forward = _until_damage(connection, f"SELECT * FROM {table}")
    if forward.whole:
        return forward.rows
    key = _key(connection, table)
    backward = _until_damage(connection, f"SELECT * FROM {table} ORDER BY {key} DESC")
    seen = {tuple(row) for row in forward.rows}
    return forward.rows + [row for row in backward.rows if tuple(row) not in seen]


@dataclass(frozen=True, slots=True)
class _Part:
    rows: list[sqlite3.Row]
    whole: bool


def _until_damage(connection: sqlite3.Connection, query: str) -> _Part:
    rows: list[sqlite3.Row] = []
    try:
        for row in connection.execute(query):
            rows.append(row)  # One by one: what was read before the damage is kept.
    except sqlite3.Error as error:
        _log.warning("salvage: %s stops after %d rows: %s", query, len(rows), error)
        return _Part(rows, whole=False)
    return _Part(rows, whole=True)


def _key(connection: sqlite3.Connection, table: str) -> str:
    columns: Sequence[sqlite3.Row] = connection.execute(f"PRAGMA table_info({table})").fetchall()
    keys = [column["name"] for column in columns if column["pk"]]
    return " DESC, ".join(keys)
