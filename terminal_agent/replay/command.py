"""`loyalty-agent replay FILE.csv` for the command line: its options, and what runs it. See docs/replay.md."""

from __future__ import annotations

import argparse

from terminal_agent.replay.options import add_arguments

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Replay the file. Returns 0, 1 where anything was lost, doubled or different, 2 for input that cannot be used."""
    # Imported here, because the agent's other commands declare these options too and must stay small.
    from terminal_agent.replay.session import run_session

    return run_session(arguments)
