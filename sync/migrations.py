"""Bringing a database of an older release up to date: ordered steps, each in one transaction with its version number.

A kill between steps leaves a database of a version in between, from which the next start goes on. Entries are never
touched: their bytes are what central was sent.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sync.schema import SCHEMA_VERSION

__all__ = ["MIGRATIONS", "migrate"]

# What turns version n into n + 1; released steps are never changed.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        "CREATE TABLE acknowledgements (watermark INTEGER PRIMARY KEY, acknowledged_at TEXT NOT NULL) STRICT",
        "DROP INDEX entries_by_member",
        "CREATE INDEX entries_by_member ON entries (member_id, seq, points) WHERE member_id IS NOT NULL",
        "CREATE INDEX entries_closing_grants ON entries (seq) WHERE kind = 'grant_closed'",
        "ALTER TABLE grants ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE receipts ADD COLUMN points_redeemed INTEGER NOT NULL DEFAULT 0",
        # A retry after the entry was pruned is answered from here.
        """UPDATE receipts SET points_redeemed = (
            SELECT coalesce(
                json_extract(CAST(e.bytes AS TEXT), '$.body.redemption.points'),
                json_extract(CAST(e.bytes AS TEXT), '$.body.points_credited'),
                0)
            FROM entries e WHERE e.seq = receipts.seq)
        WHERE seq IN (
            SELECT seq FROM entries WHERE kind = 'reversal' OR instr(bytes, CAST('"redemption":{' AS BLOB)) > 0)""",
        # The points of a card that the till did not know were told too.
        """UPDATE receipts SET points = (
            SELECT json_extract(CAST(e.bytes AS TEXT), '$.body.points_earned')
            FROM entries e WHERE e.seq = receipts.seq)
        WHERE seq IN (
            SELECT seq FROM entries WHERE kind = 'sale' AND member_id IS NULL
            AND json_extract(CAST(bytes AS TEXT), '$.attachment_hash') IS NOT NULL)""",
    ),
}


def migrate(connection: Connection, version: int) -> None:
    """Run every step from `version` to this release's; the connection begins each transaction itself."""
    for step in range(version, SCHEMA_VERSION):
        with connection.begin():
            for statement in MIGRATIONS[step]:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"PRAGMA user_version = {step + 1}")
