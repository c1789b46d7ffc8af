"""Central as a queue: requests wait in order for one of its processes, and each costs what was measured.

Does not judge anything, and does not know who still waits for an answer: it works for those who gave up as well, and
that is how an overloaded server wastes what it has.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sync.machine import Request, Upload

__all__ = ["Capacity", "Central", "Job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a request costs one process, in microseconds, and how many processes there are.

    `waiting_max` is how many requests may wait before further ones are told to come back after `retry_after_ms`;
    None lets all of them wait.
    """

    processes: int
    upload_us: int
    entry_us: int
    changes_us: int
    snapshot_us: int
    waiting_max: int | None = None
    retry_after_ms: int = 5_000

    def cost_us(self, request: Request, entries: int) -> int:
        """Return the work of a request that brings so many entries, or fetches so many snapshots."""
        if isinstance(request, Upload):
            return self.upload_us + entries * self.entry_us
        return self.changes_us + entries * self.snapshot_us


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """A request under way: of which terminal, what it asks, and how many entries or snapshots it is about."""

    terminal: int
    request: Request
    entries: int


@dataclass(slots=True)
class Central:
    """The processes and the queue before them. Time is its owner's."""

    capacity: Capacity
    waiting: deque[Job] = field(default_factory=deque)
    busy: int = 0

    @property
    def is_full(self) -> bool:
        """Whether no further request may wait."""
        limit = self.capacity.waiting_max
        return limit is not None and len(self.waiting) >= limit

    def next_job(self) -> tuple[Job, int] | None:
        """Take up the next request where a process is free; return it with its work in microseconds."""
        if not self.waiting or self.busy >= self.capacity.processes:
            return None
        job = self.waiting.popleft()
        self.busy += 1
        return job, self.capacity.cost_us(job.request, job.entries)
