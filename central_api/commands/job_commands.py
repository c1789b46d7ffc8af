"""The commands `loyalty-central jobs` and `loyalty-central totals`: what jobs do and did, for people and programs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from central_api.bootstrap import Central, job_runner
from central_api.commands.output import print_json, print_table, progress
from central_api.jobs import leases as job_leases
from central_api.jobs.catalogue import JOBS, Job, Task, jobs_named
from central_api.jobs.runner import JobRunner, Run
from central_api.judging import held
from central_api.ledger import totals

__all__ = ["jobs_held", "jobs_list", "jobs_run", "totals_show"]

FAILED = 1
TOTALS_DAYS = 30
# A command does all of it: more than a hundred million members.
STEPS_MAX = 10_000_000
# A process that was killed is waited for until its lease is over.
BUSY_WAIT_S_MAX = job_leases.LEASE_S + 5
BUSY_POLL_S = 0.5

RUN_COLUMNS = ("job", "state", "done", "note", "error")
LIST_COLUMNS = ("job", "state", "done", "started_at", "finished_at", "owner", "note", "error")
HELD_COLUMNS = ("terminal", "journal", "seq", "id", "kind", "received_at", "waits_for")
TOTALS_COLUMNS = ("day", "issued", "redeemed", "expired", "offline_loss", "outstanding", "transfers")

Options = argparse.Namespace


async def jobs_run(options: Options, central: Central, tenant: str) -> int:
    """Do all jobs, or the one that is named, until nothing is left. Returns 1 where one failed."""
    runner = replace(job_runner(central), steps_max=STEPS_MAX)
    runs = [await _run_shown(runner, tenant, job) for job in jobs_named(options.name)]
    if options.json:
        print_json({"runs": runs})
    else:
        print_table("jobs", [asdict(run) for run in runs], RUN_COLUMNS)
    return FAILED if any(run.state == "failed" for run in runs) else 0


async def jobs_list(options: Options, central: Central, tenant: str) -> int:
    """Show every job: what it is for, when it last ran, and what became of it."""
    rows = await central.database.read(lambda connection: job_leases.job_rows(connection, tenant))
    now = central.capabilities.now()
    shown = [_described(job, rows.get(job.name), now) for job in JOBS]
    if options.json:
        print_json({"jobs": shown})
        return 0
    print_table("jobs", shown, LIST_COLUMNS)
    for job in JOBS:
        print(f"{job.name}: {job.text}; a server does it every {job.every_s} s")
    return 0


async def jobs_held(options: Options, central: Central, tenant: str) -> int:
    """Show the entries that have waited for their sale or their card for longer than the days that are given."""
    now = central.capabilities.now()
    found = await central.database.read(
        lambda connection: held.held_long(connection, tenant, now, options.days, options.limit)
    )
    if options.json:
        print_json({"held": found})
    else:
        print_table(f"held for more than {options.days} days", [asdict(one) for one in found], HELD_COLUMNS)
    return 0


async def totals_show(options: Options, central: Central, tenant: str) -> int:
    """Show the programme's figures by day, by default of the last 30 days."""
    last = options.last or central.capabilities.now().astimezone(UTC).date()
    first = options.first or last - timedelta(days=TOTALS_DAYS - 1)
    found = await central.database.read(lambda connection: totals.daily_totals(connection, tenant, first, last))
    if options.json:
        print_json({"totals": found})
    else:
        print_table("points by day (UTC) of booking", [asdict(one) for one in found], TOTALS_COLUMNS)
    return 0


async def _run_shown(runner: JobRunner, tenant: str, job: Job) -> Run:
    size = await runner.database.read(
        lambda connection: job.size(Task(connection=connection, capabilities=runner.capabilities, tenant=tenant))
    )
    with progress(job.name, size) as advance:
        run = await runner.run(tenant, job, advance=advance)
        if run.state == "busy":
            print(f"{job.name}: another process does it, or was killed in its midst; waiting", file=sys.stderr)
        for _ in range(int(BUSY_WAIT_S_MAX / BUSY_POLL_S)):
            if run.state != "busy":
                break
            await asyncio.sleep(BUSY_POLL_S)
            run = await runner.run(tenant, job, advance=advance)
        return run


def _described(job: Job, row: Row[Any] | None, now: datetime) -> dict[str, Any]:
    columns = ("done", "started_at", "finished_at", "owner", "leased_until", "note", "error")
    empty = {"done": 0, "owner": "", "note": "", "error": ""}
    found = {name: empty.get(name) if row is None else getattr(row, name) for name in columns}
    return {"job": job.name, "state": job_leases.state_of(row, now), **found, "every_s": job.every_s, "text": job.text}
