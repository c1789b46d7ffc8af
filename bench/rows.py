"""A row of the table as data: both sides, their ratio, the target and whether it holds. Measures nothing."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median, quantiles
from typing import Literal

__all__ = ["Row", "Target", "Unit", "at_least", "at_most", "compared", "not_measured"]

Unit = Literal["", "/s", "ms", "MB", "bytes"]
Relation = Literal["≥", "≤"]
Measure = Literal["ratio", "ours", "difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is promised: of the ratio ours / other, of our own figure, or of the difference ours - other."""

    relation: Relation
    bound: float
    of: Measure = "ratio"

    def holds(self, ours: float, other: float, ratio: float) -> bool:
        """Whether the figures keep it."""
        value = {"ratio": ratio, "ours": ours, "difference": ours - other}[self.of]
        return value >= self.bound if self.relation == "≥" else value <= self.bound

    def text(self, unit: Unit) -> str:
        """The target as the table shows it."""
        if self.of == "ratio":
            return f"{self.relation} {self.bound:g} ×"
        bound = f"{self.bound:+g}" if self.of == "difference" else f"{self.bound:g}"
        return f"{self.relation} {bound} {unit}".rstrip()


def at_least(bound: float, of: Measure = "ratio") -> Target:
    """A target from below."""
    return Target(relation="≥", bound=bound, of=of)


def at_most(bound: float, of: Measure = "ratio") -> Target:
    """A target from above."""
    return Target(relation="≤", bound=bound, of=of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table and of `build/bench.json`.

    `ours`, `other` are medians over the rounds, in `unit`. `ratio` is the median of the rounds' own ratios, `low` and
    `high` their quartiles, which tell how noisy the machine was. `holds` is None where nothing is promised or measured.
    """

    name: str
    ours: float | None
    other: float | None
    other_name: str
    ratio: float | None
    target: str
    holds: bool | None
    unit: Unit = ""
    low: float | None = None
    high: float | None = None
    note: str = ""


def compared(
    name: str,
    unit: Unit,
    ours: list[float],
    other: list[float],
    other_name: str,
    target: Target | None = None,
    note: str = "",
) -> Row:
    """Make a row from the figures of each round, the two sides of a round at the same place of both lists."""
    ratios = [mine / theirs if theirs else 0.0 for mine, theirs in zip(ours, other, strict=True)]
    low, _, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    mine, theirs, ratio = median(ours), median(other), median(ratios)
    return Row(
        name=name,
        ours=mine,
        other=theirs,
        other_name=other_name,
        ratio=ratio,
        target="" if target is None else target.text(unit),
        holds=None if target is None else target.holds(mine, theirs, ratio),
        unit=unit,
        low=low,
        high=high,
        note=note,
    )


def not_measured(name: str, other_name: str, target: Target | None, unit: Unit, why: str) -> Row:
    """Make the row of something that cannot be measured here; `why` names what is missing."""
    return Row(
        name=name,
        ours=None,
        other=None,
        other_name=other_name,
        ratio=None,
        target="" if target is None else target.text(unit),
        holds=None,
        unit=unit,
        note=why,
    )
