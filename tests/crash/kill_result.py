"""What a run of kills is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from tests.crash.audit import Fault, FaultKind

__all__ = ["KillResult", "KillSettings", "Tell"]

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSettings:
    """How often to kill, and under how many registers.

    `journal` is one to begin with, of an older release perhaps; None begins with an empty directory.
    """

    kills: int
    registers: int = 4
    seed: str = "1"
    journal: Path | None = None


@dataclass(slots=True, kw_only=True)
class KillResult:
    """What became of it.

    `kills_at_start` hit a process that did not serve yet; `unanswered` calls were sent, and repeated after.
    """

    kills: int = 0
    kills_at_start: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    faults: list[Fault] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "kills": self.kills,
            "kills_at_start": self.kills_at_start,
            "acknowledgements": self.acknowledged,
            "calls_unanswered": self.unanswered,
            **{kind: sum(fault.kind == kind for fault in self.faults) for kind in get_args(FaultKind)},
            "kills_per_second": round(self.kills / self.seconds, 1) if self.seconds else None,
            "holds": not self.faults,
        }
