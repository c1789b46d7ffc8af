"""`loyalty-agent status --follow`: the state again and again, live on a terminal, else a line for every change."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from loyalty_sdk.codec import encode
from loyalty_sdk.errors import AgentUnreachable
from loyalty_sdk.model import Progress, Status
from terminal_agent.tables import facts_table

if TYPE_CHECKING:
    from rich.console import Console, Group

__all__ = ["follow", "progress_text"]

PAUSE_S = 1.0
SECONDS_SHOWN_MAX = 99 * 3_600


def follow(read: Callable[[], Status], *, as_json: bool) -> None:
    """Show what `read` returns, once a second, until interrupted. An agent that is away is waited for."""
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal and not as_json:
        _show(console, read)
        return
    shown = ""
    for status in _statuses(read):
        line = _line(status, as_json)
        if line != shown:
            print(line, flush=True)
        shown = line


def progress_text(progress: Progress) -> str:
    """Say how far the journal is sent: `1,200 entries left, 85.2 a second, 15 s left`."""
    if not progress.entries_left:
        return "everything is sent"
    left = f"{progress.entries_left:,} entries left"
    if progress.time_left_s is None:
        return f"{left}, none is being sent"
    return f"{left}, {progress.entries_per_s:f} a second, {_duration(progress.time_left_s)} left"


def _duration(seconds: int) -> str:
    """A time as people say it; beyond four days nobody counts the hours."""
    if seconds > SECONDS_SHOWN_MAX:
        return "days"
    minutes, rest = divmod(seconds, 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _statuses(read: Callable[[], Status]) -> Iterator[Status | str]:
    """Give the state, or why there is none at the moment. What will not pass by itself is raised."""
    while True:
        try:
            yield read()
        except AgentUnreachable as error:
            yield error.detail
        time.sleep(PAUSE_S)


def _line(status: Status | str, as_json: bool) -> str:
    if isinstance(status, str):
        return json.dumps({"unreachable": status}, ensure_ascii=False) if as_json else status
    if as_json:
        return json.dumps(encode(status), ensure_ascii=False)
    return progress_text(_progress(status)) + ("" if status.central_online else "; central does not answer")


def _show(console: Console, read: Callable[[], Status]) -> None:
    from rich.live import Live

    most = 0
    with Live(console=console, auto_refresh=False) as live:
        for status in _statuses(read):
            if isinstance(status, Status):
                left = _progress(status).entries_left
                most = max(most, left) if left else 0
                live.update(_screen(status, most), refresh=True)
            else:
                live.update(status, refresh=True)


def _screen(status: Status, most: int) -> Group:
    """The facts, and how much of the most that ever waited is sent."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    progress = _progress(status)
    facts = {name: value for name, value in encode(status).items() if name not in ("progress", "queue_length")}
    bar = ProgressBar(total=max(most, 1), completed=max(most, 1) - progress.entries_left, width=60)
    return Group(Text(progress_text(progress)), bar, facts_table(facts))


def _progress(status: Status) -> Progress:
    """The progress, also of an agent of an earlier release."""
    return status.progress or Progress(entries_left=status.queue_length)
