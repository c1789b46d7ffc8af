"""What the SDK costs a POS program to import, and what an idle agent holds in memory; both over a bare CPython."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

from bench.drain import answering, make_backlog
from bench.peers import FOLDER
from bench.process import resident_mb, resident_mb_max, running_agent
from bench.rows import Row, at_most, compared, not_measured
from bench.workshop import Subject, Workshop

__all__ = ["AGENT_MEMORY", "DRAINING_MEMORY", "IMPORT"]

IMPORT_TIME = "import loyalty_sdk, time"
IMPORT_MEMORY = "import loyalty_sdk, memory over bare CPython"
TILL_TIME = "import and make a Till with its client, time"
TILL_MEMORY = "import and make a Till with its client, memory over bare CPython"
MEMORY = "agent memory idle, over bare CPython"
DRAIN_MEMORY = "agent memory, most of it while a great backlog drains"
OTHER = "1,000 entries"
SMALL_ENTRIES = 1_000
STATUSES = 50
BATCH_ENTRIES = 200  # As an agent sends them unless it is told otherwise.
STATEMENTS = {
    "bare": "pass",
    "stripe": "import stripe",
    "sdk": "import loyalty_sdk",
    "till": "import datetime, loyalty_sdk; loyalty_sdk.Till(store='1', register='1', cashier='1',"
    " business_date=datetime.date(2026, 5, 1), agent='http://127.0.0.1:9', token='t')._connection.client()",
}
PROBE = """
import time
start = time.perf_counter()
{statement}
taken = (time.perf_counter() - start) * 1000
import os, subprocess
print(taken, subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True).stdout)
"""
IDLE_S = 3.0
DEVICES = """
[[scanner]]
name = "counter"
port = "/dev/serial/by-id/none"
[[printer]]
name = "receipt"
transport = "tcp"
address = "127.0.0.1:9"
"""


def measure_import(workshop: Workshop) -> Iterator[Row]:
    """Each in a fresh interpreter, in turn; bytecode is written by a first round that does not count."""
    workshop.begin("imports", workshop.rounds)
    for name in STATEMENTS:
        _probe(name)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in STATEMENTS}
    for _ in range(workshop.rounds):
        for name in STATEMENTS:
            taken[name].append(_probe(name))
        workshop.step()
    times = {name: [time_ms for time_ms, _ in found] for name, found in taken.items()}
    bare = median(memory for _, memory in taken["bare"])
    memories = {name: [memory - bare for _, memory in found] for name, found in taken.items()}
    yield compared(IMPORT_TIME, "ms", times["sdk"], times["stripe"], "import stripe", at_most(0.25))
    yield compared(IMPORT_TIME, "ms", times["sdk"], times["stripe"], "import stripe", at_most(35, "ours"))
    yield compared(IMPORT_MEMORY, "MB", memories["sdk"], memories["stripe"], "import stripe", at_most(12, "ours"))
    yield compared(TILL_TIME, "ms", times["till"], times["stripe"], "import stripe")
    yield compared(TILL_MEMORY, "MB", memories["till"], memories["stripe"], "import stripe")


def measure_agent_memory(workshop: Workshop) -> Iterator[Row]:
    """A real agent with a scanner and a printer that are absent, some seconds after it was ready."""
    rounds = min(workshop.rounds, 3)
    workshop.begin("agent memory", rounds)
    ours, bare = [], []
    for number in range(rounds):
        with running_agent(workshop.directory / f"memory-{number}", DEVICES) as agent:
            time.sleep(IDLE_S)
            ours.append(resident_mb(agent.pid))
        bare.append(_probe("bare")[1])
        workshop.step()
    yield compared(MEMORY, "MB", ours, bare, "bare CPython", at_most(60, "difference"))


def measure_drain_memory(workshop: Workshop) -> Iterator[Row]:
    """The most that a real agent held when it had sent a backlog to its end, a great one and a small one."""
    target = at_most(5, "difference")
    if sys.platform != "linux":
        yield not_measured(DRAIN_MEMORY, OTHER, target, "MB", "it is read from /proc, which is Linux's")
        return
    great, small = (_drained_mb(workshop, entries) for entries in (workshop.entries, SMALL_ENTRIES))
    yield compared(DRAIN_MEMORY, "MB", [great], [small], OTHER, target)


def _drained_mb(workshop: Workshop, entries: int) -> float:
    entries -= entries % BATCH_ENTRIES
    workshop.begin(f"draining {entries:,} entries", entries)
    folder = workshop.directory / f"drained-{entries}"
    backlog = make_backlog(folder, BATCH_ENTRIES, entries, workshop.advance)
    with (
        answering(backlog.answers) as port,
        running_agent(
            folder / "agent", central=f"http://127.0.0.1:{port}", identity=backlog.identity, journal=backlog.journal
        ) as agent,
        agent.till() as till,
    ):
        while till.status().queue_length:
            time.sleep(IDLE_S)
        for _ in range(STATUSES):  # Who asks makes threads, and these are no matter of the backlog.
            till.status()
        held_mb = resident_mb_max(agent.pid)
    shutil.rmtree(folder)
    return held_mb


def _probe(name: str) -> tuple[float, float]:
    """Run a statement in a fresh interpreter; return its time in milliseconds and the process' memory in megabytes."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if name == "stripe":
        environment["PYTHONPATH"] = str(FOLDER)
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=STATEMENTS[name])],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    time_ms, resident_kib = done.stdout.split()
    return float(time_ms), int(resident_kib) * 1024 / 1e6


IMPORT = Subject(names=(IMPORT_TIME, IMPORT_MEMORY, TILL_TIME, TILL_MEMORY), measure=measure_import, needs_peers=True)
DRAINING_MEMORY = Subject(names=(DRAIN_MEMORY,), measure=measure_drain_memory)
AGENT_MEMORY = Subject(names=(MEMORY,), measure=measure_agent_memory)
