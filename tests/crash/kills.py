"""Kills by command: `python -m tests.crash.kills --kills 1000`. See docs/decisions/0007-power-cut-harness.md.

Several registers record as fast as they can while the process with the journal is killed with SIGKILL at random moments,
its start included. Each register keeps an fsynced list of what was acknowledged to it and repeats under the same
receipt key what was not. After each life the journal is audited against the lists. `--agent` does the same with the
real agent, central and SDK, which takes seconds for each life.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection
from pathlib import Path
from random import Random
from typing import Any, get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from loyalty_sdk.errors import Busy, JournalUnavailable, OutcomeUnknown
from sync.store import Command
from terminal_agent.demo.acknowledged import AcknowledgedList, read_acknowledged
from tests.crash import rig
from tests.crash.audit import Fault, FaultKind
from tests.crash.check import check_directory
from tests.crash.expected import Expected
from tests.crash.kill_process import SOCKET, serve
from tests.crash.register import Register

__all__ = ["KillResult", "KillSettings", "run_kills"]

# A journal is retired after so many lives, or its audit would take longer than the lives.
LIVES_PER_JOURNAL = 50
LIFE_S_MEAN = 0.06
# The share of lives that are killed before or while they open the journal.
START_SHARE = 0.25
START_S_MAX = 0.03
READY_TIMEOUT_S = 30.0
RETRY_S = 0.005

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSettings:
    """How often to kill, and under how many registers."""

    kills: int
    registers: int = 4
    seed: str = "1"


@dataclass(slots=True, kw_only=True)
class KillResult:
    """What became of it.

    `kills_at_start` hit a process that did not serve yet; `repeated` calls were sent and their answer was lost.
    """

    kills: int = 0
    kills_at_start: int = 0
    acknowledged: int = 0
    repeated: int = 0
    seconds: float = 0.0
    faults: list[Fault] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "kills": self.kills,
            "kills_at_start": self.kills_at_start,
            "acknowledgements": self.acknowledged,
            "calls_repeated": self.repeated,
            **{kind: sum(fault.kind == kind for fault in self.faults) for kind in get_args(FaultKind)},
            "kills_per_second": round(self.kills / self.seconds, 1) if self.seconds else None,
            "holds": not self.faults,
        }


def run_kills(settings: KillSettings, tell: Tell = lambda kills: None) -> KillResult:
    """Kill, audit, and begin again; stop at the first life that left something wrong."""
    started, result = time.monotonic(), KillResult()
    while result.kills < settings.kills and not result.faults:
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            journal = _Journal(Path(folder), settings, f"{settings.seed}/{result.kills}", result)
            journal.live(min(LIVES_PER_JOURNAL, settings.kills - result.kills), tell)
    result.seconds = time.monotonic() - started
    return result


class _Journal:
    """One journal, its registers, and the processes that serve it one after the other."""

    def __init__(self, folder: Path, settings: KillSettings, seed: str, result: KillResult) -> None:
        self._directory = folder / "journal"
        self._directory.mkdir()
        self._copy = folder / "copy"
        self._result = result
        self._random = Random(seed)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([serve.__module__])
        self._lanes = [_Lane(folder, str(number), self._directory / SOCKET, seed) for number in range(settings.registers)]

    def live(self, lives: int, tell: Tell) -> None:
        """Kill so often, then let every register come to an end and audit for the last time."""
        for lane in self._lanes:
            lane.start()
        try:
            for _ in range(lives):
                self._kill_once()
                tell(1)
                self._audit()
                if self._result.faults:
                    return
            self._end()
        finally:
            for lane in self._lanes:
                lane.give_up()

    def _start(self) -> Any:
        (self._directory / SOCKET).unlink(missing_ok=True)
        process = self._context.Process(target=serve, args=(self._directory,), daemon=True)
        process.start()
        return process

    def _kill_once(self) -> None:
        process = self._start()
        if self._random.random() < START_SHARE:
            time.sleep(self._random.uniform(0, START_S_MAX))
        else:
            _wait_for((self._directory / SOCKET).exists)
            time.sleep(self._random.expovariate(1 / LIFE_S_MEAN))
        self._result.kills_at_start += not (self._directory / SOCKET).exists()
        process.kill()
        process.join()
        process.close()
        self._result.kills += 1

    def _end(self) -> None:
        """One more life, in which everything under way is repeated until it is acknowledged."""
        for lane in self._lanes:
            lane.finish()
        process = self._start()
        for lane in self._lanes:
            lane.join()
            self._result.acknowledged += lane.acknowledged
            self._result.repeated += lane.repeated
        process.kill()
        process.join()
        process.close()
        self._audit()

    def _audit(self) -> None:
        """Audit a copy: the next life is to find the files as the kill left them."""
        lines = [line for lane in self._lanes for line in lane.read()]
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir()
        for file in self._directory.glob(f"{rig.JOURNAL}*"):
            shutil.copy(file, self._copy)
        self._result.faults += check_directory(self._copy, Expected.of(lines))
        self._result.faults += [fault for lane in self._lanes for fault in lane.faults]


class _Lane:
    """A register in a thread, its list, and its connection to whichever process serves."""

    def __init__(self, folder: Path, name: str, socket: Path, seed: str) -> None:
        self._path = folder / f"acknowledged-{name}"
        self._list = AcknowledgedList(self._path)
        self._socket = socket
        self._connection: Connection | None = None
        self._finishing = self._given_up = False
        self._thread = threading.Thread(target=self._work, name=f"register-{name}", daemon=True)
        self.acknowledged = self.repeated = 0
        self.faults: list[Fault] = []
        self._register = Register(
            name=name, series="", random=Random(f"{seed}/{name}"), call=self._call, acknowledge=self._note
        )

    def start(self) -> None:
        """Begin to sell."""
        self._thread.start()

    def finish(self) -> None:
        """Begin nothing new."""
        self._finishing = True

    def give_up(self) -> None:
        """Stop where it is."""
        self._finishing = self._given_up = True
        self._thread.join()
        self._list.close()

    def join(self) -> None:
        """Wait until what was under way is acknowledged."""
        self._thread.join(READY_TIMEOUT_S)
        assert not self._thread.is_alive(), "a register hangs"

    def read(self) -> list[dict[str, Any]]:
        """Read the list back from the disk."""
        return read_acknowledged(self._path)

    def _work(self) -> None:
        while not self._finishing:
            try:
                self._register.step()
            except _GivenUp:
                return
            # A register that stops would leave a proof of nothing: what stopped it is a fault.
            except Exception as error:
                self.faults.append(Fault("unusable", f"a register stopped: {type(error).__name__}: {error}"))
                return
        if self._connection is not None:
            self._connection.close()

    def _note(self, line: dict[str, Any]) -> None:
        self._list.append(line)
        self.acknowledged += 1

    def _call(self, make: Callable[[], Command]) -> Any:
        """Repeat until there is an answer; a command that is made anew has the same key."""
        while not self._given_up:
            try:
                answer = self._ask(make)
            except (OSError, EOFError):
                self._connection = None
            else:
                if not isinstance(answer, (Busy, JournalUnavailable, OutcomeUnknown)):
                    return _value(answer)
            time.sleep(RETRY_S)
        raise _GivenUp

    def _ask(self, make: Callable[[], Command]) -> Any:
        """Connect, send, wait. What was sent and not answered will be repeated."""
        if self._connection is None:
            self._connection = Client(str(self._socket), "AF_UNIX")
        self._connection.send(make())
        self.repeated += 1
        answer = self._connection.recv()
        self.repeated -= 1
        return answer


class _GivenUp(Exception):
    """The run is over."""


def _value(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "the process did not begin to serve"
        time.sleep(0.001)


def main() -> int:
    """Run by command; 0 where everything holds."""
    arguments = _parse()
    console = Console(stderr=arguments.json)
    settings = KillSettings(kills=arguments.kills, registers=arguments.registers, seed=arguments.seed)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("kills", total=arguments.kills)
        result = _runner(arguments)(settings, lambda kills: progress.advance(task, kills))
    _report(console, result)
    if arguments.json:
        print(json.dumps(result.as_json()))
    return int(bool(result.faults))


def _runner(arguments: argparse.Namespace) -> Callable[[KillSettings, Tell], KillResult]:
    if not arguments.agent:
        return run_kills
    # Here, because only this way needs the agent and central installed.
    from tests.crash.agent_kills import run_agent_kills

    return run_agent_kills


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.kills", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1_000, help="how often to kill (1000)")
    parser.add_argument("--registers", type=int, default=4, help="registers that sell at once (4)")
    parser.add_argument("--seed", default="1", help="another seed kills at other moments (1)")
    parser.add_argument("--agent", action="store_true", help="kill the real agent, with central and SDK")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    if arguments.kills < 1 or arguments.registers < 1:
        parser.error("--kills and --registers are 1 or more")
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
