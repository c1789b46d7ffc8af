"""Verifies Law 3 from the bytes: every journal dense from 1, each hash over the one before, the watermark its last.

Where a terminal has said that entries are lost for good, the chain begins again after the gap.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from central_api.storage.schema import entries, gaps, journals
from central_api.verification.differences import Differences
from loyalty_sdk.envelope import chain_hash

__all__ = ["verify_chains"]

ENTRIES_AT_ONCE = 1_000


def verify_chains(connection: Connection, tenant: str, differences: Differences) -> int:
    """Recompute the chain of every journal of a tenant. Returns how many journals there are."""
    query = select(journals).where(journals.c.tenant == tenant).order_by(journals.c.terminal, journals.c.journal)
    found = list(connection.execute(query))
    for journal in found:
        _verify_chain(connection, journal, differences)
    return len(found)


def _verify_chain(connection: Connection, journal: Row[Any], differences: Differences) -> None:
    lost = _gaps(connection, journal)
    where, seq, digest = f"{journal.terminal}/{journal.journal}", 0, bytes(journal.first_hash)
    while rows := _after(connection, journal, seq):
        for row in rows:
            begins_anew = seq + 1 in lost
            seq = lost.get(seq + 1, seq) + 1
            digest = bytes(row.hash) if begins_anew else chain_hash(digest, row.bytes)
            if (row.seq, row.hash) != (seq, digest):
                differences.compare("chain", f"{where}/{seq}", _link(row.seq, row.hash), _link(seq, digest))
                return
    if seq + 1 in lost:
        seq, digest = lost[seq + 1], bytes(journal.watermark_hash)
    differences.compare("watermark", where, _link(journal.watermark, journal.watermark_hash), _link(seq, digest))


def _gaps(connection: Connection, journal: Row[Any]) -> dict[int, int]:
    """The first and last seq of what is lost."""
    query = select(gaps.c.first_seq, gaps.c.last_seq).where(
        gaps.c.tenant == journal.tenant, gaps.c.terminal == journal.terminal, gaps.c.journal == journal.journal
    )
    return {row.first_seq: row.last_seq for row in connection.execute(query)}


def _after(connection: Connection, journal: Row[Any], seq: int) -> list[Row[Any]]:
    query = select(entries.c.seq, entries.c.bytes, entries.c.hash).where(
        entries.c.tenant == journal.tenant,
        entries.c.terminal == journal.terminal,
        entries.c.journal == journal.journal,
        entries.c.seq > seq,
    )
    return list(connection.execute(query.order_by(entries.c.seq).limit(ENTRIES_AT_ONCE)))


def _link(seq: int, digest: bytes) -> str:
    return f"{seq} {bytes(digest).hex()}"
