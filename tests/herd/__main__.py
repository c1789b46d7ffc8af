"""`python -m tests.herd`: run the scenarios and print what came of them; `--write` brings docs/herd.md up to date."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench.peers import PeersMissing, load_peers
from tests.herd.capacity import measured_capacity
from tests.herd.plot import draw
from tests.herd.scenarios import OFF, ON, Told, scenarios, tell
from tests.herd.simulation import Result, run

DOCS = Path(__file__).parents[2] / "docs"
TERMINALS = 10_000
TABLE = re.compile(r"(?<=<!-- herd -->\n).*?(?=<!-- end -->)", re.DOTALL)
HEADINGS = (
    "what happens",
    "pacing",
    "most requests in a second",
    "requests",
    "refused",
    "work for nobody",
    "half / 99 % / all drained",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write what was asked for."""
    options = _parser().parse_args(arguments)
    if options.measure:
        print(json.dumps(asdict(measured_capacity(16))))
        return 0
    if options.write:
        try:
            load_peers()
        except PeersMissing as error:
            print(error, file=sys.stderr)
            return 2
    runs, told = _run(options.terminals)
    table = _table(told)
    print(json.dumps([asdict(one) for one in told]) if options.json else table, end="\n" if options.json else "")
    if options.write:
        draw(DOCS / "herd.svg", runs)
        page = DOCS / "herd.md"
        page.write_text(TABLE.sub(lambda _: table, page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def _run(terminals: int) -> tuple[dict[str, dict[str, Result]], list[Told]]:
    runs: dict[str, dict[str, Result]] = {}
    told = []
    pairs = [(scenario, pacing) for scenario in scenarios(terminals) for pacing in (OFF, ON)]
    for scenario, pacing in track(pairs, "simulating", console=Console(stderr=True), transient=True):
        result = run(scenario.herd, pacing, scenario.capacity)
        runs.setdefault(scenario.name, {})[pacing.name] = result
        told.append(tell(scenario, pacing, result))
    return runs, told


def _table(told: Sequence[Told]) -> str:
    lines = [HEADINGS, ("---",) * len(HEADINGS), *map(_cells, told)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(one: Told) -> tuple[str, ...]:
    times = " / ".join(
        "never" if time_s is None else f"{time_s} s"
        for time_s in (one.half_drained_s, one.nearly_drained_s, one.drained_s)
    )
    return (
        one.scenario,
        one.pacing,
        f"{one.requests_per_s_max:,}",
        f"{one.requests:,}",
        f"{one.refused:,}",
        f"{one.wasted_percent} %",
        times,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make herd",
        description="Let thousands of terminals come back at once, with pacing and without (simulated).",
    )
    parser.add_argument("--terminals", type=int, default=TERMINALS, metavar="N", help=f"default {TERMINALS:,}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--write", action="store_true", help="write table and plot into docs/ (needs matplotlib)")
    parser.add_argument("--measure", action="store_true", help="measure what requests cost central; simulate nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
