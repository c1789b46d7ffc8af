"""The command line: which rows, how many rounds, and where the results go."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console

from bench.machine import describe
from bench.peers import PeersMissing, load_peers
from bench.process import ProcessFailed
from bench.progress import Bar
from bench.report import PLAIN_WIDTH, as_json, print_table, write_json
from bench.rows import Row
from bench.subjects import SUBJECTS, matches, selected
from bench.workshop import Workshop

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
ROUNDS = 15
OPERATIONS = 200
ENTRIES = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks. A missed target is a result, not a failure: the status is 0."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(name for subject in SUBJECTS for name in subject.names))
        return 0
    errors = Console(stderr=True)
    if not selected(options.rows):
        errors.print(f"no row matches {options.rows!r}: see them with --list", markup=False)
        return 2
    try:
        rows = _run(options, errors)
    except (PeersMissing, ProcessFailed) as error:
        errors.print(str(error), markup=False)
        return 2
    write_json(options.output, rows)
    if options.json:
        print(as_json(rows), end="")
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
        print_table(console, rows, describe(datetime.now().astimezone(), options.directory))
        console.print(f"written to {options.output}", highlight=False)
    return 0


def _run(options: argparse.Namespace, errors: Console) -> list[Row]:
    if any(subject.needs_peers for subject in selected(options.rows)):
        load_peers()
    options.directory.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with Bar(errors) as bar, tempfile.TemporaryDirectory(prefix="run-", dir=options.directory) as folder:
        workshop = Workshop(
            directory=Path(folder),
            rounds=options.rounds,
            operations=options.operations,
            entries=options.entries,
            begin=bar.begin,
            advance=bar.advance,
        )
        for subject in selected(options.rows):
            rows.extend(row for row in subject.measure(workshop) if matches(row.name, options.rows))
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench", description="Measure this project against others, both sides taking turns in one run."
    )
    parser.add_argument("--rows", metavar="PATTERN", default="*", help="only rows whose name holds this (see --list)")
    parser.add_argument("--list", action="store_true", help="list the names of the rows and measure nothing")
    parser.add_argument("--rounds", type=_count, default=ROUNDS, metavar="N", help=f"default {ROUNDS}")
    parser.add_argument(
        "--operations", type=_count, default=OPERATIONS, metavar="N", help=f"of each side in a round ({OPERATIONS})"
    )
    parser.add_argument(
        "--entries", type=_count, default=ENTRIES, metavar="N", help=f"in the great backlog ({ENTRIES:,})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    build = ROOT / "build"
    parser.add_argument("--output", type=Path, default=build / "bench.json", metavar="FILE", help="where the JSON goes")
    parser.add_argument(
        "--directory", type=Path, default=build / "bench", help="where to work; on the disk that counts, with 4 GB free"
    )
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return count
