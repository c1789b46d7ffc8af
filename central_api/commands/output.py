"""What the command line prints: tables for people, JSON for programs, a progress bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from loyalty_sdk.codec import dumps

__all__ = ["Advance", "print_json", "print_table", "progress"]

PLAIN_WIDTH = 200
PLAIN_STEPS = 10


class Advance(Protocol):
    """Tell the bar how many are done in all."""

    def __call__(self, done: int) -> None: ...


def print_json(value: object) -> None:
    """Print one line of JSON."""
    print(dumps(value).decode())


def print_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as a table; without a terminal as wide as it needs to be."""
    headings = (column.replace("_", " ") for column in columns)
    table = Table(*headings, title=title, title_justify="left", min_width=len(title) + 4)
    for row in rows:
        table.add_row(*(_plain_text(_cell(row[column])) for column in columns))
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    console.print(table if rows else f"{title}: none")


@contextmanager
def progress(text: str, total: int) -> Iterator[Advance]:
    """Show progress on standard error: a bar on a terminal, elsewhere a line for every tenth."""
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(text, total=total)
            yield lambda done: bar.update(task, completed=done)
    else:
        yield _plain(text, total)


def _plain(text: str, total: int) -> Advance:
    shown = 0

    def advance(done: int) -> None:
        nonlocal shown
        step = done * PLAIN_STEPS // max(total, 1)
        if step > shown:
            shown = step
            print(f"{text}: {done} of {total}", file=sys.stderr, flush=True)

    return advance


def _plain_text(shown: str) -> Text:
    """A cell as it is: no markup of the library, and nothing that would steer the terminal."""
    return Text("".join(sign if sign.isprintable() else "\ufffd" for sign in shown))


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone().isoformat(sep=" ", timespec="seconds")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
