"""Draining a backlog: the agent's exchange against a loop of select, http.client POST and durable delete."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bench.answering import PORT_LINE
from bench.rows import Row, at_least, compared
from bench.terminal import Terminal, fill, new_identity, open_terminal, prepare
from bench.workshop import Subject, Workshop
from loyalty_sdk.codec import dumps, loads
from loyalty_sdk.protocol import ChangesPage, EntryOutcome, UploadAnswer
from sync.exchange import Exchange
from sync.identity import Identity
from sync.journal import queue_batch, watermark
from sync.machine import Machine, MachineSettings

__all__ = ["DRAIN", "Backlog", "answering", "make_backlog"]

SIZES = {100: at_least(0.55), 500: at_least(0.70)}
REQUESTS_MAX = 60
OTHER = "sqlite3 and http.client, raw"
RATE = "drain of a backlog, {} a request, rate"
WORK = "drain of a backlog, {} a request, processor time of one"
BYTES_MAX = 4_000_000
POLL_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """A journal with `entries` to send, the same entries in a plain table, and the answers that central would give."""

    journal: Path
    plain: Path
    answers: Path
    identity: Identity
    size: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """One drain: entries a second, and this process' time for a request in milliseconds."""

    rate: float
    work_ms: float


def measure_drain(workshop: Workshop) -> Iterator[Row]:
    """Each side drains a copy of the same backlog to the same server, in turn."""
    for size, target in SIZES.items():
        folder, entries = workshop.directory / f"drain-{size}", size * min(REQUESTS_MAX, workshop.operations)
        workshop.begin(f"filling a journal for {size} entries a request", entries)
        backlog = make_backlog(folder, size, entries, workshop.advance)
        _make_plain(backlog)
        workshop.begin(f"draining {size} entries a request", workshop.rounds)
        ours: list[Drained] = []
        raw: list[Drained] = []
        with answering(backlog.answers) as port:
            sides = [(ours, drain_ours), (raw, drain_raw)]
            for number in range(-1, workshop.rounds):  # The first warms up and does not count.
                for found, side in sides if number % 2 else sides[::-1]:
                    found.append(side(backlog, port))
                if number >= 0:
                    workshop.step()
        ours, raw = ours[1:], raw[1:]
        shutil.rmtree(folder)
        yield compared(RATE.format(size), "/s", [o.rate for o in ours], [r.rate for r in raw], OTHER, target)
        yield compared(WORK.format(size), "ms", [o.work_ms for o in ours], [r.work_ms for r in raw], OTHER)


def make_backlog(folder: Path, size: int, entries: int, advance: Callable[[int], None]) -> Backlog:
    """Fill a journal with sales, and write down what central would answer to each of its uploads."""
    folder.mkdir()
    backlog = Backlog(
        journal=folder / "full.db",
        plain=folder / "plain.db",
        answers=folder / "answers.json",
        identity=new_identity(),
        size=size,
        entries=entries,
    )
    prepare(backlog.journal, backlog.identity)
    fill(backlog.journal, backlog.identity, entries, advance)
    with open_terminal(backlog.journal, backlog.identity) as terminal, backlog.answers.open("w") as file:
        for seq, answer in _answers(terminal, size):
            file.write(f"{seq} {answer}\n")
    return backlog


def _make_plain(backlog: Backlog) -> None:
    """Copy the entries into a table of their own."""
    with closing(sqlite3.connect(backlog.plain)) as plain:
        plain.execute("PRAGMA journal_mode = WAL")
        plain.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT")
        plain.execute("ATTACH ? AS journal", (str(backlog.journal),))
        plain.execute("INSERT INTO rows SELECT seq, bytes FROM journal.entries")
        plain.commit()


def _answers(terminal: Terminal, size: int) -> Iterator[tuple[int, str]]:
    """Give the answer to the upload that ends with each seq, and under 0 that to a fetch of changes."""
    now = datetime.now(UTC)
    with terminal.store.reading() as connection:
        mark = watermark(connection)
    nothing = ChangesPage(
        epoch=mark.epoch,
        cursor="1",
        more=False,
        snapshots=(),
        grants=(),
        grants_recalled=(),
        outcomes=(),
        programme_version=1,
        central_time=now,
    )
    yield 0, dumps(nothing).decode()
    for after_seq in range(0, mark.head_seq, size):
        with terminal.store.reading() as connection:
            batch = queue_batch(connection, after_seq, size, BYTES_MAX)
        outcomes = (
            EntryOutcome(seq=entry.seq, id=loads(entry.entry_bytes)["id"], outcome="applied", points=6)
            for entry in batch
        )
        answer = UploadAnswer(
            epoch=mark.epoch,
            watermark=batch[-1].seq,
            watermark_hash=batch[-1].hash.hex(),
            outcomes=tuple(outcomes),
            central_time=now,
        )
        yield batch[-1].seq, dumps(answer).decode()


@contextmanager
def answering(answers: Path) -> Iterator[int]:
    """Run the server of both sides as a process of its own, and give its port."""
    command = [sys.executable, "-m", "bench.answering", str(answers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().removeprefix(PORT_LINE))
        finally:
            process.terminate()


def drain_ours(backlog: Backlog, port: int) -> Drained:
    """Let the real exchange, in its thread, send a copy of the journal to its end."""
    path = _copy(backlog.journal)
    with open_terminal(path, backlog.identity) as terminal:
        return _drain(terminal, port, backlog.size)


def _drain(terminal: Terminal, port: int, size: int) -> Drained:
    """Send an open journal to its end."""
    with terminal.store.reading() as connection:
        mark = watermark(connection)
    machine = Machine(
        MachineSettings(entries_max=size), random.Random(1).randrange, watermark=mark.seq, head_seq=mark.head_seq
    )
    exchange = Exchange(
        store=terminal.store,
        writer=terminal.writer,
        machine=machine,
        client=httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False),
        identity=terminal.identity,
        host=terminal.host,
        monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
    )
    start_s, work_s = time.perf_counter(), time.process_time()
    exchange.start()
    while exchange.entries_left:
        time.sleep(POLL_S)
    drained = _drained(mark.head_seq, size, start_s, work_s)
    exchange.stop()
    return drained


def drain_raw(backlog: Backlog, port: int) -> Drained:
    """Send a copy of the plain table to its end, and delete durably what was taken."""
    path = _copy(backlog.plain)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        client = http.client.HTTPConnection("127.0.0.1", port)
        start_s, work_s = time.perf_counter(), time.process_time()
        last_seq = 0
        while rows := connection.execute(
            "SELECT seq, data FROM rows WHERE seq > ? ORDER BY seq LIMIT ?", (last_seq, backlog.size)
        ).fetchall():
            last_seq = rows[-1][0]
            body = b"\n".join([data for _, data in rows])
            client.request("POST", "/v1/entries", body, {"Loyalty-Head-Seq": str(last_seq)})
            answer = client.getresponse()
            taken = json.loads(answer.read())["watermark"]
            assert (answer.status, taken) == (200, last_seq)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM rows WHERE seq <= ?", (taken,))
            connection.execute("COMMIT")
        drained = _drained(last_seq, backlog.size, start_s, work_s)
        client.close()
    return drained


def _drained(entries: int, size: int, start_s: float, work_s: float) -> Drained:
    taken_s, worked_s = time.perf_counter() - start_s, time.process_time() - work_s
    return Drained(rate=entries / taken_s, work_ms=1000 * worked_s * size / entries)


def _copy(path: Path) -> Path:
    copy = path.with_name("copy.db")
    for name in (copy, copy.with_name("copy.db-wal"), copy.with_name("copy.db-shm")):
        name.unlink(missing_ok=True)
    shutil.copyfile(path, copy)
    return copy


DRAIN = Subject(names=tuple(name.format(size) for size in SIZES for name in (RATE, WORK)), measure=measure_drain)
