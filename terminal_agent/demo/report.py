"""What a person sees of the demo: lines, a progress bar, the table of balances and the summary.

On a terminal it draws; without one, and under CI, it prints plain lines. It computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

__all__ = ["BalanceRow", "Report"]

PLAIN_STEPS = 4
FAULTS_SHOWN_MAX = 10

# Name, alias, and the balance at the till, at central and by the oracle; None where it is not known.
BalanceRow = tuple[str, str, int | None, int, int]


class Report:
    """Writes to standard output, or, with `to_stderr`, to standard error, so that a JSON line stands alone."""

    def __init__(self, *, to_stderr: bool, environment: Mapping[str, str]) -> None:
        self._console = Console(stderr=to_stderr, highlight=False, soft_wrap=False)
        self._draws = self._console.is_terminal and not environment.get("CI")

    def say(self, text: str) -> None:
        """Print one line of what happens."""
        self._console.print(Text(text), soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show progress; call what is given with how much is done in all."""
        if not self._draws:
            yield self._plain_progress(what, total)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(what, total=total)
            yield lambda done: progress.update(task, completed=done)

    def balances(self, rows: Sequence[BalanceRow]) -> None:
        """Print the table of every member."""
        table = Table(box=box.SIMPLE_HEAD if self._draws else box.ASCII2, pad_edge=False)
        for name in ("member", "card"):
            table.add_column(name, no_wrap=True)
        for name in ("till", "central", "oracle"):
            table.add_column(name, justify="right")
        table.add_column("")
        for name, alias, *balances in rows:
            figures = [_figure(balance) for balance in balances]
            table.add_row(Text(name), Text(alias), *figures, _verdict(len(set(balances)) == 1))
        self._console.print(table)

    def summary(self, lines: Sequence[tuple[str, str]], faults: Sequence[str]) -> None:
        """Print what happened and what was found wrong."""
        grid = Table.grid(padding=(0, 2))
        for label, text in lines:
            grid.add_row(Text(label, style="bold"), Text(text))
        title = "Nothing lost, nothing doubled" if not faults else f"{len(faults)} things are wrong"
        style = "green" if not faults else "red"
        box_style = box.ROUNDED if self._draws else box.ASCII2
        self._console.print(Panel(grid, title=title, border_style=style, box=box_style))
        for fault in faults[:FAULTS_SHOWN_MAX]:
            self._console.print(Text(f"wrong: {fault}", style="red"), soft_wrap=True)
        if len(faults) > FAULTS_SHOWN_MAX:
            self.say(f"… and {len(faults) - FAULTS_SHOWN_MAX} more")

    def _plain_progress(self, what: str, total: int) -> Callable[[int], None]:
        shown = -1

        def update(done: int) -> None:
            nonlocal shown
            step = done * PLAIN_STEPS // total if total else PLAIN_STEPS
            if step > shown:
                shown = step
                self.say(f"{what}: {done} of {total}")

        return update


def _figure(balance: int | None) -> Text:
    return Text("unknown" if balance is None else str(balance))


def _verdict(equal: bool) -> Text:
    return Text("equal", style="green") if equal else Text("DIFFERENT", style="bold red")
