"""Points at which a test stops the agent for ever, so that it can be killed exactly there.

Off unless `loyalty-agent run --failpoints DIRECTORY` is given. A point is armed by a file of its name; reaching it
renames the file to `….reached` and blocks the thread.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from sync.sales import RecordSale
from sync.store import Command, Hooks

__all__ = ["failpoint_hooks"]


def failpoint_hooks(directory: Path) -> Hooks:
    """Return hooks that stop around the commit of a batch with a sale in it."""

    def stop_at(point: str, commands: Sequence[Command]) -> None:
        armed = directory / point
        if any(isinstance(command, RecordSale) for command in commands) and armed.exists():
            armed.rename(armed.with_name(f"{point}.reached"))
            threading.Event().wait()

    return Hooks(
        before_commit=lambda commands: stop_at("record_sale.before_commit", commands),
        after_commit=lambda commands: stop_at("record_sale.after_commit", commands),
    )
