"""The one thread that writes the terminal's database. Concurrent callers share a commit; each returns after it.

The queue is bounded: a full one says `Busy` at once, and nothing of the refused call is recorded.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
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
    """Runs commands on the store in a thread of its own."""

    def __init__(self, store: Store, on_commit: Callable[[int], None] = lambda head_seq: None) -> None:
        """`on_commit` is called in the writer's thread with the journal's head after each commit."""
        self._store = store
        self._on_commit = on_commit
        self._queue: queue.Queue[_Item | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._closing = False
        self._entrance = threading.Lock()

    def start(self) -> None:
        """Start the thread; the store is open."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end the thread. The store stays open."""
        with self._entrance:
            self._closing = True
        self._queue.put(None)
        self._thread.join()

    def submit(self, command: Callable[[Transaction], T]) -> Future[T]:
        """Queue a command; the future ends after its commit. Raises Busy when the queue is full."""
        future: Future[T] = Future()
        # Under the lock, nothing is queued behind the mark that ends the thread: its caller would wait for ever.
        with self._entrance:
            if self._closing:
                raise JournalUnavailable("the agent is shutting down: retry with the same key when it is back")
            try:
                self._queue.put_nowait((command, future))  # type: ignore[arg-type]  # Future is invariant in its result
            except queue.Full:
                raise Busy(f"{QUEUE_MAX} calls wait for the journal: try again shortly with the same key") from None
        return future

    def call(self, command: Callable[[Transaction], T]) -> T:
        """Run a command and wait for its commit; its error is raised here."""
        return self.submit(command).result()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first, *self._waiting()]
            # A caller that went away before its turn is left out; from here on nobody can cancel a future.
            items = [item for item in batch if item is not None and item[1].set_running_or_notify_cancel()]
            if items:
                self._commit(items)
            if None in batch:
                return

    def _waiting(self) -> list[_Item | None]:
        batch: list[_Item | None] = []
        while len(batch) < BATCH_MAX - 1:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _commit(self, items: list[_Item]) -> None:
        try:
            results = self._store.transact([command for command, _ in items])
        except Exception as error:
            results = [Result(error=error)] * len(items)
        for (_, future), result in zip(items, results, strict=True):
            if result.error is not None:
                future.set_exception(result.error)
            else:
                future.set_result(result.value)
        try:
            self._on_commit(self._store.head_seq)
        except Exception:
            _log.exception("what follows a commit failed; the journal goes on")
