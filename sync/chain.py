"""Whether every entry of the journal continues the one before: what SQLite cannot see, and central would (Law 3)."""

from __future__ import annotations

from loyalty_sdk.codec import CodecError
from loyalty_sdk.envelope import JournalOpenedBody, chain_hash, first_hash
from loyalty_sdk.errors import LoyaltyError
from sync.database import Database
from sync.journal import entry_at
from sync.statements import PinnedConnection

__all__ = ["is_chained"]

ROWS_MAX = 1_000
AFTER = "SELECT seq, bytes, hash FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"


def is_chained(database: Database) -> bool:
    """Whether the chain holds from the floor to the head; read in parts, so that no reader holds up a checkpoint."""
    seq, before = 0, b""
    while True:
        with database.reading() as connection:
            rows = connection.exec_driver_sql(AFTER, (seq, ROWS_MAX)).all()
            if rows and (seq == 0 or rows[0].seq != seq + 1):  # At the start, and where pruning overtook us.
                before = _floor_hash(connection)
        if not rows:
            return True
        for row in rows:
            if chain_hash(before, row.bytes) != row.hash:
                return False
            seq, before = row.seq, row.hash


def _floor_hash(connection: PinnedConnection) -> bytes:
    """The hash before the first entry that is here; nothing where that entry cannot be read."""
    facts: dict[str, str] = dict(connection.exec_driver_sql("SELECT name, value FROM meta").all())
    try:
        if "floor_hash" in facts:
            return bytes.fromhex(facts["floor_hash"])
        opened = entry_at(connection, 1)
        previous = opened.body.previous_hash if opened and isinstance(opened.body, JournalOpenedBody) else None
        return first_hash(facts["terminal"], facts["journal"], bytes.fromhex(previous or ""))
    except (CodecError, LoyaltyError, ValueError):
        return b""
