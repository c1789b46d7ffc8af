"""Gives members of a central that is measured a past: lots that mature while it runs, and lots that expire. By rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bench.central_site import TENANT
from central_api.storage.database import open_database
from central_api.storage.schema import balances
from central_api.storage.schema_ledger import lots, settlements
from central_api.storage.statements import insert_rows

__all__ = ["EXPIRY_DAYS", "give_lots"]

EXPIRY_DAYS = 365
POINTS = 100
# One matures in each of the next seconds, so that each upload finds something due.
PENDING = 3_600


async def give_lots(url: str, member: str, past: int) -> None:
    """Give a member `past` lots, evenly over two years, half of which have expired; and PENDING ones to come."""
    now = datetime.now(UTC)
    times = [now - timedelta(days=2 * EXPIRY_DAYS) * (number / past) for number in range(past, 0, -1)]
    times += [now + timedelta(seconds=number) for number in range(PENDING)]
    rows = [_lot(member, number, at) for number, at in enumerate(times)]
    row = {"tenant": TENANT, "member_id": member}
    database = open_database(url)
    try:
        await database.write(lambda connection: insert_rows(connection, lots, rows))
        account = row | {"available": 0, "pending": POINTS * len(rows), "owed": 0}
        await database.write(lambda connection: insert_rows(connection, balances, [account]))
        due = row | {"next_due_at": times[0], "settled_at": None}
        await database.write(lambda connection: insert_rows(connection, settlements, [due]))
    finally:
        await database.close()


def _lot(member: str, number: int, at: datetime) -> dict[str, Any]:
    """A lot that expires at the midnight after a year, as the programme's do."""
    last = (at + timedelta(days=EXPIRY_DAYS + 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "tenant": TENANT,
        "member_id": member,
        "lot_id": f"{member}/{number}",
        "kind": "sale",
        "points": POINTS,
        "earned_at": at,
        "available_at": at,
        "expires_at": last,
    }
