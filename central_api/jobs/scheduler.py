"""Lets a server do the jobs: every few seconds it looks what is due, until it is stopped. Servers share the work."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from central_api.jobs.runner import JobRunner
from central_api.storage.database import DatabaseUnusable

__all__ = ["TICK_S", "do_jobs"]

TICK_S = 15.0

_log = logging.getLogger(__name__)


async def do_jobs(runner: JobRunner, tick_s: float = TICK_S) -> None:
    """Do what is due at once and then every `tick_s` seconds, until the runner is `stopping`."""
    while not runner.stopping.is_set():
        try:
            await runner.run_due()
        except DatabaseUnusable as error:
            _log.warning("the jobs wait for the database: %s", error)
        except Exception:
            # Whatever it is, the next look may find it gone; a server without its jobs would tell nobody.
            _log.exception("the jobs could not be done; they are tried again in %.0f s", tick_s)
        with suppress(TimeoutError):
            await asyncio.wait_for(runner.stopping.wait(), tick_s)
