"""The jobs of central: what each does in one transaction, how often, and how much of it there is. A table, no clock.

A job does nothing that has not become true before it runs: points expire at their date, and whoever touches a member
settles its account first. It only brings that into the books for those whom nobody touches. So a job may be late, be
killed at any moment and run again: each step is one transaction, which either happened whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from central_api.capabilities import Capabilities
from central_api.jobs.retention import count_useless, remove_useless
from central_api.judging.held import HELD_DAYS, NAMES_AT_ONCE, count_held, count_held_long, judge_held, names_waited_for
from central_api.ledger.records import Place
from central_api.ledger.totals import count_parts, fold_totals
from central_api.members.decisions import due_members, settle
from central_api.problems import refuse
from central_api.storage.schema_ledger import settlements

__all__ = ["JOBS", "Job", "Step", "Task", "jobs_named"]

# As many as one transaction settles: tills wait for it on SQLite.
MEMBERS_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a step works with: one transaction, and where in its work the job is.

    Entries of `set_aside` are quarantined, what is `left_out` is not touched, and with `only`, nothing else is.
    """

    connection: Connection
    capabilities: Capabilities
    tenant: str
    position: str = ""
    set_aside: Set[Place] = field(default_factory=frozenset)
    left_out: Collection[str] = ()
    only: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a step did: `done` things; whether there is `more`, and at which position; at the end a `note`."""

    done: int
    more: bool
    position: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. A server does it every `every_s` seconds; `size` tells how much there is to do now.

    `names` tells what the next step would do, where it does one thing after the other: where a step fails, each of
    them is then tried alone, so that one that is damaged keeps no other waiting.
    """

    name: str
    text: str
    every_s: int
    step: Callable[[Task], Step]
    size: Callable[[Task], int]
    names: Callable[[Task], Sequence[str]] | None = None


def jobs_named(name: str | None) -> Sequence[Job]:
    """Return all jobs, or the one of a name. Raises Refused `not-found`."""
    found = [job for job in JOBS if name in (None, job.name)]
    if not found:
        raise refuse("not-found", f"there is no job {name}; the jobs are {', '.join(job.name for job in JOBS)}")
    return found


def _due(task: Task) -> Sequence[str]:
    return task.only or due_members(
        task.connection, task.tenant, task.capabilities.now(), MEMBERS_AT_ONCE, task.left_out
    )


def _settle(task: Task) -> Step:
    members = _due(task)
    settle(task.connection, task.capabilities, task.tenant, members)
    return Step(done=len(members), more=bool(members))


def _count_due(task: Task) -> int:
    due = (settlements.c.tenant == task.tenant) & (settlements.c.next_due_at <= task.capabilities.now())
    return int(task.connection.execute(select(func.count()).select_from(settlements).where(due)).scalar_one())


def _fold_totals(task: Task) -> Step:
    folded = fold_totals(task.connection, task.tenant)
    return Step(done=folded, more=folded > 0)


def _awaited(task: Task) -> Sequence[str]:
    return task.only or names_waited_for(task.connection, task.tenant, task.position)


def _judge_held(task: Task) -> Step:
    names = _awaited(task)
    judged = [name for name in names if name not in task.left_out]
    judge_held(task.connection, task.capabilities, task.tenant, judged, task.set_aside)
    if task.only or len(names) == NAMES_AT_ONCE:
        return Step(done=len(judged), more=True, position=task.position if task.only else names[-1])
    count = count_held_long(task.connection, task.tenant, task.capabilities.now())
    note = f"{count} entries are held for more than {HELD_DAYS} days; see: loyalty-central jobs held" if count else ""
    return Step(done=len(judged), more=False, note=note)


def _remove_useless(task: Task) -> Step:
    removed = remove_useless(task.connection, task.tenant, task.capabilities.now())
    return Step(done=removed, more=removed > 0)


def _of_tenant(count: Callable[[Connection, str], int]) -> Callable[[Task], int]:
    return lambda task: count(task.connection, task.tenant)


def _of_tenant_now(count: Callable[[Connection, str, Any], int]) -> Callable[[Task], int]:
    return lambda task: count(task.connection, task.tenant, task.capabilities.now())


JOBS: Sequence[Job] = (
    Job(
        name="settle",
        text="book what is due of members whom nobody touches: points that expire, points that become available",
        every_s=60,
        step=_settle,
        names=_due,
        size=_count_due,
    ),
    Job(
        name="totals",
        text="add what was booked to the programme's totals by day",
        every_s=60,
        step=_fold_totals,
        size=_of_tenant(count_parts),
    ),
    Job(
        name="held",
        text=f"judge again what waits for a sale or a card, and say what has waited for more than {HELD_DAYS} days",
        every_s=3_600,
        step=_judge_held,
        names=_awaited,
        size=_of_tenant(count_held),
    ),
    Job(
        name="retention",
        text="delete answers kept for an Idempotency-Key, expired codes of terminals and secrets of API keys",
        every_s=3_600,
        step=_remove_useless,
        size=_of_tenant_now(count_useless),
    ),
)
