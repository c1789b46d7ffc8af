"""The chain of a replay as processes: one central, one agent for each terminal, a Till for each register.

Starts, kills and asks them; sells nothing. Everything lies in one directory, which is the replay's own.
"""

from __future__ import annotations

import csv
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from loyalty_sdk.errors import LoyaltyError
from loyalty_sdk.till import Till
from terminal_agent.demo.processes import Agent, Central, Processes, ProcessFailed
from terminal_agent.replay.distribution import Lane
from terminal_agent.replay.options import OptionsInvalid

__all__ = ["Fleet", "prepare_directory", "queued", "wait_for_none", "write_members"]

TENANT = "replay"
CASHIER = "replay"
MARKER = ".loyalty-replay"
POLL_S = 0.1
STALLED_S = 60.0
EXCHANGE = "changes_s = 1\nbackoff_s_max = 3\n"


def prepare_directory(directory: Path) -> Path:
    """Empty the directory of an earlier replay, or make a new one. Raises OptionsInvalid for any other directory."""
    if directory.exists() and (
        not directory.is_dir() or (any(directory.iterdir()) and not (directory / MARKER).exists())
    ):
        raise OptionsInvalid(f"{directory} holds something else than a replay; name an empty --directory")
    shutil.rmtree(directory, ignore_errors=True)
    try:
        directory.mkdir(parents=True)
        (directory / MARKER).touch()
    except OSError as error:
        raise OptionsInvalid(f"--directory {directory} cannot be made: {error.strerror}; name another") from None
    return directory


def write_members(path: Path, aliases: Iterable[str]) -> None:
    """Write the members as `loyalty-central member import` reads them; real files of receipts name nobody."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("alias", "name"))
        writer.writerows((alias, "") for alias in aliases)


class Fleet:
    """Central and the agents of all terminals, by name."""

    def __init__(
        self, processes: Processes, directory: Path, terminals: Sequence[str], database_url: str | None
    ) -> None:
        self._processes = processes
        self._directory = directory
        self.central = Central(processes, directory, database_url)
        self.agents: Mapping[str, Agent] = {
            # Short names, since the path of a Unix socket has about 100 bytes.
            terminal: Agent(processes, directory / f"t{number}")
            for number, terminal in enumerate(terminals, start=1)
        }

    def set_up(self, document: bytes, members: Iterable[str]) -> None:
        """Make central's database, start it, and enrol and start every agent. Raises ProcessFailed."""
        programme, aliases = self._directory / "programme.json", self._directory / "members.csv"
        programme.write_bytes(document)
        write_members(aliases, members)
        self.central.initialise(programme, TENANT)
        self.central.import_members(aliases)
        self.central.start()
        for terminal, agent in self.agents.items():
            agent.enrol(self.central.url, self.central.add_terminal(terminal))
            # Months pass in a minute here, so the usual half minute between questions for changes is long.
            agent.configure(exchange=EXCHANGE)
            agent.start()

    def till(self, lane: Lane) -> Till:
        """Return a new handle to a register; the business date is set for each receipt."""
        agent = self.agents[lane.terminal]
        return Till(
            store=lane.store,
            register=lane.register,
            cashier=CASHIER,
            business_date=date.min,
            agent=agent.address,
            token=agent.token,
        )

    def kill_agent(self, terminal: str) -> None:
        """Kill the agent of a terminal as a power cut would, and start it again."""
        agent = self.agents[terminal]
        agent.kill()
        agent.start()

    def drain(self, tills: Mapping[str, Till], on_drained: Callable[[int], None]) -> tuple[str, ...]:
        """Wait until central holds every entry of every journal; return what is wrong when nothing moves any more."""
        left = wait_for_none(lambda: queued(tills), on_drained)
        return (f"{left} entries do not reach central; see agent.log and central.log",) if left else ()

    def recall_grants(self, count_open: Callable[[], int]) -> tuple[str, ...]:
        """Want every grant back and wait until each is closed by an entry; return what is wrong as `drain` does."""
        self.central.recall_grants()
        left = wait_for_none(count_open, lambda closed: None)
        return (f"{left} grants were recalled, and their terminals do not close them",) if left else ()

    def reconcile(self) -> tuple[str, ...]:
        """Let each agent compare its journal with central; return what it complains of."""
        return tuple(
            f"terminal {terminal}: {complaint}"
            for terminal, agent in self.agents.items()
            if (complaint := self._complaint(agent))
        )

    def _complaint(self, agent: Agent) -> str:
        # The program beside the running Python, as demo and replay start all others.
        program = str(Path(sys.executable).with_name("loyalty-agent"))
        try:
            self._processes.run([program, "reconcile", "--directory", str(agent.directory), "--json"])
        except ProcessFailed as failed:
            return str(failed)
        return ""

    def stop(self) -> None:
        """End every process in order."""
        for agent in self.agents.values():
            agent.stop()
        self.central.stop()


def wait_for_none(
    count: Callable[[], int],
    on_less: Callable[[int], None],
    *,
    stalled_s: float = STALLED_S,
    sleep: Callable[[float], None] = time.sleep,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> int:
    """Wait until nothing is left, or until it has not become less for `stalled_s`; return what is left then."""
    left, moved_s = count(), monotonic_s()
    while left and monotonic_s() - moved_s <= stalled_s:
        sleep(POLL_S)
        now_left = count()
        if now_left < left:
            on_less(left - now_left)
            left, moved_s = now_left, monotonic_s()
    return left


def queued(tills: Mapping[str, Till]) -> int:
    """Count the entries that central does not hold yet. Raises ProcessFailed."""
    try:
        return sum(till.status().queue_length for till in tills.values())
    except LoyaltyError as error:
        raise ProcessFailed(f"an agent does not say how it is: {error}; see agent.log in its directory") from None
