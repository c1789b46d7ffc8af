"""Recording a sale durably, in process: against raw sqlite3, against libraries, and ten callers against one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

from bench.measure import Rounds, contest
from bench.peers import PEERS, open_peer
from bench.rows import Row, Target, at_least, at_most, compared
from bench.terminal import Terminal, new_identity, open_terminal, prepare
from bench.workshop import Subject, Workshop

__all__ = ["GROUP_COMMIT", "RECORD_SALE"]

RATE = "record a sale in process, rate"
P50 = "record a sale in process, p50"
P99 = "record a sale in process, p99"
CALLERS = 10
GROUP = f"{CALLERS} callers at once, rate"

RATE_TARGETS: dict[str, Target | None] = {
    "raw sqlite3": at_least(0.80),
    "SQLAlchemy Core": at_least(1.25),
    "SQLAlchemy ORM": at_least(2.5),
    "persist-queue": at_least(0.9),
    "litequeue": None,
    "huey": at_least(0.9),
}
NOTES = {"litequeue": "it syncs nothing: an answer can be lost in a power cut"}


def measure_record_sale(workshop: Workshop) -> Iterator[Row]:
    """Sales against one row of 600 bytes."""
    workshop.begin("recording sales", workshop.rounds)
    directory = workshop.directory / "recording"
    identity = new_identity()
    directory.mkdir()
    prepare(directory / "journal.db", identity)
    with ExitStack() as stack:
        terminal = stack.enter_context(open_terminal(directory / "journal.db", identity))
        peers = {name: stack.enter_context(open_peer(name, directory / name)) for name in PEERS}
        sides = {"ours": terminal.record, **peers}
        taken = contest(sides, rounds=workshop.rounds, operations=workshop.operations, advance=workshop.step)
    yield from _rows(taken)


def measure_group_commit(workshop: Workshop) -> Iterator[Row]:
    """One caller, and ten at once, on the same journal in turn."""
    workshop.begin("ten callers at once", workshop.rounds)
    directory = workshop.directory / "group"
    identity = new_identity()
    directory.mkdir()
    prepare(directory / "journal.db", identity)
    ten, one = [], []
    with open_terminal(directory / "journal.db", identity) as terminal:
        for _ in range(workshop.rounds):
            one.append(_rate(terminal, 1, workshop.operations))
            ten.append(_rate(terminal, CALLERS, workshop.operations))
            workshop.step()
    yield compared(GROUP, "/s", ten, one, "one caller", at_least(4))


def _rows(taken: dict[str, Rounds]) -> Iterator[Row]:
    ours, raw = taken["ours"], taken["raw sqlite3"]
    for name, target in RATE_TARGETS.items():
        yield compared(RATE, "/s", ours.rates, taken[name].rates, name, target, NOTES.get(name, ""))
    yield compared(P50, "ms", ours.p50s_ms, raw.p50s_ms, "raw sqlite3", at_most(1.25))
    yield compared(P99, "ms", ours.p99s_ms, raw.p99s_ms, "raw sqlite3", at_most(1.5))


def _rate(terminal: Terminal, callers: int, operations: int) -> float:
    """Sales a second when each of `callers` threads records its share, one after another."""
    share = max(1, operations // callers)
    lock = threading.Lock()

    def sell() -> None:
        for _ in range(share):
            with lock:  # The sales come from one generator, which threads may not share.
                command = terminal.command()
            terminal.writer.call(command)

    threads = [threading.Thread(target=sell) for _ in range(callers)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return share * callers / (time.perf_counter() - start)


RECORD_SALE = Subject(names=(RATE, P50, P99), measure=measure_record_sale, needs_peers=True)
GROUP_COMMIT = Subject(names=(GROUP,), measure=measure_group_commit)
