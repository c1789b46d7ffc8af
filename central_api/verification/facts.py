"""Verifies lots and balances: the fold of what the entries give and of what people decided, against what is stored.

One page of members at a time. The entries were judged again into a scratch ledger; its own balances are not looked at,
only its lots and debits, and what it holds as reserved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from central_api.ledger.facts import MemberFacts
from central_api.ledger.fold import Debit, Lot
from central_api.storage.schema import balances, reservations
from central_api.storage.schema_ledger import debits, decisions, lots, settlements
from central_api.storage.statements import total
from central_api.verification.differences import Differences

__all__ = ["verify_facts"]

# What no entry gives, but a person.
DECIDED = ("adjustment", "write_off")
# Instants are kept to the millisecond.
JUST_BEFORE = timedelta(milliseconds=1)

Rows = dict[str, dict[str, Row[Any]]]


def verify_facts(
    stored: Connection,
    scratch: Connection,
    tenant: str,
    page: Sequence[str],
    now: datetime,
    differences: Differences,
) -> None:
    """Compare a page of members with the scratch ledger: lots, debits, decisions, and every figure of the fold."""
    computed = _Facts(scratch, tenant, page)
    kept = _Facts(stored, tenant, page)
    decided = _by_member(stored, decisions, "decision_id", tenant, page)
    figures = _Figures(stored, tenant, page, now, differences)
    for member in page:
        _compare_entries(member, kept, computed, differences)
        _compare_decisions(member, kept, decided[member], differences)
        facts = MemberFacts(
            [_lot(row) for row in computed.lots[member].values()],
            [_debit(row) for row in computed.debits[member].values()],
            [row.earned_at for row in computed.lots[member].values()],
        )
        facts.times.extend(row.effective_at for row in computed.debits[member].values())
        _add_decided(facts, decided[member].values(), kept.lots[member])
        figures.compare(member, facts)
    _compare_reserved(stored, scratch, tenant, page, differences)


class _Facts:
    """Rows of lots and debits by member and id."""

    def __init__(self, connection: Connection, tenant: str, page: Sequence[str]) -> None:
        self.lots = _by_member(connection, lots, "lot_id", tenant, page)
        self.debits = _by_member(connection, debits, "debit_id", tenant, page)


def _by_member(connection: Connection, table: Table, name: str, tenant: str, page: Sequence[str]) -> Rows:
    found: Rows = {member: {} for member in page}
    for row in connection.execute(_of(table, tenant, page)):
        found[row.member_id][getattr(row, name)] = row
    return found


def _compare_entries(member: str, kept: _Facts, computed: _Facts, differences: Differences) -> None:
    for what, theirs, ours, said in (
        ("lot", kept.lots[member], computed.lots[member], _lot_said),
        ("debit", kept.debits[member], computed.debits[member], _debit_said),
    ):
        of_entries = {name for name, row in theirs.items() if row.kind not in DECIDED}
        for name in sorted(of_entries | ours.keys()):
            where = f"{what} {name} of member {member}"
            differences.compare(what, where, _said(theirs.get(name), said), _said(ours.get(name), said))


def _said(row: Row[Any] | None, said: Callable[[Row[Any]], str]) -> str:
    return "none" if row is None else said(row)


def _lot_said(row: Row[Any]) -> str:
    return f"{row.points} from {row.available_at} to {row.expires_at}"


def _debit_said(row: Row[Any]) -> str:
    return f"{row.points} at {row.effective_at}"


def _compare_decisions(member: str, kept: _Facts, decided: Mapping[str, Row[Any]], differences: Differences) -> None:
    facts = {name: f"{row.points} at {row.available_at}" for name, row in kept.lots[member].items() if _is_decided(row)}
    for name, row in kept.debits[member].items():
        if _is_decided(row):
            facts[name] = f"{row.points if row.kind == 'write_off' else -row.points} at {row.effective_at}"
    for name in sorted(facts.keys() | decided.keys()):
        said = f"{decided[name].points} at {decided[name].decided_at}" if name in decided else "none"
        differences.compare("decision", f"decision {name} of member {member}", facts.get(name, "none"), said)


def _is_decided(row: Row[Any]) -> bool:
    return row.kind in DECIDED


def _add_decided(facts: MemberFacts, decided: Iterable[Row[Any]], kept: Mapping[str, Row[Any]]) -> None:
    """Add what people decided; the date at which a gift expires is nowhere but in its lot."""
    for row in decided:
        facts.times.append(row.decided_at)
        if row.kind == "adjustment" and row.points > 0:
            expires_at = kept[row.decision_id].expires_at if row.decision_id in kept else None
            facts.lots.append(Lot(row.decision_id, row.points, row.decided_at, expires_at))
        else:
            is_write_off = row.kind == "write_off"
            facts.debits.append(Debit(row.decision_id, abs(row.points), row.decided_at, is_write_off))


class _Figures:
    """The stored figures of a page of members."""

    def __init__(
        self, stored: Connection, tenant: str, page: Sequence[str], now: datetime, differences: Differences
    ) -> None:
        self._accounts = {row.member_id: row for row in stored.execute(_of(balances, tenant, page))}
        self._settled = {row.member_id: row for row in stored.execute(_of(settlements, tenant, page))}
        self._now = now
        self._differences = differences

    def compare(self, member: str, facts: MemberFacts) -> None:
        """Compare with the fold. An account is booked up to what is due next: what time did since is no difference."""
        settlement = self._settled.get(member)
        next_due_at = None if settlement is None else settlement.next_due_at
        settled_at = None if settlement is None else settlement.settled_at
        at = self._now if next_due_at is None else next_due_at - JUST_BEFORE
        folded = facts.folded(at if settled_at is None else max(at, settled_at))
        for name in folded.figures._fields:
            row = settlement if name in ("expired", "written_off") else self._accounts.get(member)
            computed = getattr(folded.figures, name)
            self._differences.compare(f"{name} from entries", f"member {member}", getattr(row, name, 0), computed)
        if next_due_at is None:
            self._differences.compare("next due", f"member {member}", next_due_at, folded.next_due_at)


def _lot(row: Row[Any]) -> Lot:
    return Lot(row.lot_id, row.points, row.available_at, row.expires_at)


def _debit(row: Row[Any]) -> Debit:
    return Debit(row.debit_id, row.points, row.effective_at, row.kind == "write_off")


def _compare_reserved(
    stored: Connection, scratch: Connection, tenant: str, page: Sequence[str], differences: Differences
) -> None:
    kept, computed = _reserved(stored, tenant, page), _reserved(scratch, tenant, page)
    for member in page:
        differences.compare("reserved from entries", f"member {member}", kept.get(member, 0), computed.get(member, 0))


def _reserved(connection: Connection, tenant: str, page: Sequence[str]) -> dict[str, int]:
    points = total(reservations.c.points).label("points")
    query = select(reservations.c.member_id, points).where(
        reservations.c.tenant == tenant, reservations.c.member_id.in_(page)
    )
    return {row.member_id: row.points for row in connection.execute(query.group_by(reservations.c.member_id))}


def _of(table: Table, tenant: str, page: Sequence[str]) -> Any:
    return select(table).where(table.c.tenant == tenant, table.c.member_id.in_(page))
