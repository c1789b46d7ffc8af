"""What central holds of a journal: its watermark, and its entries with hash and outcome. Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from central_api.capabilities import Capabilities
from central_api.installation import epoch_of
from central_api.schema import entries, journals
from central_api.terminals import Terminal
from loyalty_sdk.protocol import EntryOutcome, EntryPage, EntryRecord, JournalView

__all__ = ["entry_outcomes", "entry_page", "hash_at", "journal_row", "journal_view", "watermark_of"]


def journal_row(connection: Connection, terminal: Terminal, journal: str) -> Row[Any] | None:
    """Return the journal's row, None before its first upload."""
    query = select(journals).where(
        journals.c.tenant == terminal.tenant,
        journals.c.terminal == terminal.terminal,
        journals.c.journal == journal,
    )
    return connection.execute(query).first()


def watermark_of(connection: Connection, terminal: Terminal, journal: str) -> tuple[int, bytes]:
    """Return the seq up to which central holds the journal whole, and its hash; (0, empty) for nothing."""
    row = journal_row(connection, terminal, journal)
    return (0, b"") if row is None else (row.watermark, row.watermark_hash)


def journal_view(connection: Connection, capabilities: Capabilities, terminal: Terminal, journal: str) -> JournalView:
    """Answer GET /v1/journals/{journal}."""
    watermark, watermark_hash = watermark_of(connection, terminal, journal)
    return JournalView(
        epoch=epoch_of(connection),
        journal=journal,
        watermark=watermark,
        watermark_hash=watermark_hash.hex(),
        central_time=capabilities.now(),
    )


def entry_page(connection: Connection, terminal: Terminal, journal: str, after: int, limit: int) -> EntryPage:
    """Answer GET /v1/journals/{journal}/entries: at most `limit` entries after seq `after`."""
    rows = _rows(connection, terminal, journal, after + 1, after + limit + 1)
    found = [
        EntryRecord(
            seq=row.seq, id=row.id or row.id_claimed, hash=row.hash.hex(), outcome=row.outcome, reason=row.reason
        )
        for row in rows
    ]
    return EntryPage(entries=tuple(found[:limit]), more=len(found) > limit)


def entry_outcomes(
    connection: Connection, terminal: Terminal, journal: str, first_seq: int, last_seq: int
) -> list[EntryOutcome]:
    """Return what central made of entries that it already has."""
    return [
        EntryOutcome(
            seq=row.seq, id=row.id or row.id_claimed, outcome=row.outcome, reason=row.reason, points=row.points
        )
        for row in _rows(connection, terminal, journal, first_seq, last_seq)
    ]


def hash_at(connection: Connection, terminal: Terminal, journal: str, seq: int) -> bytes | None:
    """Return the chain hash of one entry, None where central does not have it."""
    row = next(iter(_rows(connection, terminal, journal, seq, seq)), None)
    return None if row is None else bytes(row.hash)


def _rows(connection: Connection, terminal: Terminal, journal: str, first_seq: int, last_seq: int) -> list[Row[Any]]:
    columns = (entries.c.seq, entries.c.id, entries.c.id_claimed, entries.c.hash)
    query = (
        select(*columns, entries.c.outcome, entries.c.reason, entries.c.points)
        .where(
            entries.c.tenant == terminal.tenant,
            entries.c.terminal == terminal.terminal,
            entries.c.journal == journal,
            entries.c.seq.between(first_seq, last_seq),
        )
        .order_by(entries.c.seq)
    )
    return list(connection.execute(query))
