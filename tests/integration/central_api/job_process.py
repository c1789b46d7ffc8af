"""Does one job in a process of its own, for tests that kill it: it says on standard output where it is, and can hang.

    python -m tests.integration.central_api.job_process URL KEYS HOURS PLACE

Its clock is HOURS behind, so that its lease is over as soon as it is dead. PLACE is where it hangs for ever: `step` in
the transaction of its second step, `pause` between two steps, or `nowhere`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from central_api.bootstrap import job_runner, open_central
from central_api.jobs.catalogue import Job, Step, Task
from central_api.storage.schema import epochs
from central_api.storage.statements import insert_rows

STEPS = 6


def counting_job(place: str) -> Job:
    """A job that does each thing once and cannot do it twice: it writes the numbers 0 to STEPS - 1 as keys."""

    def step(task: Task) -> Step:
        number = int(task.position or 0)
        row = {"epoch": f"number {number}", "began_at": task.capabilities.now(), "cause": "counted"}
        insert_rows(task.connection, epochs, [row])
        if place == "step" and number == 1:
            hang()
        return Step(done=1, more=number + 1 < STEPS, position=str(number + 1))

    return Job(name="count", text="count", every_s=60, step=step, size=lambda task: STEPS)


def hang() -> None:
    print("hangs", flush=True)
    time.sleep(3_600)


async def main(url: str, keys: str, hours: str, place: str) -> None:
    """Do the job for the only tenant of the tests."""

    async def pause(seconds: float) -> None:
        if place == "pause":
            hang()
        await asyncio.sleep(seconds)

    central = await open_central(url, Path(keys))
    behind = timedelta(hours=float(hours))
    slow = replace(central.capabilities, now=lambda: central.capabilities.now() - behind)
    runner = replace(job_runner(central), capabilities=slow, pause=pause)
    run = await runner.run("default", counting_job(place), due_only=True)
    print(run.state, run.done, flush=True)
    await central.database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
