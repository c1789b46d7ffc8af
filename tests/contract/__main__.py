"""`make contract`: examines central, on SQLite and on PostgreSQL, and the agent by their OpenAPI documents.

The seed is told first, and a failure as soon as its call is done, with the request that repeats it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from tests.contract.agent import AGENT_DOCUMENT, examined_agent
from tests.contract.examiner import ONE_BY_ONE, Document, Findings, Subject, examine, labels
from tests.contract.served import central_of
from tests.contract.shops import document, furnished
from tests.support.postgresql import Server, new_server

PROGRAMS = ("sqlite", "postgresql", "agent")
TOGETHER = "all calls, one after another"

# Opens a new program for each call: what one call ends, such as a key, the next one needs.
Open = Callable[[], AbstractContextManager[Subject]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One call of one program: what came of it, and how long it took."""

    program: str
    call: str
    findings: Findings
    seconds: float


def main() -> int:
    """Run the command; the status is 1 where anything disagrees."""
    arguments = _arguments()
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    done: list[Examined] = []
    console = Console(stderr=True)
    console.print(f"again with: --seed {seed}", highlight=False)
    with Progress(console=console) as progress:
        for program in arguments.program or PROGRAMS:
            described, together = (AGENT_DOCUMENT, ()) if program == "agent" else (document(), (TOGETHER,))
            calls = [call for call in (*labels(described), *together) if _is_wanted(call, arguments.call)]
            with _opener(program) as opened:
                for call in progress.track(calls, description=program):
                    done.append(_examine(program, described, opened, call, arguments.examples, seed))
                    _tell(console, done[-1])
    _show(done, arguments.examples, seed, as_json=arguments.json)
    return 1 if any(one.findings.failures for one in done) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--examples", type=int, default=500, help="random examples of each call (500)")
    parser.add_argument("--seed", type=int, help="where the examples begin; by default at random, and told")
    parser.add_argument(
        "--program", choices=PROGRAMS, action="append", help="central on a database, or the agent; by default all three"
    )
    parser.add_argument("--call", action="append", help="only calls whose name has this text, as 'POST /v1/grants'")
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")
    return parser.parse_args()


def _is_wanted(call: str, texts: list[str] | None) -> bool:
    return texts is None or any(text in call for text in texts)


@contextmanager
def _opener(program: str) -> Iterator[Open]:
    """Yield what opens a program, with a server of PostgreSQL beneath it where that is wanted."""
    if program == "agent":
        yield _agent
    elif program == "sqlite":
        yield lambda: _central(None)
    else:
        with new_server() as server:
            yield lambda: _central(server)


@contextmanager
def _agent() -> Iterator[Subject]:
    with tempfile.TemporaryDirectory() as folder, examined_agent(Path(folder)) as subject:
        yield subject


@contextmanager
def _central(server: Server | None) -> Iterator[Subject]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = f"sqlite:///{folder}/central.db"
        if server is not None:
            url = stack.enter_context(server.database()).render_as_string(hide_password=False)
        yield central_of(asyncio.run(furnished(url, Path(folder) / "keys.json")))


def _examine(program: str, described: Document, opened: Open, call: str, examples: int, seed: int) -> Examined:
    began = time.monotonic()
    with opened() as subject:
        if call == TOGETHER:
            findings = examine(described, subject, phases=("stateful",), examples=examples, seed=seed)
        else:
            findings = examine(described, subject, call=call, phases=ONE_BY_ONE, examples=examples, seed=seed)
    return Examined(program=program, call=call, findings=findings, seconds=time.monotonic() - began)


def _tell(console: Console, one: Examined) -> None:
    failures = one.findings.failures.values()
    told = f"{one.program}: {one.call}: {one.findings.total()} cases, {len(failures)} failures, {one.seconds:.0f} s"
    for text in (told, *failures):
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def _show(done: list[Examined], examples: int, seed: int, *, as_json: bool) -> None:
    rows = [
        {
            "program": one.program,
            "call": one.call,
            "cases": one.findings.total(),
            "answered": one.findings.total(range(200, 400)),
            "refused": one.findings.total(range(400, 500)),
            "seconds": round(one.seconds),
            "failures": list(one.findings.failures.values()),
        }
        for one in done
    ]
    if as_json:
        print(json.dumps({"examples": examples, "seed": seed, "calls": rows}, indent=2))
        return
    table = Table("program", Column("call", no_wrap=True), "cases", "answered", "refused", "s", "failures")
    for row in rows:
        table.add_row(*(str(len(cell) if isinstance(cell, list) else cell) for cell in row.values()))
    console = Console()
    console.print(table)
    console.print(f"{sum(one.findings.total() for one in done):,} cases; again with: --seed {seed}")


if __name__ == "__main__":
    sys.exit(main())
