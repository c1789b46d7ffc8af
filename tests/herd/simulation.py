"""A discrete-event simulation: every terminal is a real `sync.machine.Machine`, central is a queue with a capacity.

Time is in microseconds and is only ever moved to the next event. The same seed gives the same run.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sync.machine import Failure, FetchChanges, Machine, MachineSettings, Request, Upload, Wait
from tests.herd.central import Capacity, Central, Job

__all__ = ["Herd", "Pacing", "Result", "run"]

HALF_ROUND_TRIP_US = 25_000
TIMEOUT_US = 30_000_000
"""As the agent's exchange waits for central (`EXCHANGE_TIMEOUT_S`)."""

CHANGES_PAGE = 500
SECOND_US = 1_000_000
OUTAGE_TAIL_US = 180 * SECOND_US
"""So much of the outage is simulated; what came before only made the pauses as long as they get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How the terminals behave: the machine's settings, and whether chance may spread them."""

    name: str
    settings: MachineSettings
    spread: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Herd:
    """Who comes back: so many terminals, after an outage of so many hours, each selling `sales_per_hour` on average.

    `started_within_ms` says that power came back and all agents start within this time, with central up; None says that
    central was away and they were trying all the time.
    """

    terminals: int
    outage_hours: int = 8
    sales_per_hour: int = 40
    started_within_ms: int | None = None
    seed: int = 1
    limit_s: int = 3_600


@dataclass(slots=True)
class Result:
    """What came of it, second by second from the moment at which central is back."""

    requests: list[int] = field(default_factory=list)
    entries_left: list[int] = field(default_factory=list)
    backlog: int = 0
    work_us: int = 0
    wasted_us: int = 0
    refused: int = 0
    drained_s: list[float] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The most requests in one second."""
        return max(self.requests)

    def drained_share_s(self, share: float, terminals: int) -> float | None:
        """Return when this share of the terminals had drained their backlog; None where it never came to that."""
        wanted = max(1, round(share * terminals))
        return sorted(self.drained_s)[wanted - 1] if len(self.drained_s) >= wanted else None


@dataclass(slots=True)
class _Terminal:
    """One machine, with its journal as two numbers here and one at central."""

    number: int
    machine: Machine
    head_seq: int
    backlog_seq: int
    mean_us: float
    watermark: int = 0
    held: int = 0
    snapshots: int = 0
    wake_number: int = 0
    job: Job | None = None
    drained: bool = False


class _Simulation:
    def __init__(self, herd: Herd, pacing: Pacing, capacity: Capacity) -> None:
        self._herd = herd
        self._chance = random.Random(herd.seed)
        self._jitter = random.Random(herd.seed + 1)
        self._central = Central(capacity)
        self._up = herd.started_within_ms is not None
        self._now_us = 0 if self._up else -OUTAGE_TAIL_US
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._event_number = 0
        self.result = Result()
        self._terminals = [self._terminal(number, pacing) for number in range(herd.terminals)]
        self._left = sum(one.head_seq for one in self._terminals)
        self.result.backlog = self._left

    def run(self) -> Result:
        """Run until every backlog is drained, or the limit is reached."""
        if not self._up:
            self._at(0, self._come_back)
        self._at(0, self._tick)
        while self._events and len(self.result.drained_s) < self._herd.terminals:
            self._now_us, _, event = heapq.heappop(self._events)
            if self._now_us > self._herd.limit_s * SECOND_US:
                break
            event()
        return self.result

    def _terminal(self, number: int, pacing: Pacing) -> _Terminal:
        herd, chance = self._herd, self._chance
        # Tills differ: a few sell much, most little; the mean of this is 1.
        sales_per_hour = herd.sales_per_hour * chance.lognormvariate(-0.32, 0.8)
        backlog = max(1, round(sales_per_hour * herd.outage_hours))
        machine = Machine(
            pacing.settings,
            self._jitter.randrange if pacing.spread else lambda limit: limit - 1,
            watermark=0,
            head_seq=backlog,
        )
        terminal = _Terminal(
            number=number,
            machine=machine,
            head_seq=backlog,
            backlog_seq=backlog,
            mean_us=3_600 * SECOND_US / sales_per_hour,
        )
        if herd.started_within_ms is not None:
            self._wake_at(terminal, chance.randrange(herd.started_within_ms) * 1_000)
        else:
            for _ in range(12):
                machine.failed(Failure.UNREACHABLE, self._now_us // 1_000)
            self._wake_at(terminal, self._now_us + chance.randrange(60 * SECOND_US))
        self._sell_later(terminal)
        return terminal

    def _at(self, time_us: int, event: Callable[[], None]) -> None:
        self._event_number += 1
        heapq.heappush(self._events, (time_us, self._event_number, event))

    def _come_back(self) -> None:
        self._up = True

    def _tick(self) -> None:
        self.result.requests.append(0)
        self.result.entries_left.append(self._left)
        self._at(self._now_us + SECOND_US, self._tick)

    def _sell_later(self, terminal: _Terminal) -> None:
        pause_us = int(self._chance.expovariate(1 / terminal.mean_us))
        self._at(max(self._now_us, 0) + pause_us, partial(self._sell, terminal))

    def _sell(self, terminal: _Terminal) -> None:
        terminal.head_seq += 1
        self._left += 1
        terminal.machine.appended(terminal.head_seq)
        self._sell_later(terminal)
        self._wake_at(terminal, self._now_us)

    def _wake_at(self, terminal: _Terminal, time_us: int) -> None:
        """The latest of these counts, as with the thread that waits on a condition."""
        terminal.wake_number += 1
        self._at(time_us, partial(self._wake, terminal, terminal.wake_number))

    def _wake(self, terminal: _Terminal, number: int) -> None:
        if number != terminal.wake_number or terminal.job is not None:
            return
        request = terminal.machine.next(self._now_us // 1_000)
        if isinstance(request, Wait):
            self._wake_at(terminal, request.until_ms * 1_000)
        else:
            self._send(terminal, request)

    def _send(self, terminal: _Terminal, request: Request) -> None:
        job = Job(terminal=terminal.number, request=request, entries=_entries(terminal, request))
        terminal.job = job
        if not self._up:
            failed = partial(self._fail, terminal, job, Failure.UNREACHABLE)
            self._at(self._now_us + 2 * HALF_ROUND_TRIP_US, failed)
            return
        self._at(self._now_us + HALF_ROUND_TRIP_US, partial(self._arrive, terminal, job))
        self._at(self._now_us + TIMEOUT_US, partial(self._fail, terminal, job, Failure.UNREACHABLE))

    def _arrive(self, terminal: _Terminal, job: Job) -> None:
        self.result.requests[-1] += 1
        if self._central.is_full:
            self.result.refused += 1
            wait_ms = self._central.capacity.retry_after_ms
            refused = partial(self._fail, terminal, job, Failure.THROTTLED, wait_ms)
            self._at(self._now_us + HALF_ROUND_TRIP_US, refused)
            return
        self._central.waiting.append(job)
        self._work()

    def _work(self) -> None:
        while (taken := self._central.next_job()) is not None:
            job, cost_us = taken
            self._at(self._now_us + cost_us, partial(self._done, job, cost_us))

    def _done(self, job: Job, cost_us: int) -> None:
        terminal = self._terminals[job.terminal]
        self._central.busy -= 1
        self._work()
        self.result.work_us += cost_us
        if isinstance(job.request, Upload):
            held = max(terminal.held, job.request.after_seq + job.entries)
            self._left -= held - terminal.held
            terminal.held = held
        if terminal.job is job:
            self._at(self._now_us + HALF_ROUND_TRIP_US, partial(self._answer, terminal, job))
        else:
            self.result.wasted_us += cost_us

    def _answer(self, terminal: _Terminal, job: Job) -> None:
        if terminal.job is not job:
            return
        terminal.job = None
        now_ms = self._now_us // 1_000
        if isinstance(job.request, FetchChanges):
            terminal.snapshots -= job.entries
            terminal.machine.changes_fetched(
                now_ms, more=terminal.snapshots > 0, programme_wanted=None, unconfirmed=False
            )
        else:
            terminal.snapshots += terminal.held - terminal.watermark
            terminal.watermark = terminal.held
            terminal.machine.uploaded(terminal.watermark, now_ms)
            if not terminal.drained and terminal.watermark >= terminal.backlog_seq:
                terminal.drained = True
                self.result.drained_s.append(self._now_us / SECOND_US)
        self._wake_at(terminal, self._now_us)

    def _fail(self, terminal: _Terminal, job: Job, failure: Failure, retry_after_ms: int | None = None) -> None:
        if terminal.job is not job:
            return
        terminal.job = None
        terminal.machine.failed(failure, self._now_us // 1_000, retry_after_ms)
        self._wake_at(terminal, self._now_us)


def _entries(terminal: _Terminal, request: Request) -> int:
    if isinstance(request, Upload):
        return min(request.entries_max, terminal.head_seq - request.after_seq)
    return min(CHANGES_PAGE, terminal.snapshots)


def run(herd: Herd, pacing: Pacing, capacity: Capacity) -> Result:
    """Simulate a herd that comes back to a central, from the moment at which it can."""
    return _Simulation(herd, pacing, capacity).run()
