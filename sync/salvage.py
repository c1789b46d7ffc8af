"""A damaged database: read as far as it can be read, and taken up in a new journal that names the old one.

The damaged file is never changed and never deleted; `sync.replacement` sets it aside. From it come what a till needs to
go on (receipt keys, snapshots, grants, holds, programme) and the entries, which are recorded again under their own ids:
central counts an id once, whichever journal brings it. Those that central has acknowledged come too, so that a central
that is restored from a backup can be filled again from the new journal alone (Law 2). Rows are read one by one: a file
may be larger than memory.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from loyalty_sdk.codec import INTEGER_MAX, CodecError
from loyalty_sdk.envelope import Entry, ReversalBody, chain_hash, decode_entry
from loyalty_sdk.errors import LoyaltyError
from sync.journal import find_receipt
from sync.transaction import Transaction

__all__ = ["Salvage", "read_damaged", "take_up"]

STRIDE_ROWS = 64
MISSES_MAX = 4_096
LOST = -1
# Where SQLite quotes damage in its message, sqlite3 cannot read that.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
CARRIED_FACTS = ("epoch", "central_time_seen", "contact_at", "revoked")
CARRIED_TABLES = ("programmes", "snapshots", "aliases", "grants", "holds", "hold_grants", "receipts")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """What a new journal has to know of a damaged one before it takes it up: its single facts and its end."""

    file: Path
    facts: dict[str, str]
    journal: str | None
    head_hash: bytes | None

    @property
    def watermark(self) -> int:
        """Up to which seq central surely holds the damaged journal; 0 where that is lost."""
        return int(self.facts.get("watermark", "0"))


def read_damaged(file: Path) -> Salvage:
    """Read the facts and the end of a damaged journal, as far as they can be read."""
    with closing(_connect(file)) as connection:
        facts = {row["name"]: row["value"] for row in _rows(connection, "meta") if _is_readable(row)}
        last = _last_row(connection, facts)
    entry = None if last is None else _decoded(last)
    return Salvage(
        file=file,
        facts=facts,
        journal=facts.get("journal") or (None if entry is None else entry.journal),
        head_hash=None if last is None else last["hash"],
    )


def take_up(transaction: Transaction, salvage: Salvage, aside: Path, *, forked: bool = False) -> None:
    """Take what can be read into the new, empty journal; `aside` is where the damaged or forked file will be found.

    What was spent of a grant in a journal's other life is not known here: after a fork central has to confirm it.
    """
    facts = {name: salvage.facts[name] for name in CARRIED_FACTS if name in salvage.facts}
    transaction.set_meta(**facts)
    with closing(_connect(salvage.file)) as connection:
        first, _ = _span(connection, salvage.facts)
        included = _copy_tables(transaction, connection, max(salvage.watermark, first - 1))
        transaction.execute("CREATE INDEX receipts_taken_up ON receipts (entry_id)")
        for row in _journal_rows(connection, salvage.facts):
            if row["seq"] > salvage.watermark:
                shown = included.get(row["member_id"], 0) < row["seq"]
                _record_again(transaction, row, row["points"] if shown else 0, _sealed(connection, row["seq"]))
            else:
                _carry_points(transaction, row, included)
                _record_again(transaction, row, 0)
        _forget_lost_receipts(transaction)
        transaction.execute("DROP INDEX receipts_taken_up")
    if forked:
        transaction.execute("UPDATE grants SET confirmed = 0 WHERE state = 'open'")
    facts = {"earlier_file" if forked else "damaged_file": str(aside)}
    transaction.set_meta(recorded_again_seq=str(transaction.head.seq), **facts)


def _copy_tables(transaction: Transaction, connection: sqlite3.Connection, settled: int) -> dict[str, int]:
    """Copy what can be read; return up to which seq of the old journal each snapshot contains its member's entries.

    Seqs are those of the old journal. So snapshots contain no entry, and receipts lead to none: those up to `settled`
    stay so, the others are marked until their entry is recorded again.
    """
    included: dict[str, int] = {}
    for table in CARRIED_TABLES:
        for row in _rows(connection, table):
            values = dict(row)
            if table == "snapshots":
                values["includes_seq"] = 0
            elif table == "receipts":
                values["seq"] = 0 if isinstance(row["seq"], int) and row["seq"] <= settled else LOST
            names, marks = ", ".join(values), ", ".join("?" * len(values))
            # A row that contradicts the rest, because its partner was lost, is left in the damaged file.
            with suppress(sqlite3.IntegrityError), transaction.connection.savepoint():
                transaction.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
                if table == "snapshots" and isinstance(row["includes_seq"], int):
                    included[row["member_id"]] = row["includes_seq"]
    return included


def _forget_lost_receipts(transaction: Transaction) -> None:
    """Forget receipts whose entry central may not have and nobody can read: such a sale can be recorded once more."""
    lost = transaction.execute("SELECT count(*) FROM receipts WHERE seq = ?", (LOST,)).scalar_one()
    if lost:
        _log.error("%d unacknowledged sales could not be read; central takes them when they are recorded again", lost)
        transaction.execute("DELETE FROM receipts WHERE seq = ?", (LOST,))


def _carry_points(transaction: Transaction, row: sqlite3.Row, included: dict[str, int]) -> None:
    """Fold an entry that central has, and the snapshot not yet, into the balance that is shown."""
    if included.get(row["member_id"], row["seq"]) < row["seq"]:
        transaction.execute(
            "UPDATE snapshots SET balance = balance + ? WHERE member_id = ?", (row["points"], row["member_id"])
        )


def _record_again(transaction: Transaction, row: sqlite3.Row, points: int, sealed: bytes | None = None) -> None:
    """Append an entry once more under its own id; only its journal and place in it are new."""
    entry = _decoded(row)
    if entry is None or entry.kind == "journal_opened":
        return
    again = transaction.append_again(entry, sealed=sealed, member_id=row["member_id"], points=points)
    transaction.execute("UPDATE receipts SET seq = ? WHERE entry_id = ?", (again.seq, uuid.UUID(entry.id).bytes))
    original = entry.body.original if isinstance(entry.body, ReversalBody) else None
    known = None if original is None else find_receipt(transaction.connection, original)
    if known is not None and known.seq:
        transaction.execute("INSERT INTO reversals VALUES (?, ?)", (known.seq, again.seq))


def _connect(file: Path) -> sqlite3.Connection:
    """Open read-only: a connection that may write would fold the write-ahead log into the damaged file as it closes.

    A file without content is not opened at all, for SQLite would delete its log.
    """
    empty = file.stat().st_size == 0
    connection = sqlite3.connect(":memory:" if empty else f"file:{quote(str(file))}?mode=ro", uri=not empty)
    connection.row_factory = sqlite3.Row
    return connection


def _journal_rows(connection: sqlite3.Connection, facts: dict[str, str]) -> Iterator[sqlite3.Row]:
    """Scan the journal forward by seq: a stride at a time, row by row where a stride cannot be read.

    An entry whose bytes do not continue the chain was altered by the damage and is left where it is.
    """
    first, last = _span(connection, facts)
    seq, misses = first - 1, 0
    before: sqlite3.Row | None = None
    while seq < last if last else misses < MISSES_MAX:
        rows = _read(connection, seq + 1, seq + STRIDE_ROWS)
        if rows is None:
            rows = [row for one in range(seq + 1, seq + STRIDE_ROWS + 1) for row in _read(connection, one, one) or ()]
        misses = 0 if rows else misses + STRIDE_ROWS
        seq += STRIDE_ROWS
        for row in rows:
            if _continues(before, row):
                yield row
            else:
                _log.warning("salvage: entry %d was altered; it stays in the damaged file", row["seq"])
            before = row


def _span(connection: sqlite3.Connection, facts: dict[str, str]) -> tuple[int, int]:
    """The first seq that may be there and the last one, 0 where that cannot be read."""
    first = _one(connection, "SELECT min(seq) FROM entries") or int(facts.get("floor_seq", "0")) + 1
    return first, _one(connection, "SELECT max(seq) FROM entries") or 0


def _one(connection: sqlite3.Connection, query: str) -> int | None:
    try:
        (value,) = connection.execute(query).fetchone()
    except UNREADABLE:
        return None
    return value if isinstance(value, int) else None


def _last_row(connection: sqlite3.Connection, facts: dict[str, str]) -> sqlite3.Row | None:
    """The journal's last entry that can be read."""
    last = _one(connection, "SELECT max(seq) FROM entries")
    rows = _read(connection, last, last) if last else None
    if rows:
        return rows[0]
    found = None
    for row in _journal_rows(connection, facts):
        found = row
    return found


def _read(connection: sqlite3.Connection, first: int, last: int) -> list[sqlite3.Row] | None:
    try:
        rows = connection.execute(
            "SELECT seq, bytes, hash, member_id, points FROM entries WHERE seq BETWEEN ? AND ? ORDER BY seq",
            (first, last),
        ).fetchall()
    except UNREADABLE:
        return None
    return [row for row in rows if _is_entry(row)]


def _is_entry(row: sqlite3.Row) -> bool:
    """Whether the columns are what the table promises: damage may leave a row readable and senseless."""
    member_id, points = row["member_id"], row["points"]
    whole = isinstance(row["bytes"], bytes) and isinstance(row["hash"], bytes)
    return whole and isinstance(member_id, str | None) and isinstance(points, int) and abs(points) <= INTEGER_MAX


def _sealed(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """The attachment beside an entry; an entry goes on without one that cannot be read."""
    with suppress(*UNREADABLE):
        row = connection.execute("SELECT sealed FROM attachments WHERE seq = ?", (seq,)).fetchone()
        return row["sealed"] if row is not None and isinstance(row["sealed"], bytes) else None
    return None


def _continues(before: sqlite3.Row | None, row: sqlite3.Row) -> bool:
    if before is None or before["seq"] + 1 != row["seq"]:
        return True  # Nothing to compare with.
    return bool(chain_hash(before["hash"], row["bytes"]) == row["hash"])


def _decoded(row: sqlite3.Row) -> Entry | None:
    try:
        entry = decode_entry(row["bytes"])
        uuid.UUID(entry.id)
    except (CodecError, LoyaltyError, ValueError):
        return None
    return entry if entry.seq == row["seq"] else None


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[sqlite3.Row]:
    """Give a table's rows from its beginning to the damage, and from its end back to it; some perhaps twice."""
    try:
        yield from connection.execute(f"SELECT * FROM {table}")
    except UNREADABLE as error:
        _log.warning("salvage: not all of %s can be read: %s", table, error)
        with suppress(*UNREADABLE):
            yield from connection.execute(f"SELECT * FROM {table} ORDER BY {_backward(connection, table)}")


def _backward(connection: sqlite3.Connection, table: str) -> str:
    columns: list[Any] = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return ", ".join(f"{column['name']} DESC" for column in columns if column["pk"])


def _is_readable(fact: sqlite3.Row) -> bool:
    """Whether a single fact is what its name promises: damage may leave a row readable and senseless."""
    try:
        if fact["name"] in ("watermark", "floor_seq"):
            return int(fact["value"]) >= 0
        if fact["name"] in ("central_time_seen", "contact_at"):
            return datetime.fromisoformat(fact["value"]).tzinfo is not None
    except ValueError:
        return False
    return isinstance(fact["value"], str)
