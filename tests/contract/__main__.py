"""`make contract`: examines every call of central by its OpenAPI document, on SQLite and on PostgreSQL."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from tests.contract.examiner import ONE_BY_ONE, Document, Findings, examine, labels
from tests.contract.shops import Site, document, furnished
from tests.support.postgresql import Server, new_server

DATABASES = ("sqlite", "postgresql")
TOGETHER = "all calls, one after another"


def main() -> int:
    """Run the command; the status is 1 where anything disagrees."""
    arguments = _arguments()
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    described = document()
    calls = [call for call in (*labels(described), TOGETHER) if arguments.call in call]
    found: dict[tuple[str, str], Findings] = {}
    console = Console(stderr=True)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console=console))
        for database in arguments.database or DATABASES:
            server = stack.enter_context(new_server()) if database == "postgresql" else None
            for call in progress.track(calls, description=database):
                with _site(server) as site:
                    found[database, call] = _examine(described, site, call, arguments.examples, seed)
                if failures := len(found[database, call].failures):
                    console.print(f"{database}: {call}: {failures} failures")
    _show(found, arguments.examples, seed, as_json=arguments.json)
    return 1 if any(one.failures for one in found.values()) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--examples", type=int, default=500, help="random examples of each call (500)")
    parser.add_argument("--seed", type=int, help="where the examples begin; by default at random, and told")
    parser.add_argument("--database", choices=DATABASES, action="append", help="one of the two; by default both")
    parser.add_argument("--call", default="", help="only calls whose name has this text, as 'POST /v1/grants'")
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")
    return parser.parse_args()


@contextmanager
def _site(server: Server | None) -> Iterator[Site]:
    """A new central for each call: what one call ends, such as a key, the next one needs."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = f"sqlite:///{folder}/central.db"
        if server is not None:
            url = stack.enter_context(server.database()).render_as_string(hide_password=False)
        yield asyncio.run(furnished(url, Path(folder) / "keys.json"))


def _examine(described: Document, site: Site, call: str, examples: int, seed: int) -> Findings:
    if call == TOGETHER:
        return examine(described, site, phases=("stateful",), examples=examples, seed=seed)
    return examine(described, site, call=call, phases=ONE_BY_ONE, examples=examples, seed=seed)


def _show(found: dict[tuple[str, str], Findings], examples: int, seed: int, *, as_json: bool) -> None:
    rows = [
        {
            "database": database,
            "call": call,
            "cases": findings.total(),
            "answered": findings.total(range(200, 400)),
            "refused": findings.total(range(400, 500)),
            "failures": list(findings.failures.values()),
        }
        for (database, call), findings in found.items()
    ]
    if as_json:
        print(json.dumps({"examples": examples, "seed": seed, "calls": rows}, indent=2))
        return
    table = Table("database", Column("call", no_wrap=True), "cases", "answered", "refused", "failures")
    for row in rows:
        table.add_row(*(str(len(cell) if isinstance(cell, list) else cell) for cell in row.values()))
    console = Console()
    console.print(table)
    for row in rows:
        for failure in row["failures"] if isinstance(row["failures"], list) else ():
            console.print(f"[red]{row['database']}[/] {failure}\n", highlight=False, markup=True)
    console.print(f"{sum(one.total() for one in found.values()):,} cases; again with: --seed {seed}")


if __name__ == "__main__":
    sys.exit(main())
