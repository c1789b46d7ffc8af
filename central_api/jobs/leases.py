"""Who does a job: one process at a time, whatever dies. A row of `jobs` holds the lease. Knows no job.

    nobody ──take──▶ held ──end, fail, give_back──▶ nobody
                      │ its holder died: over once `leased_until` has passed, and whoever takes it goes on

Every transaction of a job locks the row and looks whether the lease is still its own (`hold`) before it does anything,
and renews it: so a process that slept past its lease does nothing that another one did meanwhile, and clocks that
disagree can make a job change hands early and nothing worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from central_api.storage.schema_office import jobs
from central_api.storage.statements import insert_missing
from loyalty_sdk.office import JobState

__all__ = [
    "LEASE_S",
    "Lease",
    "LeaseLost",
    "end",
    "fail",
    "give_back",
    "hold",
    "is_free",
    "job_rows",
    "note_step",
    "state_of",
    "take",
]

LEASE_S = 60
TEXT_LENGTH_MAX = 500


class LeaseLost(Exception):
    """Another process does the job now; what this one was about to do must not be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do one job of one tenant, for a process that calls itself `owner`."""

    tenant: str
    job: str
    owner: str


def job_rows(connection: Connection, tenant: str) -> dict[str, Row[Any]]:
    """Return the rows of the jobs that ever ran, by the names of their jobs."""
    return {row.job: row for row in connection.execute(select(jobs).where(jobs.c.tenant == tenant))}


def state_of(row: Row[Any] | None, now: datetime) -> JobState:
    """Return how a job is. Killed is what a process that died leaves behind, once its lease is over."""
    if row is None:
        return "new"
    if row.owner:
        return "running" if row.leased_until > now else "killed"
    if row.error:
        return "failed"
    return "done" if row.finished_at is not None and row.position == "" else "stopped"


def is_free(row: Row[Any] | None, now: datetime, finished_before: datetime | None) -> bool:
    """Whether nobody holds the lease, and the job was not finished after `finished_before` either."""
    if row is None:
        return True
    if row.owner:
        return bool(row.leased_until <= now)
    return finished_before is None or row.finished_at is None or row.finished_at <= finished_before


def take(connection: Connection, lease: Lease, now: datetime, finished_before: datetime | None = None) -> str | None:
    """Take a lease that nobody holds. Returns the position to go on at, None where another process holds it.

    Where `finished_before` is given, a job that was finished after it is left alone too.
    """
    insert_missing(connection, jobs, [{"tenant": lease.tenant, "job": lease.job}])
    row = _locked(connection, lease)
    if not is_free(row, now, finished_before):
        return None
    goes_on = row.position != ""
    started_at, done = (row.started_at, row.done) if goes_on else (now, 0)
    _set(connection, lease, owner=lease.owner, leased_until=_until(now), started_at=started_at, done=done, error="")
    return str(row.position)


def hold(connection: Connection, lease: Lease) -> None:
    """Lock the lease until the transaction ends. Raises LeaseLost."""
    if _locked(connection, lease).owner != lease.owner:
        raise LeaseLost(f"another process does {lease.job} of {lease.tenant} now")


def note_step(connection: Connection, lease: Lease, now: datetime, position: str, done: int) -> None:
    """Renew a lease that is held, and keep what was done with it in this transaction."""
    _set(connection, lease, leased_until=_until(now), position=position, done=jobs.c.done + done)


def end(connection: Connection, lease: Lease, now: datetime, note: str, error: str = "") -> None:
    """Note that a job is done, but for what the error tells, and let go of it. Raises LeaseLost."""
    hold(connection, lease)
    texts = {"note": note[:TEXT_LENGTH_MAX], "error": error[:TEXT_LENGTH_MAX]}
    _let_go(connection, lease, position="", finished_at=now, **texts)


def fail(connection: Connection, lease: Lease, now: datetime, error: str) -> None:
    """Note why a job failed, and let go of it; the next run begins from its start. Raises LeaseLost."""
    hold(connection, lease)
    _let_go(connection, lease, position="", finished_at=now, error=error[:TEXT_LENGTH_MAX])


def give_back(connection: Connection, lease: Lease) -> None:
    """Let go of a job in its midst: the next run goes on where it is. Raises LeaseLost."""
    hold(connection, lease)
    _let_go(connection, lease)


def _let_go(connection: Connection, lease: Lease, **values: Any) -> None:
    _set(connection, lease, owner="", leased_until=None, **values)


def _locked(connection: Connection, lease: Lease) -> Row[Any]:
    return connection.execute(select(jobs).where(*_this(lease)).with_for_update()).one()


def _set(connection: Connection, lease: Lease, **values: Any) -> None:
    connection.execute(update(jobs).where(*_this(lease)).values(**values))


def _this(lease: Lease) -> tuple[Any, Any]:
    return (jobs.c.tenant == lease.tenant, jobs.c.job == lease.job)


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_S)
