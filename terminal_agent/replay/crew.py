"""All registers at work: one thread and one bounded queue for each, receipts of a register in the order they came.

A linked return waits until its sale was acknowledged. That cannot lock up: a sale is handed out before its returns, so
every register waits only for what was handed out earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Protocol

from terminal_agent.replay.cashier import Refusal, Task
from terminal_agent.replay.distribution import Lane

__all__ = ["Crew", "Recorder", "RegisterFailed"]

QUEUE_LENGTH_MAX = 8
POLL_S = 0.2


class RegisterFailed(Exception):
    """A register stopped; the text is that of its error."""


class Recorder(Protocol):
    """What a register does with a receipt: see `Cashier`."""

    def record(self, task: Task) -> Refusal | None:
        """Record it, or say why the agent refused."""
        ...


class _Stopping(Exception):
    """Another register failed, so this one ends too."""


class Crew:
    """The registers. One thread hands out; `on_recorded` is called by the registers' threads, for each receipt once."""

    def __init__(
        self,
        cashiers: Mapping[Lane, Recorder],
        originals: Collection[str],
        *,
        stopping: Event,
        on_recorded: Callable[[], None],
    ) -> None:
        self._queues: dict[Lane, Queue[Task | None]] = {lane: Queue(QUEUE_LENGTH_MAX) for lane in cashiers}
        self._acknowledged: dict[str, Future[bool]] = {invoice: Future() for invoice in originals}
        self._stopping = stopping
        self._on_recorded = on_recorded
        self._lock = Lock()
        self._failure: BaseException | None = None
        self._refusals: list[Refusal] = []
        self._threads = [
            Thread(target=self._work, args=(cashier, self._queues[lane]), name=lane.register, daemon=True)
            for lane, cashier in cashiers.items()
        ]
        for thread in self._threads:
            thread.start()

    def hand_out(self, lane: Lane, task: Task) -> None:
        """Give a receipt to its register, waiting while its queue is full. Raises RegisterFailed."""
        self._put(self._queues[lane], task)

    def finish(self) -> tuple[Refusal, ...]:
        """Wait until every receipt is done; return what was refused. Raises RegisterFailed."""
        for queue in self._queues.values():
            self._put(queue, None)
        for thread in self._threads:
            while thread.is_alive():
                thread.join(POLL_S)
        self._raise_failure()
        return tuple(self._refusals)

    def _put(self, queue: Queue[Task | None], task: Task | None) -> None:
        while True:
            self._raise_failure()
            try:
                return queue.put(task, timeout=POLL_S)
            except Full:
                continue

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RegisterFailed(str(self._failure)) from self._failure

    def _work(self, cashier: Recorder, queue: Queue[Task | None]) -> None:
        try:
            while (task := self._next(queue)) is not None:
                self._note(task, self._record(cashier, task))
        except _Stopping:
            return
        except Exception as error:
            # Whatever it was, the run is over: the thread that hands out raises it.
            with self._lock:
                self._failure = self._failure or error
            self._stopping.set()

    def _next(self, queue: Queue[Task | None]) -> Task | None:
        while not self._stopping.is_set():
            try:
                return queue.get(timeout=POLL_S)
            except Empty:
                continue
        raise _Stopping

    def _record(self, cashier: Recorder, task: Task) -> Refusal | None:
        original = task.step.original
        if original is not None and not self._wait_for(original.invoice):
            return Refusal(invoice=task.step.receipt.invoice, reason=f"its sale {original.invoice} was refused")
        return cashier.record(task)

    def _wait_for(self, invoice: str) -> bool:
        """Wait for a sale; False if it was refused."""
        while not self._stopping.is_set():
            try:
                return self._acknowledged[invoice].result(timeout=POLL_S)
            except TimeoutError:
                continue
        raise _Stopping

    def _note(self, task: Task, refusal: Refusal | None) -> None:
        if refusal is not None:
            with self._lock:
                self._refusals.append(refusal)
        waited_for = self._acknowledged.get(task.step.receipt.invoice)
        if waited_for is not None:
            waited_for.set_result(refusal is None)
        self._on_recorded()
