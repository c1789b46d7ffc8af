"""Plays one seed and times it. A story is written by the process that made it, and only where somebody reads it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tests.simulation.central_site import CentralSite
from tests.simulation.run import Outcome, simulate

__all__ = ["PlayedSeed", "play_seed"]

STORIES = Path("build/simulation")
LINES_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedSeed:
    """An outcome as it travels between processes: a story is written where it was made."""

    outcome: Outcome
    story_file: str
    last_lines: tuple[str, ...]
    cpu_s: float


def play_seed(task: tuple[int, int, bool]) -> PlayedSeed:
    """Play a seed, of so many transactions; with its story where that is wanted, or a law is broken."""
    seed, transactions, wanted = task
    began = time.process_time()
    outcome = simulate(_site(), seed, transactions)
    cpu_s = time.process_time() - began
    lines = tuple(outcome.story.lines()) if outcome.broken or wanted else ()
    file = STORIES / f"seed-{seed}.txt"
    if lines:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n")
    outcome.story.forget()
    return PlayedSeed(outcome=outcome, story_file=str(file), last_lines=lines[-LINES_SHOWN:], cpu_s=cpu_s)


@lru_cache(maxsize=1)
def _site() -> CentralSite:
    """The one central of this process."""
    return CentralSite()
