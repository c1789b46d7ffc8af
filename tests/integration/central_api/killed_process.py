"""Does central's real jobs, or imports members, in a process of its own, for tests that kill it at any moment.

    python -m tests.integration.central_api.killed_process URL KEYS NOW TENANT [FILE]

It says `begins`, works, and says `ends`. Its clock begins at NOW: a later process begins hours later, when the lease
that a killed one left is over.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from central_api.bootstrap import Central, job_runner, open_central
from central_api.commands.member_import import import_members
from central_api.jobs.catalogue import JOBS, jobs_named
from central_api.members.import_file import read_import_file


async def main(url: str, keys: str, begin: str, tenant: str, *file: str) -> None:
    """Do all of it."""
    begun_at, begun_s = datetime.fromisoformat(begin), time.monotonic()
    central = await open_central(url, Path(keys))
    capabilities = replace(central.capabilities, now=lambda: begun_at + timedelta(seconds=time.monotonic() - begun_s))
    print("begins", flush=True)
    await _work(Central(database=central.database, capabilities=capabilities), tenant, *file)
    await central.database.close()
    print("ends", flush=True)


async def _work(central: Central, tenant: str, *file: str) -> None:
    for name in file:
        await import_members(central, tenant, read_import_file(Path(name)), lambda done: None)
    if file:
        return
    # What the later ones book is added to the totals, too.
    for job in (*JOBS, *jobs_named("totals")):
        run = await job_runner(central).run(tenant, job)
        if run.state != "done":
            raise SystemExit(f"{job.name} of {tenant} is {run.state}: {run.error}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
