"""The whole programme's figures by day, kept apart from the ledger so that no row is shared by those who book.

A transaction that books leaves its sums as rows of its own (`note_transfers`), and a job adds them to the day's totals
(`fold_totals`). What is read (`daily_totals`) is both together: equal to the transfers at any moment, whether the job
runs or not. A day is that of booking, in UTC, so that the figures of a day that is over stay what they are: a late
entry counts on the day on which central booked it. Decides nothing, and books nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, union_all

from central_api.problems import refuse
from central_api.storage.schema_office import total_parts, totals
from central_api.storage.statements import insert_rows, total, upsert_rows

__all__ = [
    "DAYS_MAX",
    "DAY_FIRST",
    "DAY_LAST",
    "PARTS_AT_ONCE",
    "DayTotals",
    "MovedTotals",
    "check_days",
    "count_parts",
    "daily_totals",
    "fold_totals",
    "moved_totals",
    "note_transfers",
]

PARTS_AT_ONCE = 500
DAYS_MAX = 3_660
# Before the first and after the last of these nothing is ever booked.
DAY_FIRST, DAY_LAST = date(1, 1, 2), date.max
# What the programme owes its members. `owed` is theirs, and below 0 while they owe.
MEMBERS_ACCOUNTS = frozenset({"available", "pending", "reserved", "owed"})

# (day, from, to) -> (points, transfers)
Sums = dict[tuple[str, str, str], tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotals:
    """One day of the whole programme, in points: what was booked on it, and what is outstanding at its end.

    `issued` is net of what returns took back, `redeemed` and `expired` of what came back; `offline_loss` is what
    terminals spent beyond their grants and people wrote off. `outstanding` is what members have (available, pending and
    reserved) less what they owe, always that of the day before + issued - redeemed - expired + offline_loss.
    """

    day: date
    issued: int
    redeemed: int
    expired: int
    offline_loss: int
    outstanding: int
    transfers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedTotals:
    """The whole programme's points of one day from one account to another, over that many transfers."""

    day: date
    from_account: str
    to_account: str
    points: int
    transfers: int


def note_transfers(connection: Connection, transfers: Sequence[Mapping[str, Any]]) -> None:
    """Leave the sums of a transaction's transfers, rows of the table `transfers`, for the job."""
    if not transfers:
        return
    first = transfers[0]
    points: Counter[tuple[str, str]] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    for row in transfers:
        accounts = (row["from_account"], row["to_account"])
        points[accounts] += row["points"]
        counts[accounts] += 1
    key = {"tenant": first["tenant"], "transfer_id": first["id"], "day": _day(first["recorded_at"])}
    insert_rows(
        connection,
        total_parts,
        [
            key | {"from_account": source, "to_account": target, "points": moved, "transfers": counts[source, target]}
            for (source, target), moved in points.items()
        ],
    )


def count_parts(connection: Connection, tenant: str) -> int:
    """Return how many parts wait for the job."""
    query = select(func.count()).select_from(total_parts).where(total_parts.c.tenant == tenant)
    return int(connection.execute(query).scalar_one())


def fold_totals(connection: Connection, tenant: str, limit: int = PARTS_AT_ONCE) -> int:
    """Add at most `limit` parts to their days, and delete them. Returns how many.

    Only one may fold a tenant's totals at a time: the lease of the job sees to that.
    """
    taken = _taken_parts(connection, tenant, limit)
    if not taken:
        return 0
    added = _summed(taken)
    days = {day for day, _, _ in added}
    query = select(totals).where(totals.c.tenant == tenant, totals.c.day.in_(days))
    summed = _summed([*taken, *(row for row in connection.execute(query) if _key(row) in added)])
    upsert_rows(
        connection,
        totals,
        [
            {
                "tenant": tenant,
                "day": day,
                "from_account": source,
                "to_account": target,
                "points": points,
                "transfers": transfers,
            }
            for (day, source, target), (points, transfers) in sorted(summed.items())
        ],
    )
    return len(taken)


def daily_totals(connection: Connection, tenant: str, first: date, last: date) -> list[DayTotals]:
    """Return every day from `first` to `last`, also those on which nothing was booked.

    Raises Refused `invalid-request` for more than DAYS_MAX days or none.
    """
    days = check_days(first, last)
    outstanding = sum(
        _outstanding(source, target, points)
        for (_, source, target), (points, _) in _sums(connection, tenant, date.min, first - timedelta(days=1)).items()
    )
    found = _sums(connection, tenant, first, last)
    by_day: dict[str, list[tuple[str, str, int, int]]] = {}
    for (day, source, target), (points, transfers) in found.items():
        by_day.setdefault(day, []).append((source, target, points, transfers))
    return list(_days(first, days, by_day, outstanding))


def check_days(first: date, last: date) -> int:
    """Return how many days these are. Raises Refused `invalid-request` for more than DAYS_MAX days or none."""
    days = (last - first).days + 1
    if not 0 < days <= DAYS_MAX or first < DAY_FIRST:
        raise refuse(
            "invalid-request", f"name from 1 to {DAYS_MAX} days by the first and the last, not {first} to {last}"
        )
    return days


def moved_totals(connection: Connection, tenant: str, first: date, last: date) -> list[MovedTotals]:
    """Return what was booked from `first` to `last`, by day and accounts, in their order."""
    return [
        MovedTotals(
            day=date.fromisoformat(day), from_account=source, to_account=target, points=points, transfers=transfers
        )
        for (day, source, target), (points, transfers) in sorted(_sums(connection, tenant, first, last).items())
    ]


def _days(
    first: date, days: int, by_day: Mapping[str, Sequence[tuple[str, str, int, int]]], outstanding: int
) -> Iterator[DayTotals]:
    for number in range(days):
        day = first + timedelta(days=number)
        moved = by_day.get(day.isoformat(), ())
        came: Counter[str] = Counter()
        for source, target, points, _ in moved:
            came[target] += points
            came[source] -= points
        outstanding += sum(came[account] for account in MEMBERS_ACCOUNTS)
        yield DayTotals(
            day=day,
            issued=-came["issued"],
            redeemed=came["redeemed"],
            expired=came["expired"],
            offline_loss=-came["offline_loss"],
            outstanding=outstanding,
            transfers=sum(transfers for _, _, _, transfers in moved),
        )


def _taken_parts(connection: Connection, tenant: str, limit: int) -> list[Row[Any]]:
    """Delete parts and return them, in one statement: a part that arrives meanwhile is not among them."""
    mine = total_parts.c.tenant == tenant
    first = select(total_parts.c.transfer_id).where(mine).distinct().order_by(total_parts.c.transfer_id).limit(limit)
    statement = delete(total_parts).where(mine, total_parts.c.transfer_id.in_(first)).returning(total_parts)
    return list(connection.execute(statement))


def _sums(connection: Connection, tenant: str, first: date, last: date) -> Sums:
    """What was booked on these days, whether it is folded or not."""

    def of(table: Any) -> Any:
        query = select(table.c.day, table.c.from_account, table.c.to_account, table.c.points, table.c.transfers)
        # PostgreSQL takes no text with a collation in BETWEEN.
        day = table.c.day
        return query.where(table.c.tenant == tenant, day >= first.isoformat(), day <= last.isoformat())

    both = union_all(of(totals), of(total_parts)).subquery()
    names = (both.c.day, both.c.from_account, both.c.to_account)
    query = select(*names, total(both.c.points).label("points"), total(both.c.transfers).label("transfers"))
    return _summed(connection.execute(query.group_by(*names)))


def _summed(rows: Iterable[Row[Any]]) -> Sums:
    found: Sums = {}
    for row in rows:
        points, transfers = found.get(_key(row), (0, 0))
        found[_key(row)] = (points + row.points, transfers + row.transfers)
    return found


def _key(row: Row[Any]) -> tuple[str, str, str]:
    return (row.day, row.from_account, row.to_account)


def _outstanding(source: str, target: str, points: int) -> int:
    return points * ((target in MEMBERS_ACCOUNTS) - (source in MEMBERS_ACCOUNTS))


def _day(recorded_at: Any) -> str:
    return str(recorded_at.astimezone(UTC).date().isoformat())
