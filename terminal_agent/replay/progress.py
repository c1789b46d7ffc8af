"""How far a replay is: a bar with rate and time left on a terminal, plain lines every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

__all__ = ["Advance", "show_progress"]

LINE_EVERY_S = 5.0

Advance = Callable[[int], None]


@contextmanager
def show_progress(
    console: Console, what: str, total: int, *, monotonic_s: Callable[[], float] = time.monotonic
) -> Iterator[Advance]:
    """Show the way to `total`; the function that is given may be called from any thread with what was done more."""
    if not console.is_terminal:
        yield _Lines(console, what, total, monotonic_s).advance
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


class _Lines:
    """Prints a line every few seconds, and one when all is done."""

    def __init__(self, console: Console, what: str, total: int, monotonic_s: Callable[[], float]) -> None:
        self._console = console
        self._what = what
        self._total = total
        self._monotonic_s = monotonic_s
        self._begun_s = self._printed_s = monotonic_s()
        self._done = 0
        self._lock = Lock()

    def advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            now_s = self._monotonic_s()
            if self._done >= self._total or now_s - self._printed_s >= LINE_EVERY_S:
                self._printed_s = now_s
                self._console.print(self._line(now_s - self._begun_s), highlight=False)

    def _line(self, seconds: float) -> str:
        rate = self._done / max(seconds, 0.001)
        left = "" if self._done >= self._total else f", {(self._total - self._done) / rate:,.0f} s left"
        return f"{self._what}: {self._done:,} of {self._total:,}, {rate:,.0f}/s{left}"
