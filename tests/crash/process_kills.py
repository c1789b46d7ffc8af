"""Kills of the light process (`kill_process.py`): hundreds of short lives, a new journal every so many.

Each life is a fork of a process that has everything imported, so that a kill in its first milliseconds hits the opening
of the journal and not Python's start.
"""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Client, Connection
from pathlib import Path
from random import Random
from typing import Any

from loyalty_sdk.errors import Busy, JournalUnavailable, OutcomeUnknown
from sync.store import Command
from terminal_agent.demo.acknowledged import AcknowledgedList, read_acknowledged
from tests.crash import rig
from tests.crash.audit import Fault
from tests.crash.check import check_directory
from tests.crash.expected import Expected, lines_of_journal
from tests.crash.kill_process import SOCKET, serve
from tests.crash.kill_result import KillResult, KillSettings, Tell
from tests.crash.register import Json, Register

__all__ = ["run_process_kills"]

# A journal is retired after so many lives, or its audit would take longer than the lives.
LIVES_PER_JOURNAL = 50
# Only the first lives find a journal that has to be migrated.
LIVES_PER_JOURNAL_GIVEN = 4
LIFE_S_MEAN = 0.1
# The share of lives that are killed before or while they open the journal.
START_SHARE = 0.25
START_S_MAX = 0.03
READY_TIMEOUT_S = 30.0
RETRY_S = 0.005


def run_process_kills(settings: KillSettings, tell: Tell = lambda kills: None) -> KillResult:
    """Kill, audit, and begin again; stop at the first life that left something wrong."""
    started, result = time.monotonic(), KillResult()
    while result.kills < settings.kills and not result.faults:
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            journal = _Journal(Path(folder), settings, f"{settings.seed}/{result.kills}", result)
            lives = LIVES_PER_JOURNAL if settings.journal is None else LIVES_PER_JOURNAL_GIVEN
            journal.live(min(lives, settings.kills - result.kills), tell)
    result.seconds = time.monotonic() - started
    return result


class _Journal:
    """One journal, its registers, and the processes that serve it one after the other."""

    def __init__(self, folder: Path, settings: KillSettings, seed: str, result: KillResult) -> None:
        self._directory = folder / "journal"
        self._directory.mkdir()
        self._copy = folder / "copy"
        self._before: list[Json] = []
        if settings.journal is not None:
            shutil.copy(settings.journal, self._directory / rig.JOURNAL)
            self._before = lines_of_journal(settings.journal)
        self._result = result
        self._random = Random(seed)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([serve.__module__])
        # What was pruned cannot be audited: every second journal goes without.
        prunes = result.kills // LIVES_PER_JOURNAL % 2 == 1
        names = [str(number) for number in range(settings.registers)]
        self._lanes = [_Lane(folder, name, self._directory / SOCKET, seed, prunes) for name in names]

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
                self._result.acknowledged += lane.acknowledged
                self._result.unanswered += lane.unanswered

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
            _wait_for(lambda: (self._directory / SOCKET).exists() or process.exitcode is not None)
            time.sleep(self._random.expovariate(1 / LIFE_S_MEAN))
        if process.exitcode is not None:
            self._result.faults.append(Fault("unusable", f"the process ended by itself, status {process.exitcode}"))
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
        process.kill()
        process.join()
        process.close()
        self._audit()

    def _audit(self) -> None:
        """Audit a copy: the next life is to find the files as the kill left them."""
        lines = self._before + [line for lane in self._lanes for line in lane.read()]
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir()
        for file in self._directory.glob(f"{rig.JOURNAL}*"):
            shutil.copy(file, self._copy)
        self._result.faults += check_directory(self._copy, Expected.of(lines))
        self._result.faults += [fault for lane in self._lanes for fault in lane.faults]


class _Lane:
    """A register in a thread, its list, and its connection to whichever process serves."""

    def __init__(self, folder: Path, name: str, socket: Path, seed: str, prunes: bool) -> None:
        self._path = folder / f"acknowledged-{name}"
        self._list = AcknowledgedList(self._path)
        self._socket = socket
        self._connection: Connection | None = None
        self._finishing = self._given_up = False
        self._thread = threading.Thread(target=self._work, name=f"register-{name}", daemon=True)
        self.acknowledged = self.unanswered = 0
        self.faults: list[Fault] = []
        self._register = Register(
            name=name,
            series="",
            random=Random(f"{seed}/{name}"),
            call=self._call,
            acknowledge=self._note,
            prunes=prunes,
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

    def read(self) -> list[Json]:
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

    def _note(self, line: Json) -> None:
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
        try:
            return self._connection.recv()
        except (OSError, EOFError):
            self.unanswered += 1
            raise


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
