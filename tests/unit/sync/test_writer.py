"""The writer: shared commits, its bounded queue, and callers that go away."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from loyalty_sdk.errors import Busy, HoldUnknown, JournalUnavailable
from sync import writer as writers
from sync.store import Command, Hooks
from sync.transaction import Transaction
from sync.writer import Writer
from tests.support.agent_process import wait_until
from tests.support.terminal_memory import MEMBER, TerminalMemory

WAIT_S = 30


@dataclass
class Bench:
    """A writer on a real file whose commits can be held back."""

    path: Path
    commits: list[int] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    committing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        hooks = Hooks(before_commit=self._before, after_commit=lambda commands: self.commits.append(len(commands)))
        self.memory = TerminalMemory(path=self.path, hooks=hooks)
        self.commits.clear()
        self.writer = Writer(self.memory.store, on_commit=self.heads.append)
        self.writer.start()

    def _before(self, commands: Sequence[Command]) -> None:
        self.committing.set()
        assert self.gate.wait(WAIT_S)

    def hold_back(self) -> Future[int]:
        """Stop the writer in the middle of a commit; what is submitted now has to wait."""
        self.gate.clear()
        self.committing.clear()
        first = self.writer.submit(lambda transaction: transaction.head.seq)
        assert self.committing.wait(WAIT_S)
        return first

    def submit_sale(self) -> Future[object]:
        memory = self.memory
        return self.writer.submit(memory.sale_command(memory.sale_request(member_id=MEMBER)))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(path=tmp_path / "journal.db")
    yield bench
    bench.gate.set()
    bench.writer.stop()
    bench.memory.store.close()


def test_callers_that_wait_together_share_a_commit(bench: Bench) -> None:
    bench.hold_back()
    futures = [bench.submit_sale() for _ in range(10)]
    bench.gate.set()
    for future in futures:
        future.result(WAIT_S)
    assert bench.commits == [1, 10]
    assert bench.heads[-1] == 11
    bench.memory.check_chain()


def test_a_batch_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "BATCH_MAX", 4)
    bench.hold_back()
    futures = [bench.submit_sale() for _ in range(10)]
    bench.gate.set()
    for future in futures:
        future.result(WAIT_S)
    assert bench.commits == [1, 4, 4, 2]


def test_law_1_a_future_ends_after_its_own_commit(bench: Bench) -> None:
    first = bench.hold_back()
    later = bench.submit_sale()
    assert not first.done()
    assert not later.done()
    bench.gate.set()
    first.result(WAIT_S)
    later.result(WAIT_S)
    assert len(bench.memory.entries()) == 2


def test_law_1_what_a_caller_was_told_is_on_the_disk(bench: Bench) -> None:
    def sell_and_look(_number: int) -> bool:
        sale = bench.submit_sale().result(WAIT_S)
        return bool(bench.memory.scalar("SELECT count(*) FROM entries WHERE id = ?", sale.entry_id))  # type: ignore[attr-defined]  # the future of a sale

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(sell_and_look, range(40)))
    bench.memory.check_chain()
    assert len(bench.memory.entries()) == 41


def test_an_error_reaches_its_caller_only(bench: Bench) -> None:
    def refuse(_transaction: Transaction) -> None:
        raise HoldUnknown("no such hold")

    bench.hold_back()
    refused, fine = bench.writer.submit(refuse), bench.submit_sale()
    bench.gate.set()
    with pytest.raises(HoldUnknown):
        refused.result(WAIT_S)
    fine.result(WAIT_S)


def test_a_failing_batch_is_told_to_all_and_the_writer_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_commands: Sequence[Command]) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(bench.memory.store, "transact", broken)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                bench.submit_sale().result(WAIT_S)
    bench.submit_sale().result(WAIT_S)


def test_a_full_queue_says_busy_at_once_and_records_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "QUEUE_MAX", 3)
    bench = Bench(path=tmp_path / "journal.db")
    bench.hold_back()
    futures = [bench.submit_sale() for _ in range(3)]
    with pytest.raises(Busy, match="same key"):
        bench.submit_sale()
    bench.gate.set()
    for future in futures:
        future.result(WAIT_S)
    bench.submit_sale().result(WAIT_S)
    bench.writer.stop()
    assert len(bench.memory.entries()) == 5
    bench.memory.store.close()


def test_stop_finishes_what_is_queued_and_then_refuses(bench: Bench) -> None:
    bench.hold_back()
    futures = [bench.submit_sale() for _ in range(5)]
    stopping = threading.Thread(target=bench.writer.stop)
    stopping.start()
    bench.gate.set()
    stopping.join(WAIT_S)
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(JournalUnavailable, match="same key"):
        bench.submit_sale()


def test_no_caller_hangs_while_the_writer_stops(bench: Bench) -> None:
    """Each submit during a stop is either finished or refused, never forgotten behind the last mark."""
    futures: list[Future[object]] = []
    refused = threading.Event()

    def submit_until_refused() -> None:
        try:
            while True:
                futures.append(bench.submit_sale())
        except (JournalUnavailable, Busy):
            refused.set()

    threads = [threading.Thread(target=submit_until_refused) for _ in range(4)]
    for thread in threads:
        thread.start()
    bench.writer.stop()
    for thread in threads:
        thread.join(WAIT_S)
    assert refused.is_set()
    assert all(future.done() for future in futures)


def test_a_caller_that_went_away_does_not_stop_the_writer(bench: Bench) -> None:
    bench.hold_back()
    gone, stays = bench.submit_sale(), bench.submit_sale()
    assert gone.cancel()
    bench.gate.set()
    stays.result(WAIT_S)
    assert bench.submit_sale().result(WAIT_S)
    assert len(bench.memory.entries()) == 3


def test_a_call_under_way_cannot_be_cancelled_any_more(bench: Bench) -> None:
    first = bench.hold_back()
    assert not first.cancel()
    bench.gate.set()
    assert first.result(WAIT_S) == 1


def test_an_observer_that_fails_does_not_stop_the_writer(bench: Bench) -> None:
    bench.writer._on_commit = lambda head_seq: 1 // 0  # type: ignore[assignment]  # never returns
    bench.submit_sale().result(WAIT_S)
    bench.submit_sale().result(WAIT_S)


def test_a_lone_caller_commits_on_its_own_thread(bench: Bench) -> None:
    seen: list[threading.Thread] = []

    def look(_transaction: Transaction) -> None:
        seen.append(threading.current_thread())

    bench.writer.call(look)
    bench.writer.submit(look).result(WAIT_S)
    assert seen == [threading.current_thread(), bench.writer._thread]
    assert bench.commits == [1, 1]


def test_an_error_of_a_lone_caller_is_raised_and_the_next_one_has_its_turn(bench: Bench) -> None:
    def refuse(_transaction: Transaction) -> None:
        raise HoldUnknown("no such hold")

    for _ in range(2):
        with pytest.raises(HoldUnknown):
            bench.writer.call(refuse)
    assert bench.writer.call(lambda transaction: transaction.head.seq) == 1


def test_a_lone_caller_that_fails_badly_gives_its_turn_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_commands: Sequence[Command]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bench.memory.store, "transact", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.writer.call(lambda transaction: None)
    assert bench.writer.call(lambda transaction: transaction.head.seq) == 1


def test_a_caller_waits_behind_those_who_wait(bench: Bench) -> None:
    """While a commit is under way, calls join the queue in their order and share the next one."""
    order: list[str] = []
    bench.hold_back()
    first = bench.writer.submit(lambda transaction: order.append("submitted"))
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(bench.writer.call, lambda transaction: order.append("called"))
        wait_until(lambda: len(bench.writer._waiting) == 2, "both calls wait")
        assert not second.done()
        bench.gate.set()
        second.result(WAIT_S)
    first.result(WAIT_S)
    assert order == ["submitted", "called"]
    assert bench.commits == [1, 2]


def test_nobody_overtakes_those_who_wait(bench: Bench) -> None:
    """The writer's thread may be slow to take its turn: a lone caller may not take it before those in the queue."""
    order: list[str] = []
    idle = Writer(bench.memory.store)
    first = idle.submit(lambda transaction: order.append("submitted"))
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(idle.call, lambda transaction: order.append("called"))
        wait_until(lambda: second.done() or len(idle._waiting) == 2, "the call has taken its place")
        idle.start()
        second.result(WAIT_S)
    first.result(WAIT_S)
    idle.stop()
    assert order == ["submitted", "called"]


def test_stop_waits_for_a_caller_that_commits_itself(bench: Bench) -> None:
    bench.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        selling = pool.submit(bench.writer.call, lambda transaction: transaction.head.seq)
        assert bench.committing.wait(WAIT_S)
        stopping = pool.submit(bench.writer.stop)
        bench.writer._thread.join(WAIT_S)
        assert not stopping.done()
        bench.gate.set()
        stopping.result(WAIT_S)
        assert selling.result(WAIT_S) == 1
    with pytest.raises(JournalUnavailable):
        bench.writer.call(lambda transaction: None)


def test_law_3_callers_of_both_kinds_leave_one_chain(bench: Bench) -> None:
    def sell(number: int) -> None:
        command = bench.memory.sale_command(bench.memory.sale_request(receipt_number=str(number), member_id=MEMBER))
        if number % 2:
            bench.writer.call(command)
        else:
            bench.writer.submit(command).result(WAIT_S)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sell, range(80)))
    bench.memory.check_chain()
    assert len(bench.memory.entries()) == 81
    assert bench.heads == sorted(bench.heads)
