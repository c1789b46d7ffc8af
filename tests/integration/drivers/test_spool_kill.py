"""A process that prints is killed with SIGKILL: nothing is printed twice, and nothing is claimed that is not so."""

import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.printer.spool import JobState, Spool
from drivers.printer.twin import PrinterTwin
from tests.integration.drivers.waiting import wait_until

ROOT = Path(__file__).parents[3]


def start(spool: Path, twin: PrinterTwin, moment: str, *references: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.drivers.printing_process"]
    return subprocess.Popen(
        [*command, str(spool), twin.address, moment, *references], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def state_of(path: Path, *references: str) -> dict[str, JobState]:
    spool = Spool(path, now=lambda: datetime.now(UTC))
    try:
        jobs = [spool.job(reference) for reference in references]
        return {job.reference: job.state for job in jobs if job is not None}
    finally:
        spool.close()


@pytest.mark.parametrize(
    ("moment", "state", "papers"),
    [
        ("before_start", JobState.QUEUED, 0),
        ("before_send", JobState.UNKNOWN, 0),
        ("after_send", JobState.UNKNOWN, 1),
    ],
)
def test_escpos_09_a_kill_leaves_the_truth_and_a_restart_prints_nothing_twice(
    moment: str, state: JobState, papers: int, tmp_path: Path, printer_twin: PrinterTwin
) -> None:
    path = tmp_path / "spool.db"
    with start(path, printer_twin, moment, "sale-1") as process:
        assert process.wait(60) == -signal.SIGKILL
    wait_until(lambda: printer_twin.receipts_cut == papers, "the receipts of the first life")
    assert state_of(path, "sale-1") == {"sale-1": state}
    with start(path, printer_twin, "never", "sale-1", "sale-2") as process:
        assert process.wait(60) == 0
    expected = {"sale-1": JobState.PRINTED if state is JobState.QUEUED else state, "sale-2": JobState.PRINTED}
    assert state_of(path, "sale-1", "sale-2") == expected
    assert printer_twin.receipts().count("receipt sale-1\n") == (1 if state is JobState.QUEUED else papers)


def test_kills_at_any_moment_never_print_a_job_twice(tmp_path: Path, printer_twin: PrinterTwin) -> None:
    path = tmp_path / "spool.db"
    references = [f"sale-{number}" for number in range(150)]
    moments = random.Random(20260314)
    for _ in range(6):
        with start(path, printer_twin, "never", *references) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.08))
            process.kill()
    with start(path, printer_twin, "never", *references) as process:
        assert process.wait(60) == 0
    states = state_of(path, *references)
    papers = printer_twin.receipts()
    for reference in references:
        count = papers.count(f"receipt {reference}\n")
        assert count <= 1
        assert states[reference] in (JobState.PRINTED, JobState.UNKNOWN)
        assert count == 1 or states[reference] is JobState.UNKNOWN
    assert list(states.values()).count(JobState.UNKNOWN) <= 6
