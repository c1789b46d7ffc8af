"""The scenarios of the herd, and what is told of each run. Simulates nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync.machine import MachineSettings
from tests.herd.central import Capacity
from tests.herd.simulation import Herd, Pacing, Result

__all__ = ["CAPACITY", "OFF", "ON", "Scenario", "Told", "scenarios", "tell"]

ON = Pacing(name="on", settings=MachineSettings(), spread=True)
"""The agent as it is."""

OFF = Pacing(name="off", settings=MachineSettings(backoff_ms=5_000, backoff_ms_max=5_000, pacing=0), spread=False)
"""What is often written instead: every five seconds again, and at the very moment that `Retry-After` names."""

CAPACITY = Capacity(processes=16, upload_us=26_600, entry_us=400, changes_us=7_500, snapshot_us=43)
"""As `--measure` found it on one core (AMD EPYC, CPython 3.11, SQLite), times sixteen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Who comes back, and to which central."""

    name: str
    herd: Herd
    capacity: Capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line of the table. Times in seconds since central was back; None for what never came."""

    scenario: str
    pacing: str
    requests_per_s_max: int
    requests: int
    refused: int
    wasted_percent: int
    half_drained_s: int | None
    nearly_drained_s: int | None
    drained_s: int | None


def scenarios(terminals: int, capacity: Capacity = CAPACITY) -> tuple[Scenario, ...]:
    """Return the scenarios with so many terminals; central's size follows them, 16 processes for 10,000."""
    capacity = replace(capacity, processes=max(1, capacity.processes * terminals // 10_000))
    herd, waiting_max = Herd(terminals=terminals), terminals // 20
    return (
        Scenario(name="central comes back", herd=herd, capacity=capacity),
        Scenario(name="power comes back", herd=replace(herd, started_within_ms=30_000), capacity=capacity),
        Scenario(
            name="central comes back and refuses what it cannot queue",
            herd=herd,
            capacity=replace(capacity, waiting_max=waiting_max),
        ),
    )


def tell(scenario: Scenario, pacing: Pacing, result: Result) -> Told:
    """Sum a run up."""
    shares = (_whole(result.drained_share_s(share, scenario.herd.terminals)) for share in (0.5, 0.99, 1.0))
    half, nearly, whole = shares
    return Told(
        scenario=scenario.name,
        pacing=pacing.name,
        requests_per_s_max=result.peak,
        requests=sum(result.requests),
        refused=result.refused,
        wasted_percent=round(100 * result.wasted_us / max(1, result.work_us)),
        half_drained_s=half,
        nearly_drained_s=nearly,
        drained_s=whole,
    )


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
