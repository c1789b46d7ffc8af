"""A journal with a great backlog, against the same with 1,000 entries, and against queues of the same length."""

from __future__ import annotations

import asyncio
import pickle
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.measure import Rounds, contest, timed_ms
from bench.peers import ROW, library
from bench.rows import Row, Target, at_most, compared
from bench.terminal import Terminal, fill, new_identity, open_terminal, prepare, stock_members
from bench.workshop import Subject, Workshop
from loyalty_sdk.codec import loads
from loyalty_sdk.model import Status
from loyalty_sdk.protocol import EntryOutcome, UploadAnswer
from sync.answers import StoreAcknowledgement
from sync.identity import Identity
from sync.journal import QueuedEntry, queue_batch, watermark
from sync.pruning import Prune
from sync.store import Store
from terminal_agent.bootstrap import system_host
from terminal_agent.events import EventHub
from terminal_agent.progress import ProgressMeter
from terminal_agent.status import StatusReader

__all__ = ["BACKLOG"]

SMALL_ENTRIES = 1_000
BATCH_ENTRIES = 200
BATCH_BYTES = 4_000_000
ACKNOWLEDGED_A_ROUND = 3
OPENINGS_A_ROUND = 3
PEER_FILL_ROWS = 10_000
OTHER = "with 1,000"

RECORD = "with a backlog: record a sale, p50"
FETCH = "with a backlog: fetch a batch of 200, p50"
ACKNOWLEDGE = "with a backlog: acknowledge entries, p50"
OPEN = "with a backlog: open the journal"
STATUS = "with a backlog: status, p50"
WAL = "with a backlog: write-ahead log"
DRAINED = "with a backlog: file after drain and prune"
LIMIT = "10 MB and 100 bytes for each receipt"
LIMIT_MB = 10
RECEIPT_BYTES = 100
DRAINED_AT_ONCE = 10_000


def measure_backlog(workshop: Workshop) -> Iterator[Row]:
    """Fill two journals, let them take turns, and remove them."""
    directory = workshop.directory / "backlog"
    directory.mkdir()
    identity = new_identity()
    paths = {"ours": directory / "large.db", OTHER: directory / "small.db"}
    for name, entries in (("ours", workshop.entries), (OTHER, SMALL_ENTRIES)):
        workshop.begin(f"filling a journal with {entries:,} entries", entries)
        prepare(paths[name], identity)
        fill(paths[name], identity, entries, workshop.advance)
    yield from _openings(workshop, paths, identity)
    with ExitStack() as stack:
        terminals = {
            name: stack.enter_context(open_terminal(path, identity, first_number=10 * workshop.entries))
            for name, path in paths.items()
        }
        yield from _turns(workshop, RECORD, {name: one.record for name, one in terminals.items()}, at_most(1.3))
        wal = (directory / "large.db-wal").stat().st_size / 1e6
        small_wal = (directory / "small.db-wal").stat().st_size / 1e6
        yield compared(WAL, "MB", [wal], [small_wal], OTHER, at_most(8, "ours"))
        yield from _fetches(workshop, directory, terminals)
        yield from _statuses(workshop, terminals)
        yield from _acknowledgements(workshop, terminals)
    with open_terminal(paths["ours"], identity) as terminal:
        receipts = _drain_and_prune(workshop, terminal)
    limit = LIMIT_MB + RECEIPT_BYTES * receipts / 1e6
    yield compared(DRAINED, "MB", [paths["ours"].stat().st_size / 1e6], [limit], LIMIT, at_most(1))
    shutil.rmtree(directory)


def _openings(workshop: Workshop, paths: dict[str, Path], identity: Identity) -> Iterator[Row]:
    """What stands between the start of an agent and its first sale, as far as the journal is concerned."""
    workshop.begin("opening the journals", workshop.rounds)
    taken: dict[str, list[float]] = {name: [] for name in paths}
    with _persist_queue(workshop) as open_queue:
        taken["persist-queue"] = []
        for _ in range(workshop.rounds):
            for name, path in paths.items():
                taken[name].append(min(_opening_ms(path, identity) for _ in range(OPENINGS_A_ROUND)))
            taken["persist-queue"].append(timed_ms(open_queue))
            workshop.step()
    yield compared(OPEN, "ms", taken["ours"], taken[OTHER], OTHER, at_most(50, "ours"))
    yield compared(OPEN, "ms", taken["ours"], taken["persist-queue"], "persist-queue with as many")


def _opening_ms(path: Path, identity: Identity) -> float:
    store = Store(path, identity, system_host(), "bench")
    start = time.perf_counter()
    store.open()
    with store.reading() as connection:
        watermark(connection)
    taken_ms = (time.perf_counter() - start) * 1000
    store.close()
    return taken_ms


def _turns(workshop: Workshop, name: str, sides: dict[str, Callable[[], object]], target: Target) -> Iterator[Row]:
    workshop.begin(name, workshop.rounds)
    taken = contest(sides, rounds=workshop.rounds, operations=workshop.operations, advance=workshop.step)
    yield _p50(name, taken, OTHER, target)


def _p50(name: str, taken: dict[str, Rounds], other: str, target: Target | None) -> Row:
    return compared(name, "ms", taken["ours"].p50s_ms, taken[other].p50s_ms, other, target)


def _fetches(workshop: Workshop, directory: Path, terminals: dict[str, Terminal]) -> Iterator[Row]:
    workshop.begin(FETCH, workshop.rounds)
    with _litequeue(workshop) as pop:
        sides: dict[str, Callable[[], object]] = {name: _fetch(one) for name, one in terminals.items()}
        # One that it fetches: it has no batches.
        sides["litequeue"] = pop
        taken = contest(sides, rounds=workshop.rounds, operations=5, advance=workshop.step)
    yield _p50(FETCH, taken, OTHER, at_most(1.3))
    yield compared(FETCH, "ms", taken["ours"].p50s_ms, taken["litequeue"].p50s_ms, "litequeue, one of as many")


def _fetch(terminal: Terminal) -> Callable[[], object]:
    def fetch() -> object:
        with terminal.store.reading() as connection:
            mark = watermark(connection)
            return queue_batch(connection, mark.seq, BATCH_ENTRIES, BATCH_BYTES)

    return fetch


def _statuses(workshop: Workshop, terminals: dict[str, Terminal]) -> Iterator[Row]:
    workshop.begin(STATUS, workshop.rounds)
    loop = asyncio.new_event_loop()
    try:
        readers = {name: _status_reader(one) for name, one in terminals.items()}
        sides = {name: partial(_read_status, loop, reader) for name, reader in readers.items()}
        taken = contest(sides, rounds=workshop.rounds, operations=workshop.operations, advance=workshop.step)
    finally:
        loop.close()
    yield _p50(STATUS, taken, OTHER, at_most(1, "ours"))


def _read_status(loop: asyncio.AbstractEventLoop, reader: StatusReader) -> Status:
    return loop.run_until_complete(reader.read())


def _status_reader(terminal: Terminal) -> StatusReader:
    # No device and no exchange is there; what they would add is read from memory.
    exchange: Any = SimpleNamespace(online=False, trouble="")
    printing: Any = SimpleNamespace(state=lambda: (0, ()))
    return StatusReader(
        store=terminal.store,
        exchange=exchange,
        identity=terminal.identity,
        printing=printing,
        hub=EventHub(),
        meter=ProgressMeter(lambda: 0),
    )


def _acknowledgements(workshop: Workshop, terminals: dict[str, Terminal]) -> Iterator[Row]:
    """As many entries at a time as the small journal has for every round."""
    workshop.begin(ACKNOWLEDGE, workshop.rounds)
    times = ACKNOWLEDGED_A_ROUND * (workshop.rounds + 1)  # One round more, to warm up.
    entries = max(1, SMALL_ENTRIES // times)
    sides = {name: _acknowledge(one, entries, times) for name, one in terminals.items()}
    taken = contest(sides, rounds=workshop.rounds, operations=ACKNOWLEDGED_A_ROUND, advance=workshop.step)
    yield _p50(ACKNOWLEDGE, taken, OTHER, at_most(1.3))


def _acknowledge(terminal: Terminal, entries: int, times: int) -> Callable[[], object]:
    """Return what acknowledges the next entries, as the answer to an upload does; the answers are made beforehand."""
    with terminal.store.reading() as connection:
        epoch = watermark(connection).epoch
        batches = [queue_batch(connection, number * entries, entries, BATCH_BYTES) for number in range(times)]
    answers = iter([_answer(epoch, batch) for batch in batches])
    return lambda: terminal.writer.call(StoreAcknowledgement(answer=next(answers)))


def _answer(epoch: str, batch: Sequence[QueuedEntry]) -> UploadAnswer:
    outcomes = (EntryOutcome(seq=entry.seq, id=loads(entry.entry_bytes)["id"], outcome="applied") for entry in batch)
    return UploadAnswer(
        epoch=epoch,
        watermark=batch[-1].seq,
        watermark_hash=batch[-1].hash.hex(),
        outcomes=tuple(outcomes),
        central_time=datetime.now(UTC),
    )


def _drain_and_prune(workshop: Workshop, terminal: Terminal) -> int:
    """Acknowledge everything, let the snapshots contain it, and prune without retention; return the receipts kept."""
    with terminal.store.reading() as connection:
        mark = watermark(connection)
    workshop.begin("drain and prune", mark.head_seq)
    for seq in [*range(mark.seq + DRAINED_AT_ONCE, mark.head_seq, DRAINED_AT_ONCE), mark.head_seq]:
        with terminal.store.reading() as connection:
            batch = queue_batch(connection, seq - 1, 1, BATCH_BYTES)
        terminal.writer.call(StoreAcknowledgement(answer=_answer(mark.epoch, batch)))
    terminal.writer.call(stock_members)
    while pruned := terminal.writer.call(Prune(retention=timedelta(0))):
        workshop.advance(pruned)
    with terminal.store.reading() as connection:
        receipts: int = connection.exec_driver_sql("SELECT count(*) FROM receipts").scalar_one()
        return receipts


@contextmanager
def _persist_queue(workshop: Workshop) -> Iterator[Callable[[], object]]:
    """Give what opens a persist-queue of as many rows; they are put straight into its table."""
    queue_class = library("persistqueue").SQLiteQueue
    folder = workshop.directory / "persist-queue"
    queue = queue_class(str(folder))
    for start in range(0, workshop.entries, PEER_FILL_ROWS):
        rows = [(pickle.dumps(ROW), 0.0)] * min(PEER_FILL_ROWS, workshop.entries - start)
        queue._putter.executemany(queue._sql_insert, rows)
        queue._putter.commit()
    del queue
    yield lambda: queue_class(str(folder))
    shutil.rmtree(folder)


@contextmanager
def _litequeue(workshop: Workshop) -> Iterator[Callable[[], object]]:
    """Give what takes a row out of a litequeue of as many; they are put straight into its table."""
    folder = workshop.directory / "litequeue"
    folder.mkdir()
    queue = library("litequeue").LiteQueue(str(folder / "lite.db"))
    insert = f"INSERT INTO {queue.table} VALUES (?, ?, 0, 0, NULL, NULL)"
    text = "x" * len(ROW)
    for start in range(0, workshop.entries, PEER_FILL_ROWS):
        numbers = range(start, min(start + PEER_FILL_ROWS, workshop.entries))
        queue.conn.execute("BEGIN")
        queue.conn.executemany(insert, ((text, str(uuid.UUID(int=number))) for number in numbers))
        queue.conn.execute("COMMIT")
    yield queue.pop
    queue.close()
    shutil.rmtree(folder)


BACKLOG = Subject(
    names=(OPEN, RECORD, WAL, FETCH, STATUS, ACKNOWLEDGE, DRAINED), measure=measure_backlog, needs_peers=True
)
