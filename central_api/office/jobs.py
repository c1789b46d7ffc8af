"""Jobs and totals for the back office. Reads only."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from central_api.jobs.catalogue import JOBS, Job
from central_api.jobs.leases import job_rows, state_of
from central_api.ledger.totals import check_days, daily_totals
from central_api.storage.paging import Paging
from loyalty_sdk.office import JobList, JobView, TotalList, TotalView

__all__ = ["job_list", "total_list"]


def job_list(connection: Connection, tenant: str, now: datetime) -> JobList:
    """Return every job and its last run."""
    rows = job_rows(connection, tenant)
    return JobList(items=tuple(_job(job, rows.get(job.name), now) for job in JOBS))


def total_list(connection: Connection, tenant: str, first: date, last: date, paging: Paging) -> TotalList:
    """Return a page of days, the earliest first. Raises Refused `invalid-request` for too many of them, or none."""
    check_days(first, last)
    after = paging.values([int])
    begin = first if after is None else first + timedelta(days=min(max(after[0], 0), (last - first).days))
    end = min(last, begin + timedelta(days=min(paging.limit - 1, (last - begin).days)))
    found = daily_totals(connection, tenant, begin, end)
    cursor = paging.cursor_of([(end - first).days + 1]) if end < last else None
    return TotalList(items=tuple(TotalView(**asdict(one)) for one in found), next_cursor=cursor)


def _job(job: Job, row: Row[Any] | None, now: datetime) -> JobView:
    return JobView(
        job=job.name,
        text=job.text,
        every_s=job.every_s,
        state=state_of(row, now),
        started_at=None if row is None else row.started_at,
        finished_at=None if row is None else row.finished_at,
        done=0 if row is None else row.done,
        note="" if row is None else row.note,
        error="" if row is None else row.error,
    )
