"""What central holds of a journal: its watermark, and its entries with hash and outcome. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from central_api.capabilities import Capabilities
from central_api.storage.installation import epoch_of
from central_api.storage.schema import entries, journals
from central_api.storage.statements import given, select_row, select_rows
from central_api.terminals.terminals import Terminal
from loyalty_sdk.protocol import EntryOutcome, EntryPage, EntryRecord, JournalView

__all__ = [
    "entry_outcomes",
    "entry_page",
    "hash_at",
    "hashes_between",
    "journal_row",
    "journal_view",
    "watermark_of",
]

_JOURNAL = select(journals).where(given(journals.c.tenant, journals.c.terminal, journals.c.journal))
_ENTRIES = (
    select(
        entries.c.seq,
        entries.c.id,
        entries.c.id_claimed,
        entries.c.hash,
        entries.c.outcome,
        entries.c.reason,
        entries.c.points,
    )
    .where(given(entries.c.tenant, entries.c.terminal, entries.c.journal))
    .where(entries.c.seq.between(bindparam("first_seq"), bindparam("last_seq")))
    .order_by(entries.c.seq)
)


def journal_row(connection: Connection, terminal: Terminal, journal: str) -> Any:
    """Return the journal's row, None before its first upload."""
    return select_row(connection, _JOURNAL, _values(terminal, journal))


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
    return next(iter(hashes_between(connection, terminal, journal, seq, seq)), None)


def hashes_between(
    connection: Connection, terminal: Terminal, journal: str, first_seq: int, last_seq: int
) -> list[bytes]:
    """Return the chain hashes of the entries that central has of these, in order."""
    return [bytes(row.hash) for row in _rows(connection, terminal, journal, first_seq, last_seq)]


def _rows(connection: Connection, terminal: Terminal, journal: str, first_seq: int, last_seq: int) -> Sequence[Any]:
    values = _values(terminal, journal) | {"first_seq": first_seq, "last_seq": last_seq}
    return select_rows(connection, _ENTRIES, values)


def _values(terminal: Terminal, journal: str) -> dict[str, Any]:
    return {"tenant": terminal.tenant, "terminal": terminal.terminal, "journal": journal}
