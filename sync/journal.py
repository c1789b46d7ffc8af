"""Reading the journal: the queue to central, entries by seq, and receipts by key. Writing is `Transaction.append`."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any, NamedTuple

from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import Entry, decode_entry
from loyalty_sdk.errors import ReceiptConflict, ReceiptUnknown
from loyalty_sdk.model import ReceiptKey
from sync.statements import PinnedConnection
from sync.transaction import Transaction

__all__ = [
    "QueuedEntry",
    "ReceiptRow",
    "Watermark",
    "entry_at",
    "entry_by_receipt",
    "find_receipt",
    "queue_batch",
    "recorded_before",
    "remember_receipt",
    "watermark",
]

DIGEST_BYTES = 16
_WATERMARK = (
    "SELECT (SELECT value FROM meta WHERE name = 'journal'), (SELECT value FROM meta WHERE name = 'epoch'),"
    " (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'watermark'), (SELECT max(seq) FROM entries)"
)


class QueuedEntry(NamedTuple):
    """An entry that central has not acknowledged: its exact bytes, chain hash and sealed attachment.

    A tuple, because a drain makes a hundred thousand of them in a second.
    """

    seq: int
    entry_bytes: bytes
    hash: bytes
    attachment_hash: str | None
    sealed: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """What is kept of a receipt for ever: its request's digest, its entry, and the points that were told.

    `points` is the net of them, `points_redeemed` what a sale spent or a reversal gave back. `seq` is 0 where the entry
    was in a journal that was damaged since.
    """

    digest: bytes
    entry_id: str
    seq: int
    points: int
    points_redeemed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far central holds the journal, and the head: the queue is what lies between."""

    journal: str
    epoch: str
    seq: int
    head_seq: int


def watermark(connection: PinnedConnection) -> Watermark:
    """Return the journal's id, epoch, watermark and head."""
    row = connection.exec_driver_sql(_WATERMARK).one()
    return Watermark(journal=row[0], epoch=row[1], seq=row[2], head_seq=row[3])


def queue_batch(connection: PinnedConnection, after_seq: int, entries_max: int, bytes_max: int) -> list[QueuedEntry]:
    """Return the entries after `after_seq` in order, up to a number and a size; at least one where there is one."""
    rows = connection.exec_driver_sql(
        "SELECT e.seq, e.bytes AS entry_bytes, e.hash, a.hash AS attachment_hash, a.sealed FROM entries e"
        " LEFT JOIN attachments a ON a.seq = e.seq WHERE e.seq > ? ORDER BY e.seq LIMIT ?",
        (after_seq, entries_max),
    )
    batch: list[QueuedEntry] = []
    size = 0
    for row in rows:
        entry = QueuedEntry._make(row)
        size += len(entry.entry_bytes) + 2 * len(entry.sealed or b"") + 200
        if batch and size > bytes_max:
            break
        batch.append(entry)
    return batch


def entry_at(connection: PinnedConnection, seq: int) -> Entry | None:
    """Return the entry at a position; None where it was pruned or never existed."""
    data = connection.exec_driver_sql("SELECT bytes FROM entries WHERE seq = ?", (seq,)).scalar()
    return None if data is None else decode_entry(data)


def entry_by_receipt(connection: PinnedConnection, key: ReceiptKey) -> Entry:
    """Return the sale or reversal recorded under a receipt key. Raises ReceiptUnknown."""
    row = find_receipt(connection, key)
    entry = None if row is None else entry_at(connection, row.seq)
    if entry is None:
        raise ReceiptUnknown(f"no receipt {key} is recorded at this terminal: check store, register, date and number")
    return entry


def find_receipt(connection: PinnedConnection, key: ReceiptKey) -> ReceiptRow | None:
    """Return what is kept under a receipt key."""
    row = connection.exec_driver_sql(
        "SELECT digest, entry_id, seq, points, points_redeemed FROM receipts WHERE key = ?", (_key_bytes(key),)
    ).one_or_none()
    if row is None:
        return None
    return ReceiptRow(
        digest=row.digest,
        entry_id=str(uuid.UUID(bytes=row.entry_id)),
        seq=row.seq,
        points=row.points,
        points_redeemed=row.points_redeemed,
    )


def recorded_before(transaction: Transaction, key: ReceiptKey, digest: bytes) -> ReceiptRow | None:
    """Return the earlier recording of the same request. Raises ReceiptConflict where the key holds another (Law 5)."""
    row = find_receipt(transaction.connection, key)
    if row is not None and row.digest != digest[:DIGEST_BYTES]:
        raise ReceiptConflict(
            f"receipt {key} is already recorded with other content (entry {row.entry_id}, {row.points:+d} points): "
            "use the next receipt number, or send exactly the first request again"
        )
    return row


def remember_receipt(
    transaction: Transaction, key: ReceiptKey, digest: bytes, entry: Entry, *, points: int, points_redeemed: int
) -> None:
    """Keep a receipt key with its request's digest for ever."""
    values: tuple[Any, ...] = (
        _key_bytes(key),
        digest[:DIGEST_BYTES],
        bytes.fromhex(entry.id.replace("-", "")),
        entry.seq,
        points,
        points_redeemed,
    )
    transaction.execute(
        "INSERT INTO receipts (key, digest, entry_id, seq, points, points_redeemed) VALUES (?, ?, ?, ?, ?, ?)", values
    )


def _key_bytes(key: ReceiptKey) -> bytes:
    ordinal = key.business_date.toordinal().to_bytes(3, "big")
    return ordinal + hashlib.sha256(dumps(key)).digest()[:DIGEST_BYTES]
