"""Simulated time: a queue of events, and tasks that park until an event wakes them. Decides nothing by itself.

Tasks are greenlets, so that real code which waits (the exchange, the service) runs unchanged and without a thread.
Only the main loop switches to a task, so no task ever runs inside another.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # it publishes no types

__all__ = ["Ended", "Life", "Parking", "Scheduler"]

EVENTS_MAX = 5_000_000


class Ended(BaseException):
    """The process that a call was made of, or made to, is no more. No handler of real code may stop it."""


class Parking:
    """The place where one task waits, once: what wakes it first, wins."""

    __slots__ = ("_over", "_scheduler", "_task")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._task = getcurrent()
        self._over = False

    def wake(self, value: Any = None) -> None:
        """Go on with a value."""
        if not self._over:
            self._over = True
            self._scheduler.after(0, lambda: self._task.switch(value))

    def fail(self, error: BaseException) -> None:
        """Go on with an error."""
        if not self._over:
            self._over = True
            self._scheduler.after(0, lambda: self._task.throw(error))

    @property
    def over(self) -> bool:
        """Whether the task was woken."""
        return self._over


class Scheduler:
    """The one clock, the one source of chance, and the one queue of a simulation."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now_ms = 0
        self._queue: list[tuple[int, int, Callable[[], object]]] = []
        self._count = 0
        self._main = getcurrent()

    def after(self, delay_ms: int, event: Callable[[], object]) -> None:
        """Let something happen later; what is due at the same time happens in the order in which it was asked for."""
        self._count += 1
        heapq.heappush(self._queue, (self.now_ms + max(0, delay_ms), self._count, event))

    def spawn(self, run: Callable[[], None]) -> None:
        """Start a task."""
        self.after(0, greenlet(_until_ended(run), self._main).switch)

    def park(self) -> Parking:
        """Return a place for the running task to wait at."""
        return Parking(self)

    def wait(self) -> Any:
        """Leave the running task until its parking is woken."""
        return self._main.switch()

    def sleep(self, delay_ms: int) -> None:
        """Let the running task wait for a time."""
        parking = self.park()
        self.after(delay_ms, parking.wake)
        self.wait()

    def run(self, until: Callable[[], bool], deadline_ms: int) -> bool:
        """Let things happen until something holds; False where the deadline comes first."""
        for _ in range(EVENTS_MAX):
            if until():
                return True
            if not self._queue or self._queue[0][0] > deadline_ms:
                return False
            at_ms, _, event = heapq.heappop(self._queue)
            self.now_ms = max(self.now_ms, at_ms)
            event()
        return False

    def jump(self, delay_ms: int) -> None:
        """Move time on as for a machine that slept: what was due meanwhile is late."""
        self.now_ms += delay_ms

    def chance(self, probability: float) -> bool:
        """Draw lots."""
        return probability > 0 and self.random.random() < probability

    def clear(self) -> None:
        """Drop what is left, so that no task outlives its simulation."""
        self._queue.clear()


class Life:
    """One life of a process: when it ends, everything that waits in it ends too."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._parked: list[Parking] = []
        self.over = False

    def park(self) -> Parking:
        """Return a place for the running task to wait at, as long as this life lasts."""
        if self.over:
            raise Ended
        self._parked = [parking for parking in self._parked if not parking.over]
        parking = self._scheduler.park()
        self._parked.append(parking)
        return parking

    def wait(self) -> Any:
        """Leave the running task until its parking is woken; this life may be over by then."""
        try:
            value = self._scheduler.wait()
        except BaseException:
            if not self.over:
                raise
        if self.over:
            raise Ended
        return value

    def end(self) -> None:
        """End it: whoever waits gets Ended."""
        self.over = True
        for parking in self._parked:
            parking.fail(Ended())


def _until_ended(run: Callable[[], None]) -> Callable[[], None]:
    def task() -> None:
        try:
            run()
        except Ended:
            return

    return task
