"""Simulate by command: `python -m tests.simulation --seeds 100`, or one seed again with its story: `--seeds 1 --story`.

Every seed is a simulation of its own; what it does follows from the seed and the number of transactions alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.seed import PlayedSeed, play_seed

__all__ = ["main"]

FAILURES_SHOWN = 5
SEEDS_PER_CHUNK = 4
SEEDS_PER_POOL = 500


@dataclass(slots=True, kw_only=True)
class Total:
    """What all seeds gave together. `cpu_s` is the processor time of all processes, `rate` is transactions by it."""

    seeds: int = 0
    transactions: int = 0
    refused: int = 0
    entries: int = 0
    simulated_hours: float = 0.0
    cpu_s: float = 0.0
    rate: float = 0.0
    failed_seeds: int = 0


def main() -> int:
    """Run by command; 0 where every law holds for every seed."""
    arguments = _parse()
    console = Console(stderr=arguments.json)
    total, failures = Total(), list[PlayedSeed]()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("seeds", total=arguments.seeds)
        for shown in _outcomes(arguments):
            _add(total, shown)
            progress.advance(task)
            if shown.outcome.broken:
                failures.append(shown)
                _tell_failure(console, shown, arguments.transactions, hidden=len(failures) > FAILURES_SHOWN)
            elif arguments.story:
                console.print(Path(shown.story_file).read_text(), highlight=False, markup=False)
    _report(console, total)
    if arguments.json:
        broken = [{"seed": one.outcome.seed, "broken": one.outcome.broken} for one in failures]
        print(json.dumps(asdict(total) | {"failures": broken}))
    return int(bool(failures))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds (100)")
    parser.add_argument("--seed-start", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--transactions", type=int, default=200, help="transactions of each seed (200)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once (1)")
    parser.add_argument("--story", action="store_true", help="print what happened, also where every law holds")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    if min(arguments.seeds, arguments.transactions, arguments.jobs) < 1:
        parser.error("--seeds, --transactions and --jobs are 1 or more")
    return arguments


def _outcomes(arguments: argparse.Namespace) -> Iterator[PlayedSeed]:
    """Run every seed, each in one of the processes."""
    seeds = range(arguments.seed_start, arguments.seed_start + arguments.seeds)
    tasks = [(seed, arguments.transactions, arguments.story) for seed in seeds]
    if arguments.jobs == 1:
        yield from map(play_seed, tasks)
        return
    # New processes after some seeds: what tasks that never ended hold of each adds up.
    for start in range(0, len(tasks), SEEDS_PER_POOL):
        with ProcessPoolExecutor(arguments.jobs) as pool:
            yield from pool.map(play_seed, tasks[start : start + SEEDS_PER_POOL], chunksize=SEEDS_PER_CHUNK)


def _add(total: Total, shown: PlayedSeed) -> None:
    outcome = shown.outcome
    total.seeds += 1
    total.transactions += outcome.transactions
    total.refused += outcome.refused
    total.entries += outcome.entries
    total.simulated_hours = round(total.simulated_hours + outcome.simulated_s / 3_600, 1)
    total.cpu_s = round(total.cpu_s + shown.cpu_s, 2)
    total.rate = round(total.transactions / total.cpu_s, 1)
    total.failed_seeds += bool(outcome.broken)


def _tell_failure(console: Console, shown: PlayedSeed, transactions: int, *, hidden: bool) -> None:
    seed = shown.outcome.seed
    console.print(f"[bold red]seed {seed}[/]: {len(shown.outcome.broken)} broken; the whole story: {shown.story_file}")
    if not hidden:
        console.print("\n".join(shown.last_lines), highlight=False, markup=False)
    console.print(f"again: make simulate SEEDS=1 SEED_START={seed} ARGS='--transactions {transactions} --story'")


def _report(console: Console, total: Total) -> None:
    table = Table(title="Simulation", show_header=False)
    for name, value in asdict(total).items():
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
