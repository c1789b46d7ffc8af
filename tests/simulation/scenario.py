"""What may go wrong in one simulation, and how often: drawn from the seed, so that seeds differ in kind.

A simulation in which everything fails at once soon does nothing but fail. So each fault is left out of half of the
simulations (swarm testing, Groce et al., ISSTA 2012), and what is in has a strength of its own. Replaying everything in
another order costs as much again at central, so a quarter of the simulations do it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

__all__ = ["Scenario"]

# How many of the simulations have points that are pending and that expire, and days that pass.
DATED = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Figures between 0 and 1 are chances for each request, commit or sale; others are counts for a simulation."""

    transactions: int
    terminals: int
    registers: int
    think_ms: int
    latency_ms: int
    requests_lost: float = 0.0
    answers_lost: float = 0.0
    requests_doubled: float = 0.0
    answers_strange: float = 0.0
    outages: int = 0
    terminal_crashes_before_commit: float = 0.0
    terminal_crashes_after_commit: float = 0.0
    terminal_crashes: int = 0
    central_crashes_before_commit: float = 0.0
    central_crashes_after_commit: float = 0.0
    central_overload: float = 0.0
    register_crashes: float = 0.0
    retries: float = 0.0
    failovers: float = 0.0
    clock_jumps: int = 0
    naps: int = 0
    recalls: int = 0
    revocations: int = 0
    programme_changes: int = 0
    registrations: int = 0
    central_restores: int = 0
    terminal_restores: int = 0
    clones: int = 0
    dated: bool = False
    days_passing: int = 0
    settlings: int = 0
    sent_late: bool = False
    replayed: bool = False

    @classmethod
    def drawn(cls, seed: int, transactions: int) -> Scenario:
        """Draw the scenario of a seed."""
        random = Random(f"scenario {seed}")

        def rate(most: float) -> float:
            return random.choice((0.0, random.uniform(most / 10, most)))

        def count(most: int) -> int:
            return random.choice((0, random.randint(1, most)))

        drawn = cls(
            transactions=transactions,
            terminals=random.randint(1, 4),
            registers=random.randint(1, 3),
            think_ms=random.choice((100, 300, 1_000)),
            latency_ms=random.choice((300, 1_500, 4_000)),
            requests_lost=rate(0.2),
            answers_lost=rate(0.2),
            requests_doubled=rate(0.2),
            answers_strange=rate(0.1),
            outages=count(6),
            terminal_crashes_before_commit=rate(0.01),
            terminal_crashes_after_commit=rate(0.01),
            terminal_crashes=count(3),
            central_crashes_before_commit=rate(0.05),
            central_crashes_after_commit=rate(0.05),
            central_overload=rate(0.05),
            register_crashes=rate(0.2),
            retries=rate(0.15),
            failovers=rate(0.1),
            clock_jumps=count(6),
            naps=count(4),
            recalls=count(6),
            revocations=random.choice((0, 0, 0, 1)),
            programme_changes=count(2),
            registrations=random.choice((0, 2)),
            central_restores=random.choice((0, 0, 0, 1, 2)),
            terminal_restores=random.choice((0, 0, 0, 1, 2)),
            replayed=random.random() < 0.25,
            clones=random.choice((0, 0, 0, 1)),
        )
        # Drawn last, so that the other seeds are what they were before points had dates.
        if random.random() >= DATED:
            return drawn
        days, settlings, sent_late = random.randint(1, 5), count(8), random.random() < 0.5
        return replace(drawn, dated=True, days_passing=days, settlings=settlings, sent_late=sent_late)
