"""The one writer of the terminal's database. Concurrent callers share a commit; each returns after it.

A caller that finds nobody at work commits on its own thread, since handing the work to another thread and being woken
again costs more than the rest of a sale. While somebody commits, the others wait in a queue, and the writer's thread
commits for all of them together. The turn is a lock: one transaction at a time, on the one writing connection (Law 1).

The queue is bounded: a full one says `Busy` at once, and nothing of the refused call is recorded.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from loyalty_sdk.errors import Busy, JournalUnavailable
from sync.store import Command, Result, Store
from sync.transaction import Transaction

__all__ = ["Writer"]

T = TypeVar("T")
QUEUE_MAX = 1_000
BATCH_MAX = 100

_Item = tuple[Command, "Future[object]"]

_log = logging.getLogger(__name__)


class Writer:
    """Runs commands on the store, one transaction at a time."""

    def __init__(self, store: Store, on_commit: Callable[[int], None] = lambda head_seq: None) -> None:
        """`on_commit` is called with the journal's head after each commit, in the thread that made it."""
        self._store = store
        self._on_commit = on_commit
        self._turn = threading.Lock()
        self._entrance = threading.Lock()
        self._waiting: deque[_Item] = deque()
        self._wakings: SimpleQueue[bool] = SimpleQueue()  # One for each call that waits; False ends the thread.
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._closing = False

    def start(self) -> None:
        """Start the thread; the store is open."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what was begun and what is queued, then end the thread. The store stays open."""
        with self._entrance:
            self._closing = True
        self._wakings.put(False)
        self._thread.join()
        with self._turn:  # A caller may still be at it.
            pass

    def submit(self, command: Callable[[Transaction], T]) -> Future[T]:
        """Queue a command; the future ends after its commit. Never blocks. Raises Busy when the queue is full."""
        with self._entrance:
            self._refuse_late()
            return self._enqueue(command)

    def call(self, command: Callable[[Transaction], T]) -> T:
        """Run a command and return after its commit; its error is raised here. Raises Busy when the queue is full."""
        with self._entrance:
            self._refuse_late()
            # Nobody overtakes those who wait.
            future = None if not self._waiting and self._turn.acquire(blocking=False) else self._enqueue(command)
        if future is not None:
            return future.result()
        try:
            (result,) = self._store.transact([command])
            self._tell()
        finally:
            self._turn.release()
        if result.error is not None:
            raise result.error
        value: T = result.value
        return value

    def _refuse_late(self) -> None:
        """Behind the mark that ends the thread, a call would wait for ever."""
        if self._closing:
            raise JournalUnavailable("the agent is shutting down: retry with the same key when it is back")

    def _enqueue(self, command: Callable[[Transaction], T]) -> Future[T]:
        if len(self._waiting) >= QUEUE_MAX:
            raise Busy(f"{QUEUE_MAX} calls wait for the journal: try again shortly with the same key")
        future: Future[T] = Future()
        self._waiting.append((command, future))  # type: ignore[arg-type]  # Future is invariant in its result
        self._wakings.put(True)
        return future

    def _run(self) -> None:
        while self._wakings.get():
            with self._turn:
                self._commit([self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))])

    def _commit(self, batch: list[_Item]) -> None:
        # A caller that went away before its turn is left out; from here on nobody can cancel a future.
        items = [item for item in batch if item[1].set_running_or_notify_cancel()]
        if not items:
            return
        try:
            results = self._store.transact([command for command, _ in items])
        except Exception as error:
            results = [Result(error=error)] * len(items)
        for (_, future), result in zip(items, results, strict=True):
            if result.error is not None:
                future.set_exception(result.error)
            else:
                future.set_result(result.value)
        self._tell()

    def _tell(self) -> None:
        try:
            self._on_commit(self._store.head_seq)
        except Exception:
            _log.exception("what follows a commit failed; the journal goes on")
