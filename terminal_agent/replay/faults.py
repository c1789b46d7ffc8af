"""When central and agents are killed. Pure: the same numbers and seed give the same plan.

Moments are counted in receipts, not in seconds, so that a fast and a slow machine meet the same faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

__all__ = ["Fault", "plan_faults"]

# Each outage takes the middle fifth of its share of the run.
OUTAGE_BEGINS, OUTAGE_ENDS = (2, 5), (3, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens right after the receipt of index `at` (from 0) was handed to its register.

    A kill hits the agent of that register `delay_s` later, so that it meets the receipt at any point of its way.
    """

    at: int
    kind: Literal["outage_begins", "outage_ends", "kill"]
    delay_s: float = 0.0


KILL_DELAY_S_MAX = 0.03


def plan_faults(receipts: int, *, outages: int, kills: int, random: Random) -> tuple[Fault, ...]:
    """Return every fault of a run over so many receipts, in order. No receipts, no faults."""
    if not receipts:
        return ()
    faults: list[Fault] = []
    for number in range(outages):
        faults.append(Fault(at=_moment(receipts, outages, number, OUTAGE_BEGINS), kind="outage_begins"))
        faults.append(Fault(at=_moment(receipts, outages, number, OUTAGE_ENDS), kind="outage_ends"))
    for _ in range(kills):
        faults.append(Fault(at=random.randrange(receipts), kind="kill", delay_s=random.random() * KILL_DELAY_S_MAX))
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _moment(receipts: int, outages: int, number: int, part: tuple[int, int]) -> int:
    """The receipt at which `part` of the outage's share of the run is over."""
    return receipts * (number * part[1] + part[0]) // (outages * part[1])
