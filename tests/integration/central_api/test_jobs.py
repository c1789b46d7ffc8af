"""Jobs on real databases: killed in their midst, done by many at once, failing, and in a server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from central_api import bootstrap
from central_api.bootstrap import Central, job_runner, open_central
from central_api.jobs import leases as job_leases
from central_api.jobs.catalogue import JOBS, Job, Step, Task, jobs_named
from central_api.jobs.runner import JobRunner, Run
from central_api.jobs.scheduler import do_jobs
from central_api.ledger.totals import count_parts, note_transfers
from central_api.storage.schema import epochs
from tests.integration.central_api.job_process import STEPS, counting_job
from tests.integration.central_api.support import ROOT, Program

TENANT = "default"
PATIENCE_S = 60.0
DAY = date(2026, 5, 1)


@dataclass(slots=True)
class Clock:
    """A clock that is moved by hand."""

    now: datetime


@pytest.fixture
def program(new_program: Program) -> Program:
    new_program.init()
    return new_program


@asynccontextmanager
async def opened(program: Program) -> AsyncIterator[tuple[Central, Clock]]:
    """The program's central in this process, with a clock of its own."""
    _, url, _, keys = program.places
    central = await open_central(url, Path(keys))
    clock = Clock(central.capabilities.now())
    try:
        yield replace(central, capabilities=replace(central.capabilities, now=lambda: clock.now)), clock
    finally:
        await central.database.close()


def with_central(program: Program, work: Callable[[Central, Clock], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened(program) as (central, clock):
            await work(central, clock)

    asyncio.run(run())


def start(program: Program, place: str, hours: int = 1) -> subprocess.Popen[str]:
    _, url, _, keys = program.places
    command = [sys.executable, "-m", "tests.integration.central_api.job_process", url, keys, str(hours), place]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def numbers(central: Central) -> list[str]:
    query = select(epochs.c.epoch).where(epochs.c.cause == "counted").order_by(epochs.c.epoch)
    return await central.database.read(lambda connection: list(connection.execute(query).scalars()))


ALL = [f"number {number}" for number in range(STEPS)]


@pytest.mark.parametrize(("place", "left"), [("step", 1), ("pause", 1)])
def test_a_job_that_was_killed_goes_on_where_it_was(program: Program, place: str, left: int) -> None:
    with start(program, place) as process:
        assert line_of(process) == "hangs"
        process.kill()

    async def work(central: Central, clock: Clock) -> None:
        assert await numbers(central) == ALL[:left]
        clock.now -= timedelta(hours=1)
        assert (await job_runner(central).run(TENANT, counting_job("nowhere"))).state == "busy"
        clock.now += timedelta(seconds=job_leases.LEASE_S + PATIENCE_S)
        run = await job_runner(central).run(TENANT, counting_job("nowhere"))
        assert (run.state, run.done) == ("done", STEPS - left)
        assert await numbers(central) == ALL
        rows = await central.database.read(lambda connection: job_leases.job_rows(connection, TENANT))
        assert (rows["count"].done, rows["count"].owner) == (STEPS, "")

    with_central(program, work)


def test_two_processes_never_do_the_same(program: Program) -> None:
    """Both want to do all of it; a key that is written twice would be a failure."""
    processes = [start(program, "nowhere", hours=0) for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE_S)[0].split() for process in processes]
    assert sorted(said) == [["busy", "0"], ["done", str(STEPS)]]

    async def work(central: Central, clock: Clock) -> None:
        assert await numbers(central) == ALL

    with_central(program, work)


def test_two_that_take_the_lease_from_each_other_never_do_the_same(program: Program) -> None:
    """The clock of the second is so far ahead that it always finds the first one dead."""

    async def work(central: Central, clock: Clock) -> None:
        ahead = replace(central.capabilities, now=lambda: clock.now + timedelta(seconds=2 * job_leases.LEASE_S))
        runners = [job_runner(central), replace(job_runner(central), capabilities=ahead)]
        states = []
        for _ in range(100):
            if "done" in states:
                break
            both = (runner.run(TENANT, counting_job("nowhere"), due_only=True) for runner in runners)
            states += [run.state for run in await asyncio.gather(*both)]
            clock.now += timedelta(seconds=job_leases.LEASE_S)
        assert set(states) <= {"busy", "done"}
        assert states.count("done") == 1
        assert await numbers(central) == ALL

    with_central(program, work)


def failing(task: Task) -> Step:
    insert = {"epoch": "half", "began_at": task.capabilities.now(), "cause": "counted"}
    task.connection.execute(epochs.insert(), [insert])
    raise RuntimeError("the disk is on fire\n[parameters: a name]")


def doing(task: Task) -> Step:
    return Step(done=7, more=False, note="all is well")


FAILING = Job(name="failing", text="", every_s=60, step=failing, size=lambda task: 0)
DOING = Job(name="doing", text="", every_s=60, step=doing, size=lambda task: 0)


def test_a_job_that_fails_says_so_and_stops_no_other(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    async def work(central: Central, clock: Clock) -> None:
        runner = job_runner(central)
        failed, done = await runner.run_due([FAILING, DOING])
        assert (failed.state, failed.error) == ("failed", "RuntimeError: the disk is on fire")
        assert (done.state, done.done, done.note) == ("done", 7, "all is well")
        assert await numbers(central) == []
        assert await runner.run_due([FAILING, DOING]) == []
        rows = await central.database.read(lambda connection: job_leases.job_rows(connection, TENANT))
        assert (rows["failing"].error, rows["doing"].error) == (failed.error, "")
        clock.now += timedelta(seconds=60)
        assert [run.state for run in await runner.run_due([FAILING, DOING])] == ["failed", "done"]
        logged = len(caplog.records)
        assert (await runner.run(TENANT, FAILING)).error == failed.error
        assert len(caplog.records) == logged

    with_central(program, work)
    assert "the job failing of default failed" in caplog.text


def test_who_is_to_stop_ends_after_a_step_and_leaves_the_rest(program: Program) -> None:
    async def work(central: Central, clock: Clock) -> None:
        runner = job_runner(central)
        runner.stopping.set()
        assert await runner.run_due([counting_job("nowhere")]) == []
        run = await runner.run(TENANT, counting_job("nowhere"))
        assert (run.state, run.done) == ("stopped", 1)
        assert (await job_runner(central).run(TENANT, counting_job("nowhere"))).done == STEPS - 1
        assert await numbers(central) == ALL

    with_central(program, work)


def test_a_run_has_an_end_even_where_its_job_has_none(program: Program) -> None:
    async def work(central: Central, clock: Clock) -> None:
        endless = Job(
            name="endless", text="", every_s=60, step=lambda task: Step(done=1, more=True), size=lambda task: 0
        )
        (run,) = await replace(job_runner(central), steps_max=3).run_due([endless])
        assert (run.state, run.done) == ("stopped", 3)
        (again,) = await replace(job_runner(central), steps_max=1).run_due([endless])
        assert (again.state, again.done) == ("stopped", 1)

    with_central(program, work)


def test_who_is_cancelled_lets_go(program: Program) -> None:
    async def work(central: Central, clock: Clock) -> None:
        async def pause(seconds: float) -> None:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await replace(job_runner(central), pause=pause).run(TENANT, counting_job("nowhere"))
        assert (await job_runner(central).run(TENANT, counting_job("nowhere"))).done == STEPS - 1

    with_central(program, work)


def book(connection: Connection, first: int, transactions: int) -> None:
    """Let as many transactions leave their parts."""
    at = datetime.fromisoformat(f"{DAY}T12:00:00+00:00")

    def row(number: int, source: str, target: str, points: int) -> dict[str, Any]:
        accounts = {"from_account": source, "to_account": target}
        return {"tenant": TENANT, "id": f"{number}", "points": points, "recorded_at": at, **accounts}

    for number in range(first, first + transactions):
        note_transfers(connection, [row(number, "issued", "available", 10), row(number, "reserved", "redeemed", 1)])


def booked(program: Program, transactions: int) -> None:
    async def work(central: Central, clock: Clock) -> None:
        await central.database.write(partial(book, first=0, transactions=transactions))

    with_central(program, work)


def figures(program: Program) -> list[int]:
    (day,) = program.json("totals", "--from", str(DAY), "--to", str(DAY))["totals"]
    return [day["issued"], day["redeemed"], day["transfers"]]


def test_totals_are_exact_while_two_fold_and_others_book(program: Program) -> None:
    (fold,) = jobs_named("totals")
    transactions, writers, each = 600, 20, 5

    async def work(central: Central, clock: Clock) -> None:
        await central.database.write(partial(book, first=0, transactions=transactions))
        runners = [job_runner(central), job_runner(central)]
        booking = (
            central.database.write(partial(book, first=10_000 * number, transactions=each))
            for number in range(1, writers + 1)
        )
        runs = await asyncio.gather(*(runner.run(TENANT, fold) for runner in runners), *booking)
        assert {run.state for run in runs[:2] if run} <= {"done", "busy"}
        assert (await runners[0].run(TENANT, fold)).state == "done"
        assert await central.database.read(partial(count_parts, tenant=TENANT)) == 0

    with_central(program, work)
    count = transactions + writers * each
    assert figures(program) == [10 * count, count, 2 * count]


def test_the_command_runs_each_job_and_tells_how_it_ended(program: Program) -> None:
    assert {row["state"] for row in program.json("jobs", "list")["jobs"]} == {"new"}
    booked(program, 3)
    runs = program.json("jobs", "run")["runs"]
    assert [(run["job"], run["state"]) for run in runs] == [(job.name, "done") for job in JOBS]
    assert [run["done"] for run in runs] == [0, 6, 0, 0]
    assert {row["state"] for row in program.json("jobs", "list")["jobs"]} == {"done"}
    assert program.json("jobs", "held") == {"held": []}
    assert "the jobs are settle, totals, held, retention" in program.refused("jobs", "run", "sweep")
    shown = program.run("jobs", "list").stdout
    assert all(job.text in shown for job in JOBS)
    assert "outstanding" in program.run("totals").stdout
    assert "from 1 to" in program.refused("totals", "--from", "2026-05-02", "--to", "2026-05-01")


@pytest.mark.parametrize("words", [("totals", "--from", "1.5.2026"), ("jobs", "held", "--days", "-1")])
def test_what_is_no_day_and_no_number_is_refused(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        Program(tmp_path).run(*words)


def test_a_server_does_the_jobs(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.init()
    booked(program, 2)
    with program.serving() as (process, _):
        deadline = time.monotonic() + PATIENCE_S
        while {row["state"] for row in program.json("jobs", "list")["jobs"]} != {"done"}:
            assert time.monotonic() < deadline
            time.sleep(0.25)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert figures(program) == [20, 2, 4]


def test_a_server_leaves_the_jobs_to_others_where_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(tmp_path)
    program.init()

    async def calls(central: Central, host: str, port: int, ready: object) -> None:
        await asyncio.sleep(0.2)

    monkeypatch.setattr(bootstrap, "_serve_calls", calls)
    assert program.run("serve", "--no-jobs").returncode == 0
    assert {row["state"] for row in program.json("jobs", "list")["jobs"]} == {"new"}


def test_the_scheduler_survives_what_it_meets(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    async def work(central: Central, clock: Clock) -> None:
        looks: list[int] = []

        class Unlucky(JobRunner):
            async def run_due(self, jobs: object = None) -> list[Run]:
                looks.append(1)
                if len(looks) == 3:
                    self.stopping.set()
                raise RuntimeError("out of luck")

        unlucky = Unlucky(database=central.database, capabilities=central.capabilities, owner="u")
        await do_jobs(unlucky, tick_s=0.001)
        assert len(looks) == 3

    with_central(program, work)
    assert "they are tried again" in caplog.text
