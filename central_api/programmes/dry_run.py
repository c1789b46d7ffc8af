"""What the recorded sales would have earned by another programme. Reads page by page, and writes nothing.

Counts the applied sales of members as they were sold, each against the version that it names; what came back of them
later is not subtracted. How it counts is in `central_api.programmes.tally`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, tuple_

from central_api.capabilities import Capabilities
from central_api.problems import refuse
from central_api.programmes.tally import SoldSale, Tally
from central_api.programmes.versions import programmes_loaded
from central_api.storage.columns import Instant
from central_api.storage.schema import entries
from central_api.storage.statements import given
from loyalty_sdk.envelope import Entry, SaleBody, decode_entry
from loyalty_sdk.office import DryRunReport
from loyalty_sdk.programme import Programme, parse_programme

__all__ = ["DAYS_MAX", "SALES_BY_CALL_MAX", "SALES_MAX", "dry_run", "sale_count"]

DAYS_MAX = 366
SALES_MAX = 10_000_000
# What a server evaluates for one call beside everything else; a sale of ten lines takes a third of a millisecond.
SALES_BY_CALL_MAX = 20_000
# A server does nothing else while it evaluates a page.
ROWS_AT_ONCE = 100

_SALES = (
    given(entries.c.tenant),
    entries.c.member_id.is_not(None),
    entries.c.effective_at >= bindparam("since", type_=Instant),
    entries.c.kind == "sale",
    entries.c.outcome == "applied",
)
# Member by member, in the order of an index.
_ORDER = (entries.c.member_id, entries.c.effective_at, entries.c.id)
_COUNT = select(func.count()).select_from(entries).where(*_SALES)
_FIRST = select(*_ORDER, entries.c.terminal, entries.c.bytes).where(*_SALES).order_by(*_ORDER).limit(ROWS_AT_ONCE)
_LAST = tuple_(*(bindparam(f"last_{column.name}", type_=column.type) for column in _ORDER))
_NEXT = _FIRST.where(tuple_(*_ORDER) > _LAST)


def dry_run(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    document: bytes | str,
    days: int,
    advance: Callable[[int], None] = lambda done: None,
    *,
    sales_max: int = SALES_MAX,
) -> DryRunReport:
    """Evaluate the sales of the last `days` by a document; `advance` hears how many are done.

    Raises CodecError for a document that is wrong, Refused `invalid-request` for more days or sales than there may be.
    """
    programme = parse_programme(document)
    if not 1 <= days <= DAYS_MAX:
        raise refuse("invalid-request", f"days must be from 1 to {DAYS_MAX}, not {days}")
    now = capabilities.now()
    since = now - timedelta(days=days)
    if (count := sale_count(connection, tenant, since)) > sales_max:
        detail = f"there are {count} sales in {days} days, and {sales_max} are evaluated at once"
        raise refuse("invalid-request", f"{detail}; give fewer days, or run: loyalty-central programme dry-run")
    tally = Tally(programme)
    for done, sale in enumerate(islice(_sales(connection, tenant, since, now), count), start=1):
        tally.take(sale)
        if done % ROWS_AT_ONCE == 0 or done == count:
            advance(done)
    return tally.report(days, since)


def sale_count(connection: Connection, tenant: str, since: datetime) -> int:
    """Return how many sales of members a dry run has to evaluate."""
    return int(connection.execute(_COUNT, {"tenant": tenant, "since": since}).scalar_one())


def _sales(connection: Connection, tenant: str, since: datetime, now: datetime) -> Iterator[SoldSale]:
    versions: dict[int, Programme] = {}
    for row in _rows(connection, tenant, since):
        entry = decode_entry(row.bytes)
        if not isinstance(entry.body, SaleBody):
            raise ValueError(f"entry {row.id} is stored as a sale and is none; run: loyalty-central verify")
        if entry.programme_version is not None and entry.programme_version not in versions:
            versions |= programmes_loaded(connection, tenant, [entry.programme_version], now)
        yield SoldSale(
            entry_id=row.id,
            terminal=row.terminal,
            member_id=row.member_id,
            effective_at=row.effective_at,
            body=entry.body,
            programme=_programme(entry, versions),
        )


def _programme(entry: Entry, versions: dict[int, Programme]) -> Programme | None:
    return None if entry.programme_version is None else versions[entry.programme_version]


def _rows(connection: Connection, tenant: str, since: datetime) -> Iterator[Any]:
    values: dict[str, Any] = {"tenant": tenant, "since": since}
    page = connection.execute(_FIRST, values).all()
    while page:
        yield from page
        last = {f"last_{column.name}": getattr(page[-1], column.name) for column in _ORDER}
        page = connection.execute(_NEXT, values | last).all()
