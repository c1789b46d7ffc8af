"""Judges a whole quarantine anew, in parts: a transaction for each, and on past an entry whose judging still breaks."""

from __future__ import annotations

import logging

from sqlalchemy import Connection

from central_api.bootstrap import Central
from central_api.commands.output import progress
from central_api.judging.quarantine import JUDGED_AT_ONCE_MAX, Judged, judge_anew, quarantined_places
from central_api.ledger.records import JudgingFailed, Place

__all__ = ["judge_quarantined"]

_log = logging.getLogger(__name__)


async def judge_quarantined(central: Central, tenant: str, name: str | None) -> list[Judged]:
    """Judge all anew, or the one of an id or `terminal/journal/seq`. Raises Refused `not-found`."""
    places = await central.database.read(lambda connection: quarantined_places(connection, tenant, name))
    judged: list[Judged] = []
    with progress("judging anew", len(places)) as advance:
        for start in range(0, len(places), JUDGED_AT_ONCE_MAX):
            judged += await _judge_part(central, tenant, places[start : start + JUDGED_AT_ONCE_MAX])
            advance(min(start + JUDGED_AT_ONCE_MAX, len(places)))
    return judged


async def _judge_part(central: Central, tenant: str, places: list[Place]) -> list[Judged]:
    set_aside: set[Place] = set()

    def work(connection: Connection) -> list[Judged]:
        return judge_anew(connection, central.capabilities, tenant, places, set_aside)

    while True:
        try:
            return await central.database.write(work)
        except JudgingFailed as failure:
            if failure.place in set_aside:
                raise
            _log.exception("%s; it stays quarantined", failure)
            set_aside.add(failure.place)
