"""The run itself: hands each receipt to its register, kills what is to be killed, drains, and has all of it checked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Event

from rich.console import Console

from loyalty_sdk.model import ReceiptKey
from loyalty_sdk.till import Till
from terminal_agent.demo.acknowledged import AcknowledgedList, read_acknowledged
from terminal_agent.demo.central_rows import grants_open, read_central_rows
from terminal_agent.demo.check import Findings, check
from terminal_agent.demo.oracle import Reckoning, reckon
from terminal_agent.demo.processes import Processes
from terminal_agent.demo.rows import EntryRow, read_journal
from terminal_agent.replay.cashier import Cashier, Refusal, Task
from terminal_agent.replay.crew import Crew
from terminal_agent.replay.distribution import Lane, lane_of, lanes, receipt_key
from terminal_agent.replay.faults import Fault, plan_faults
from terminal_agent.replay.fleet import Fleet, queued
from terminal_agent.replay.linking import Step
from terminal_agent.replay.progress import show_progress
from terminal_agent.replay.receipts import Receipt
from terminal_agent.replay.results import Results
from terminal_agent.replay.settings import ReplaySettings

__all__ = ["replay"]


@dataclass(slots=True)
class _Faults:
    """Carries out the plan, and counts."""

    fleet: Fleet
    planned: Sequence[Fault]
    outage_seconds: float = 0.0
    kills: int = 0
    _next: int = 0
    _dead_since_s: float | None = None

    def after(self, index: int, lane: Lane) -> None:
        """Do what is planned right after the receipt of this index was handed to its register."""
        while self._next < len(self.planned) and self.planned[self._next].at <= index:
            fault = self.planned[self._next]
            self._next += 1
            if fault.kind == "kill":
                self._kill(lane.terminal, fault.delay_s)
            elif fault.kind == "outage_begins":
                self._begin_outage()
            else:
                self.end_outage()

    def end_outage(self) -> None:
        """Start central again where it is dead."""
        if self._dead_since_s is not None:
            self.fleet.central.start()
            self.outage_seconds += time.monotonic() - self._dead_since_s
            self._dead_since_s = None

    def _begin_outage(self) -> None:
        self.fleet.central.kill()
        self._dead_since_s = time.monotonic()

    def _kill(self, terminal: str, delay_s: float) -> None:
        # So that the kill meets the receipt anywhere on its way; nothing waits for this pause.
        time.sleep(delay_s)
        self.fleet.kill_agent(terminal)
        self.kills += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """What the recording gave beside the list."""

    refusals: tuple[Refusal, ...]
    repeats: int
    outage_seconds: float
    kills: int
    seconds: float
    complaints: tuple[str, ...]


def replay(settings: ReplaySettings, steps: Sequence[Step], document: bytes, rejects: int, console: Console) -> Results:
    """Run every step through the chain and check what came of it. Raises ProcessFailed, RegisterFailed and AgentGone.

    The directory has been prepared.
    """
    begun_s = time.monotonic()
    places = lanes(settings.stores, settings.terminals, settings.registers)
    members = members_of(steps)
    list_file = settings.directory / "acknowledged.jsonl"
    with Processes() as processes:
        terminals = list(dict.fromkeys(lane.terminal for lane in places))
        fleet = Fleet(processes, settings.directory, terminals, settings.central_database)
        with console.status(f"Starting central and {len(terminals)} agents, importing {len(members):,} members"):
            fleet.set_up(document, members)
        recorded = _record(settings, fleet, places, steps, list_file, console)
        with console.status("Checking every entry and every balance"):
            findings, reckoning = _check(fleet, list_file, document)
    return Results(
        findings=findings,
        reckoning=reckoning,
        members=len(members),
        rejects=rejects,
        linked_returns=sum(step.original is not None for step in steps),
        outage_seconds=recorded.outage_seconds,
        agent_kills=recorded.kills,
        repeats=recorded.repeats,
        recording_seconds=recorded.seconds,
        wall_seconds=time.monotonic() - begun_s,
        faults=_all_faults(recorded, findings),
    )


def members_of(steps: Sequence[Step]) -> list[str]:
    """Return every customer of the receipts, in order of first appearance."""
    return list(dict.fromkeys(step.receipt.member for step in steps if step.receipt.member is not None))


def _record(
    settings: ReplaySettings,
    fleet: Fleet,
    places: Sequence[Lane],
    steps: Sequence[Step],
    list_file: Path,
    console: Console,
) -> _Recorded:
    plan = plan_faults(len(steps), outages=settings.outages, kills=settings.kills, random=Random(settings.seed))
    faults = _Faults(fleet, plan)
    begun_s = time.monotonic()
    with ExitStack() as stack:
        tills = {lane: stack.enter_context(fleet.till(lane)) for lane in places}
        acknowledged = stack.enter_context(AcknowledgedList(list_file))
        refusals, repeats = _sell(settings, tills, acknowledged, steps, faults, console)
        one_each = {lane.terminal: till for lane, till in tills.items()}
        with show_progress(console, "Uploading", queued(one_each)) as advance:
            stalled = fleet.drain(one_each, advance)
        seconds = time.monotonic() - begun_s
        with console.status("Closing every grant"):
            stalled += fleet.recall_grants(lambda: grants_open(fleet.central.database_url))
            stalled += fleet.drain(one_each, lambda count: None)
        complaints = stalled + fleet.reconcile()
    fleet.stop()
    return _Recorded(
        refusals=refusals,
        repeats=repeats,
        outage_seconds=faults.outage_seconds,
        kills=faults.kills,
        seconds=seconds,
        complaints=complaints,
    )


def _sell(
    settings: ReplaySettings,
    tills: Mapping[Lane, Till],
    acknowledged: AcknowledgedList,
    steps: Sequence[Step],
    faults: _Faults,
    console: Console,
) -> tuple[tuple[Refusal, ...], int]:
    """Return what was refused, and how many receipts a repeated call found recorded."""
    stopping = Event()
    cashiers = {
        lane: Cashier(till, acknowledged, redeem=settings.redeem, stopping=stopping) for lane, till in tills.items()
    }
    originals = {step.original.invoice for step in steps if step.original is not None}
    with show_progress(console, "Selling", len(steps)) as advance, _stopped_at_last(stopping):
        crew = Crew(cashiers, originals, stopping=stopping, on_recorded=lambda: advance(1))
        for index, (lane, task) in enumerate(_tasks(steps, list(tills))):
            crew.hand_out(lane, task)
            faults.after(index, lane)
        refusals = crew.finish()
    faults.end_outage()
    return refusals, sum(cashier.repeats for cashier in cashiers.values())


@contextmanager
def _stopped_at_last(stopping: Event) -> Iterator[None]:
    """Let the registers end, however this does."""
    try:
        yield
    finally:
        stopping.set()


def _tasks(steps: Sequence[Step], places: Sequence[Lane]) -> Iterator[tuple[Lane, Task]]:
    for step in steps:
        lane = lane_of(step.receipt.invoice, places)
        original = None if step.original is None else _key(step.original, places)
        yield lane, Task(step=step, key=_key(step.receipt, places), original=original)


def _key(receipt: Receipt, places: Sequence[Lane]) -> ReceiptKey:
    return receipt_key(receipt, lane_of(receipt.invoice, places))


def _check(fleet: Fleet, list_file: Path, document: bytes) -> tuple[Findings, Reckoning]:
    lines = read_acknowledged(list_file)
    reckoning = reckon(lines, json.loads(document))
    journals: list[EntryRow] = [entry for agent in fleet.agents.values() for entry in read_journal(agent.journal)]
    return check(lines, reckoning, journals, read_central_rows(fleet.central.database_url)), reckoning


def _all_faults(recorded: _Recorded, findings: Findings) -> tuple[str, ...]:
    refused = (f"receipt {refusal.invoice} was refused: {refusal.reason}" for refusal in recorded.refusals)
    return (*refused, *findings.faults, *recorded.complaints)
