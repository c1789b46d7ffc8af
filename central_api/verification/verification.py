"""Verifies a tenant's ledger: chains, balances and totals from transfers; outcomes, lots and balances from entries.

Reads one state of the database and writes nothing to it. What is judged again is in `judging_again.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Row, create_engine, event, func, select

from central_api.capabilities import Capabilities
from central_api.judging.judging_again import Scratch
from central_api.storage.schema import entries
from central_api.storage.schema_office import metadata
from central_api.verification.chains import verify_chains
from central_api.verification.differences import Difference, Differences
from central_api.verification.facts import verify_facts
from central_api.verification.sums import member_page, verify_sums
from central_api.verification.totals import verify_totals

__all__ = ["Verification", "entry_count", "verify_tenant"]

OUTCOME_COLUMNS = ("outcome", "points", "member_id", "effective_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was verified, and how much of it is stored otherwise than it is computed; `shown` are the first of these."""

    tenant: str
    journals: int
    entries: int
    members: int
    differences: int
    shown: tuple[Difference, ...]


def entry_count(connection: Connection, tenant: str) -> int:
    """Return how many entries a tenant has."""
    query = select(func.count()).select_from(entries).where(entries.c.tenant == tenant)
    return int(connection.execute(query).scalar_one())


def verify_tenant(
    connection: Connection, capabilities: Capabilities, tenant: str, advance: Callable[[int], None]
) -> Verification:
    """Verify all that is stored of a tenant; `advance` hears how many entries were judged again."""
    differences = Differences()
    journals = verify_chains(connection, tenant, differences)
    with _scratch_database() as made:
        scratch = Scratch(connection, made, capabilities, tenant)
        scratch.take()
        scratch.judge_all(advance)
        judged = _verify_outcomes(connection, scratch, differences)
        members = _verify_members(connection, scratch, tenant, capabilities.now(), differences)
    verify_totals(connection, tenant, differences)
    return Verification(
        tenant=tenant,
        journals=journals,
        entries=judged,
        members=members,
        differences=differences.count,
        shown=tuple(differences.kept),
    )


@contextmanager
def _scratch_database() -> Iterator[Connection]:
    """A file that nobody needs after a power cut: it may be as large as the ledger, which memory may not hold."""
    with TemporaryDirectory(prefix="loyalty-verify-") as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'scratch.db'}")

        @event.listens_for(engine, "connect")
        def on_connect(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")

        with engine.begin() as connection:
            metadata.create_all(connection)
            yield connection
        engine.dispose()


def _verify_outcomes(connection: Connection, scratch: Scratch, differences: Differences) -> int:
    """Compare what is stored of every entry with what was judged. Returns how many there are."""
    stored = chain.from_iterable(scratch.pages(connection, entries))
    judged = chain.from_iterable(scratch.pages(scratch.connection, entries))
    count = 0
    for row, again in zip_longest(stored, judged):
        count += 1
        where = f"entry {row.terminal}/{row.journal}/{row.seq}"
        for name in OUTCOME_COLUMNS:
            differences.compare(name, where, _said(row, name), _said(again, name))
    return count


def _said(row: Row[Any], name: str) -> object:
    """A figure, or an outcome with its reason where there is one."""
    if name == "outcome" and row.outcome != "applied":
        return f"{row.outcome}: {row.reason}"
    return getattr(row, name)


def _verify_members(
    connection: Connection, scratch: Scratch, tenant: str, now: datetime, differences: Differences
) -> int:
    count, last = 0, ""
    while page := member_page(connection, tenant, last):
        verify_sums(connection, tenant, page, differences)
        verify_facts(connection, scratch.connection, tenant, page, now, differences)
        count, last = count + len(page), page[-1]
    return count
