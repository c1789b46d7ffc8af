"""Verifies a tenant's ledger: chains, balances from their transfers, outcomes and balances from the entries.

Reads one state of the database and writes nothing to it. What is judged again is in `judging_again.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Row, create_engine, event, func, select

from central_api.capabilities import Capabilities
from central_api.differences import Difference, Differences
from central_api.judging_again import Scratch
from central_api.schema import balances, entries, metadata, reservations, transfers
from central_api.statements import total
from central_api.verify_chains import verify_chains
from central_api.verify_sums import member_page, verify_sums

__all__ = ["Verification", "entry_count", "verify_tenant"]

OUTCOME_COLUMNS = ("outcome", "points", "member_id", "effective_at")
# A signed figure: what is owed counts as less.
NET = ("available", "pending", "owed")


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
        members = _verify_members(connection, scratch, tenant, differences)
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


def _verify_members(connection: Connection, scratch: Scratch, tenant: str, differences: Differences) -> int:
    count, last = 0, ""
    while page := member_page(connection, tenant, last):
        verify_sums(connection, tenant, page, differences)
        _verify_figures(connection, scratch, tenant, page, differences)
        count, last = count + len(page), page[-1]
    return count


def _verify_figures(
    connection: Connection, scratch: Scratch, tenant: str, page: Sequence[str], differences: Differences
) -> None:
    """Compare net and reserved points with those of the entries and of what people decided."""
    stored, judged = _figures(connection, tenant, page), _figures(scratch.connection, tenant, page)
    decided = _decided(connection, tenant, page)
    for member in page:
        for number, name in enumerate(("balance from entries", "reserved from entries")):
            computed = judged[member][number] + decided[member][number]
            differences.compare(name, f"member {member}", stored[member][number], computed)


def _figures(connection: Connection, tenant: str, page: Sequence[str]) -> dict[str, list[int]]:
    """[available + pending - owed, reserved] of each member."""
    found = {member: [0, 0] for member in page}
    mine = (balances.c.tenant == tenant) & balances.c.member_id.in_(page)
    for row in connection.execute(select(balances).where(mine)):
        found[row.member_id][0] = row.available + row.pending - row.owed
    query = select(reservations.c.member_id, total(reservations.c.points).label("points")).where(
        reservations.c.tenant == tenant, reservations.c.member_id.in_(page)
    )
    for row in connection.execute(query.group_by(reservations.c.member_id)):
        found[row.member_id][1] = row.points
    return found


def _decided(connection: Connection, tenant: str, page: Sequence[str]) -> dict[str, list[int]]:
    """What moved by no entry and no grant: people wrote off, or gave points by hand."""
    found = {member: [0, 0] for member in page}
    query = select(transfers).where(
        transfers.c.tenant == tenant,
        transfers.c.member_id.in_(page),
        transfers.c.entry_id.is_(None),
        transfers.c.to_account != "reserved",
    )
    for row in connection.execute(query):
        for account, points in ((row.to_account, row.points), (row.from_account, -row.points)):
            if account in (*NET, "reserved"):
                found[row.member_id][account == "reserved"] += points
    return found
