"""Where a member's fold can begin: the standings that earlier folds left, in the table of that name. Folds nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, select

from central_api.ledger.fold import Standing
from central_api.storage.schema import members
from central_api.storage.schema_ledger import standings
from central_api.storage.statements import among, given, insert_rows

__all__ = ["forget_standings", "keep_standings", "last_standings"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

_mine = standings.alias("mine")
_LAST_AT = (
    select(func.max(_mine.c.at))
    .where(_mine.c.tenant == members.c.tenant, _mine.c.member_id == members.c.member_id)
    .scalar_subquery()
)
_LAST = (
    select(standings)
    .join_from(
        members,
        standings,
        (standings.c.tenant == members.c.tenant)
        & (standings.c.member_id == members.c.member_id)
        & (standings.c.at == _LAST_AT),
    )
    .where(given(members.c.tenant), among(members.c.member_id))
)
_FORGET = delete(standings).where(
    given(standings.c.tenant, standings.c.member_id), standings.c.at >= bindparam("since", type_=standings.c.at.type)
)


def last_standings(connection: Connection, tenant: str, member_ids: Sequence[str]) -> dict[str, Standing]:
    """Return the last standing of those members who have any."""
    rows = connection.execute(_LAST, {"tenant": tenant, "member_id": member_ids})
    return {row.member_id: Standing(row.at, row.owed, row.expired, row.written_off, _opened(row.open)) for row in rows}


def forget_standings(connection: Connection, tenant: str, since: Mapping[str, datetime]) -> None:
    """Take away what members' standings say of an instant or later: something of then is new, or otherwise."""
    rows = [{"tenant": tenant, "member_id": name, "since": instant} for name, instant in sorted(since.items())]
    if rows:
        connection.execute(_FORGET, rows)


def keep_standings(connection: Connection, tenant: str, member_id: str, found: Sequence[Standing]) -> None:
    """Keep the standings that a fold left; all are later than the one that it began at."""
    rows = [{"tenant": tenant, "member_id": member_id, **one._asdict(), "open": _written(one.open)} for one in found]
    insert_rows(connection, standings, rows)


def _written(found: Sequence[tuple[datetime | None, int]]) -> str:
    dated = [[None if date is None else (date - EPOCH) // MILLISECOND, points] for date, points in found]
    return json.dumps(dated, separators=(",", ":"))


def _opened(text: str) -> tuple[tuple[datetime | None, int], ...]:
    return tuple((None if date is None else EPOCH + date * MILLISECOND, points) for date, points in json.loads(text))
