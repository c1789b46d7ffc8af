"""Judging that goes on past an entry whose judge breaks: the transaction comes again with that entry set aside (Law 6).

Decides nothing else: how an entry that is set aside is kept is for `central_api.judging.sitting`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Set
from typing import TypeVar

from sqlalchemy import Connection

from central_api.ledger.records import JudgingFailed, Place
from central_api.storage.database import Database

__all__ = ["SET_ASIDE_MAX", "write_setting_aside"]

SET_ASIDE_MAX = 500

_log = logging.getLogger(__name__)

T = TypeVar("T")


async def write_setting_aside(database: Database, work: Callable[[Connection, Set[Place]], T]) -> T:
    """Run `work` in one transaction with the entries that are to be set aside; again for each that breaks its judge.

    Raises JudgingFailed for the same entry twice, or past SET_ASIDE_MAX entries.
    """
    set_aside: set[Place] = set()
    while True:
        try:
            return await database.write(lambda connection: work(connection, set_aside))
        except JudgingFailed as failure:
            if failure.place in set_aside or len(set_aside) >= SET_ASIDE_MAX:
                raise
            _log.exception("%s; it is quarantined", failure)
            set_aside.add(failure.place)
