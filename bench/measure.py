"""Taking turns: the sides of a contest run in the same rounds, so that a busy machine slows all of them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Operation", "Round", "Rounds", "contest", "latencies_ms", "timed_ms"]

Operation = Callable[[], object]
WARM_UP_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one side did in one round: operations a second, median and 99th percentile in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, latencies_ms: Sequence[float]) -> Round:
        """Make it from the time of each operation."""
        ordered = sorted(latencies_ms)
        last = len(ordered) - 1
        return cls(
            rate=1000 * len(ordered) / sum(ordered), p50_ms=ordered[last // 2], p99_ms=ordered[round(last * 0.99)]
        )


@dataclass(frozen=True, slots=True)
class Rounds:
    """One side's rounds, in order."""

    rounds: tuple[Round, ...]

    @property
    def rates(self) -> list[float]:
        """Operations a second, round by round."""
        return [one.rate for one in self.rounds]

    @property
    def p50s_ms(self) -> list[float]:
        """The median of each round."""
        return [one.p50_ms for one in self.rounds]

    @property
    def p99s_ms(self) -> list[float]:
        """The 99th percentile of each round."""
        return [one.p99_ms for one in self.rounds]


def contest(
    sides: Mapping[str, Operation], *, rounds: int, operations: int, advance: Callable[[], None]
) -> dict[str, Rounds]:
    """Let each side run `operations` times in each of `rounds` rounds; who begins changes from round to round."""
    for operation in sides.values():
        latencies_ms(operation, min(WARM_UP_MAX, operations))
    taken: dict[str, list[Round]] = {name: [] for name in sides}
    names = list(sides)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            gc.collect()
            taken[name].append(Round.of(latencies_ms(sides[name], operations)))
        advance()
    return {name: Rounds(tuple(found)) for name, found in taken.items()}


def latencies_ms(operation: Operation, operations: int) -> list[float]:
    """Run an operation so many times, and return what each took."""
    return [timed_ms(operation) for _ in range(operations)]


def timed_ms(operation: Operation) -> float:
    """Run an operation once, and return what it took."""
    start_ns = time.perf_counter_ns()
    operation()
    return (time.perf_counter_ns() - start_ns) / 1e6
