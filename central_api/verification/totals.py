"""Verifies that the programme's totals by day, folded or not, are the sums of all its transfers."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from central_api.ledger.totals import DAY_FIRST, DAY_LAST, moved_totals
from central_api.storage.schema import transfers
from central_api.storage.statements import total
from central_api.verification.differences import Differences

__all__ = ["verify_totals"]

Figures = dict[tuple[str, str, str], tuple[int, int]]


def verify_totals(connection: Connection, tenant: str, differences: Differences) -> None:
    """Compare points and number of the transfers of each day between two accounts with what is kept of them."""
    stored = {
        (one.day.isoformat(), one.from_account, one.to_account): (one.points, one.transfers)
        for one in moved_totals(connection, tenant, DAY_FIRST, DAY_LAST)
    }
    computed = _of_transfers(connection, tenant)
    for key in sorted(stored.keys() | computed.keys()):
        day, source, target = key
        where = f"{day} from {source} to {target}"
        points, count = stored.get(key, (0, 0))
        differences.compare("total points", where, points, computed.get(key, (0, 0))[0])
        differences.compare("total transfers", where, count, computed.get(key, (0, 0))[1])


def _of_transfers(connection: Connection, tenant: str) -> Figures:
    # A time is kept as text that begins with its day in UTC.
    day = func.substr(transfers.c.recorded_at, 1, 10).label("day")
    names = (day, transfers.c.from_account, transfers.c.to_account)
    query = select(*names, total(transfers.c.points).label("points"), func.count().label("transfers"))
    rows = connection.execute(query.where(transfers.c.tenant == tenant).group_by(*names))
    return {(row.day, row.from_account, row.to_account): (row.points, row.transfers) for row in rows}
