"""Kills by command: `python -m tests.crash.kills --kills 1000`. See docs/decisions/0007-power-cut-harness.md.

Several registers record as fast as they can while the process with the journal is killed with SIGKILL at random
moments, its start included. Each register keeps an fsynced list of what was acknowledged to it and repeats under the
same receipt key what was not. After each life the journal is audited against the lists. `--agent` does the same with
the real agent, central and SDK, which takes seconds for each life.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.crash.agent_kills import run_agent_kills
from tests.crash.kill_result import KillResult, KillSettings
from tests.crash.process_kills import run_process_kills

__all__ = ["main"]


def main() -> int:
    """Run by command; 0 where everything holds."""
    arguments = _parse()
    console = Console(stderr=arguments.json)
    run = run_agent_kills if arguments.agent else run_process_kills
    settings = KillSettings(
        kills=arguments.kills, registers=arguments.registers, seed=arguments.seed, journal=arguments.journal
    )
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("kills", total=arguments.kills)
        result = run(settings, lambda kills: progress.advance(task, kills))
    _report(console, result)
    if arguments.json:
        print(json.dumps(result.as_json()))
    return int(bool(result.faults))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.kills", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1_000, help="how often to kill (1000)")
    parser.add_argument("--registers", type=int, default=4, help="registers that sell at once (4)")
    parser.add_argument("--seed", default="1", help="another seed kills at other moments (1)")
    parser.add_argument("--journal", type=Path, help="begin with this journal, as one of an older release")
    parser.add_argument("--agent", action="store_true", help="kill the real agent, with central and SDK")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    if arguments.kills < 1 or arguments.registers < 1:
        parser.error("--kills and --registers are 1 or more")
    if arguments.agent and arguments.journal:
        parser.error("--agent enrols and begins with a journal of its own: leave out --journal")
    return arguments


def _report(console: Console, result: KillResult) -> None:
    table = Table(title="Kills", show_header=False)
    for name, value in result.as_json().items():
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)
    for fault in result.faults[:10]:
        console.print(f"{fault.kind}: {fault.what}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
