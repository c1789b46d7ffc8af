"""Does jobs: takes the lease, works in small transactions until nothing is left, notes how it ended.

A till never waits longer than for one step: between two steps there is a pause in which it comes first. Knows neither
the machine's clock nor what a job does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from central_api.capabilities import Capabilities
from central_api.jobs import leases as job_leases
from central_api.jobs.catalogue import JOBS, Job, Step, Task
from central_api.jobs.leases import Lease, LeaseLost
from central_api.ledger.records import JudgingFailed, Place
from central_api.storage.database import Database, DatabaseUnusable
from central_api.storage.installation import tenant_names

__all__ = ["JobRunner", "Run"]

# Longer than a process that waits for SQLite's lock sleeps between two looks.
PAUSE_S = 0.02
SET_ASIDE_MAX = 500
# What fails alone is left out of a run; where so many do, something else is wrong, and the run fails.
LEFT_OUT_MAX = 500
LEFT_OUT_TOLD = 3
CONFLICTS_MAX = 3
# A run that has done so many is `stopped`, and goes on at its next turn, after the other jobs.
STEPS_MAX = 10_000

State = Literal["done", "busy", "stopped", "failed"]
Pause = Callable[[float], Awaitable[None]]

_log = logging.getLogger(__name__)


class StepFailed(Exception):
    """What a step writes is refused each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run ended: `busy` where another process does the job or has just done it, `stopped` in its midst.

    `failed` is also a run that came to its end but had to leave something out; `error` names it.
    """

    tenant: str
    job: str
    state: State
    done: int = 0
    note: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRunner:
    """Does jobs of one central under the name `owner`, which no other process has. `stopping` ends it after a step."""

    database: Database
    capabilities: Capabilities
    owner: str
    pause: Pause = asyncio.sleep
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    steps_max: int = STEPS_MAX

    async def run_due(self, jobs: Sequence[Job] = JOBS) -> list[Run]:
        """Do what is due of every tenant, and what a process that died has left. A job that fails stops no other."""
        runs: list[Run] = []
        for tenant in await self.database.read(tenant_names):
            for job in await self._due(tenant, jobs):
                if self.stopping.is_set():
                    return runs
                runs.append(await self.run(tenant, job, due_only=True))
        return runs

    async def run(
        self, tenant: str, job: Job, *, due_only: bool = False, advance: Callable[[int], None] = lambda done: None
    ) -> Run:
        """Do one job of a tenant until nothing is left; `advance` hears how much is done. Raises DatabaseUnusable."""
        lease = Lease(tenant=tenant, job=job.name, owner=self.owner)
        position = await self._take(lease, job, due_only=due_only)
        if position is None:
            return Run(tenant=tenant, job=job.name, state="busy")
        try:
            return await self._work(lease, job, position, advance)
        except LeaseLost:
            return Run(tenant=tenant, job=job.name, state="busy")
        except asyncio.CancelledError:
            await self._give_back(lease)
            raise
        except Exception as error:
            # A server's log has all of it; whoever gave a command reads the first line in its answer.
            if due_only:
                _log.exception("the job %s of %s failed", job.name, tenant)
            return await self._failed(lease, error)

    async def _due(self, tenant: str, jobs: Sequence[Job]) -> list[Job]:
        """A look without a lock, so that nothing is written where nothing is due."""
        rows = await self.database.read(lambda connection: job_leases.job_rows(connection, tenant))
        now = self.capabilities.now()
        return [job for job in jobs if job_leases.is_free(rows.get(job.name), now, _finished_before(job, now))]

    async def _take(self, lease: Lease, job: Job, *, due_only: bool) -> str | None:
        def work(connection: Connection) -> str | None:
            now = self.capabilities.now()
            return job_leases.take(connection, lease, now, _finished_before(job, now) if due_only else None)

        return await self.database.write(work)

    async def _work(self, lease: Lease, job: Job, position: str, advance: Callable[[int], None]) -> Run:
        done, left_out = 0, dict[str, str]()
        for _ in range(self.steps_max):
            step = await self._step(lease, job, position, left_out)
            done, position = done + step.done, step.position
            advance(done)
            if not step.more:
                error = _left_out_text(left_out)
                state: State = "failed" if error else "done"
                return Run(tenant=lease.tenant, job=job.name, state=state, done=done, note=step.note, error=error)
            if self.stopping.is_set():
                break
            await self.pause(PAUSE_S)
        await self._give_back(lease)
        return Run(tenant=lease.tenant, job=job.name, state="stopped", done=done)

    async def _step(self, lease: Lease, job: Job, position: str, left_out: dict[str, str]) -> Step:
        """One step; where it fails, one for each thing alone, and another without those that fail again."""
        while True:
            try:
                return await self._transaction(lease, job, position, left_out)
            except Exception as error:
                if job.names is None or not _may_be_of_one(error):
                    raise
                if not await self._try_each(lease, job, job.names, position, left_out):
                    raise

    async def _try_each(
        self,
        lease: Lease,
        job: Job,
        names_of: Callable[[Task], Sequence[str]],
        position: str,
        left_out: dict[str, str],
    ) -> bool:
        """Do what a step would have done one by one; note what fails. Returns whether anything does."""
        task = partial(Task, capabilities=self.capabilities, tenant=lease.tenant, position=position, left_out=left_out)
        names = await self.database.read(lambda connection: names_of(task(connection=connection)))
        failed = False
        for name in names:
            if name in left_out:
                continue
            try:
                await self._transaction(lease, job, position, left_out, (name,))
            except Exception as error:
                if not _may_be_of_one(error) or len(left_out) >= LEFT_OUT_MAX:
                    raise
                _log.exception("the job %s of %s leaves out %s; it is tried again", job.name, lease.tenant, name)
                left_out[name], failed = _first_line(error), True
        return failed

    async def _transaction(
        self, lease: Lease, job: Job, position: str, left_out: Mapping[str, str], only: Sequence[str] = ()
    ) -> Step:
        """One transaction, which holds the lease; one more for each entry whose judging breaks."""
        set_aside: set[Place] = set()
        conflicts = 0

        def work(connection: Connection) -> Step:
            nonlocal conflicts
            job_leases.hold(connection, lease)
            task = Task(
                connection=connection,
                capabilities=self.capabilities,
                tenant=lease.tenant,
                position=position,
                set_aside=set_aside,
                left_out=left_out,
                only=only,
            )
            try:
                step = job.step(task)
            except IntegrityError as error:
                # A row that is there each time was not written by somebody else just now.
                conflicts += 1
                if conflicts < CONFLICTS_MAX:
                    raise
                raise StepFailed(_first_line(error)) from error
            now = self.capabilities.now()
            job_leases.note_step(connection, lease, now, step.position, step.done)
            if not step.more:
                job_leases.end(connection, lease, now, step.note, _left_out_text(left_out))
            return step

        while True:
            try:
                return await self.database.write(work)
            except JudgingFailed as failure:
                if failure.place in set_aside or len(set_aside) >= SET_ASIDE_MAX:
                    raise
                _log.exception("%s; it is quarantined", failure)
                set_aside.add(failure.place)

    async def _failed(self, lease: Lease, error: Exception) -> Run:
        text = _first_line(error)
        # Where the database is away, the lease ends by itself.
        with suppress(LeaseLost, DatabaseUnusable):
            await self.database.write(
                lambda connection: job_leases.fail(connection, lease, self.capabilities.now(), text)
            )
        return Run(tenant=lease.tenant, job=lease.job, state="failed", error=text)

    async def _give_back(self, lease: Lease) -> None:
        with suppress(LeaseLost, DatabaseUnusable):
            await self.database.write(lambda connection: job_leases.give_back(connection, lease))


def _finished_before(job: Job, now: datetime) -> datetime:
    return now - timedelta(seconds=job.every_s)


def _may_be_of_one(error: Exception) -> bool:
    """Whether an error may be due to one damaged thing alone, and not to the lease, the database or the disk."""
    if isinstance(error, DBAPIError):
        return isinstance(error, IntegrityError | DataError)
    return not isinstance(error, LeaseLost | DatabaseUnusable)


def _first_line(error: Exception) -> str:
    """The first line alone: what follows may hold what was to be written."""
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first.strip()}"


def _left_out_text(left_out: Mapping[str, str]) -> str:
    if not left_out:
        return ""
    told = "; ".join(f"{name}: {error}" for name, error in islice(left_out.items(), LEFT_OUT_TOLD))
    return f"{len(left_out)} left out and tried again next time (central's log has all of it): {told}"
