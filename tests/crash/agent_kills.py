"""Kills of the real agent: `loyalty-agent run` under SDK tills, with a real central that takes its uploads.

A life takes seconds, most of them the agent's start, so that this runs fewer kills than `kills.py`. The audit is the
same. The kill hits the process and whatever it started, while it starts, sells, uploads or takes acknowledgements.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import TypeVar

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import (
    AgentUnreachable,
    Busy,
    JournalUnavailable,
    OutcomeUnknown,
    RedemptionRefused,
)
from loyalty_sdk.ids import uuid7
from loyalty_sdk.model import Hold, Member, Sale
from loyalty_sdk.till import RetryPolicy, Till
from terminal_agent.demo.acknowledged import AcknowledgedList, read_acknowledged
from terminal_agent.demo.processes import Agent, Central, Processes, wait_until
from tests.crash import rig
from tests.crash.audit import Fault
from tests.crash.check import check_directory
from tests.crash.expected import Expected
from tests.crash.kill_result import KillResult, KillSettings, Tell
from tests.crash.register import BUSINESS_DATE, Json

__all__ = ["run_agent_kills"]

T = TypeVar("T")

ALIASES = tuple(f"29000000000{number:02d}" for number in range(8))
LIFE_S_MEAN = 0.5
START_SHARE = 0.2
START_S_MAX = 1.0
FINISH_TIMEOUT_S = 120.0
DRAIN_TIMEOUT_S = 120.0
RETRY_S = 0.05
# The pace of a test: central is asked often, so that kills hit the taking of acknowledgements too.
_EXCHANGE = "changes_s = 1\nbackoff_s_max = 1\nentries_max = 20\n"

_PROGRAM = Path(sys.executable).with_name("loyalty-agent")
_ONCE_MORE = (AgentUnreachable, OutcomeUnknown, Busy, JournalUnavailable)


def run_agent_kills(settings: KillSettings, tell: Tell = lambda kills: None) -> KillResult:
    """Kill, audit, and begin again; in the end let everything drain to central and audit for the last time."""
    started, result = time.monotonic(), KillResult()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kills-")))
        processes = stack.enter_context(Processes())
        _Run(folder, processes, settings, result).live(tell)
    result.seconds = time.monotonic() - started
    return result


class _Run:
    """Central, one agent, and the tills on it."""

    def __init__(self, folder: Path, processes: Processes, settings: KillSettings, result: KillResult) -> None:
        self._folder = folder
        self._settings = settings
        self._result = result
        self._random = Random(settings.seed)
        self._agent = Agent(processes, folder / "agent")
        _set_up(Central(processes, folder), self._agent, folder)
        self._agent.start()
        address, token = self._agent.address, self._agent.token
        self._agent.stop()
        self._lanes = [
            _Lane(folder, f"{number}", address, token, settings.seed) for number in range(settings.registers)
        ]

    def live(self, tell: Tell) -> None:
        """Run it."""
        for lane in self._lanes:
            lane.start()
        try:
            while self._result.kills < self._settings.kills and not self._result.faults:
                self._kill_once()
                self._audit()
                tell(1)
            if not self._result.faults:
                self._end()
        finally:
            for lane in self._lanes:
                lane.give_up()
                self._result.acknowledged += lane.acknowledged
                self._result.unanswered += lane.unanswered

    def _kill_once(self) -> None:
        """Kill while it starts, which takes most of a life, or while it serves."""
        if self._random.random() < START_SHARE:
            # The demo's Agent waits until it is ready; this one is not to become so.
            command = [str(_PROGRAM), "run", "--directory", str(self._agent.directory)]
            with (self._agent.directory / "agent.log").open("ab") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            time.sleep(self._random.uniform(0, START_S_MAX))
            process.kill()
            process.wait()
            self._result.kills_at_start += 1
        else:
            self._agent.start()
            time.sleep(self._random.expovariate(1 / LIFE_S_MEAN))
            self._agent.kill()
        self._result.kills += 1

    def _end(self) -> None:
        for lane in self._lanes:
            lane.finish()
        self._agent.start()
        for lane in self._lanes:
            lane.join()
        with self._lanes[0].till() as till:
            wait_until(lambda: till.status().queue_length == 0, "the queue to drain", DRAIN_TIMEOUT_S)
        self._agent.stop()
        self._audit()

    def _audit(self) -> None:
        lines = [line for lane in self._lanes for line in read_acknowledged(lane.path)]
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in self._agent.directory.glob(f"{rig.JOURNAL}*"):
            shutil.copy(file, copy)
        self._result.faults += check_directory(copy, Expected.of(lines))
        self._result.faults += [fault for lane in self._lanes for fault in lane.faults]


def _set_up(central: Central, agent: Agent, folder: Path) -> None:
    programme, members = folder / "programme.json", folder / "members.csv"
    programme.write_text(json.dumps(rig.PROGRAMME), encoding="utf-8")
    with members.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("alias", "name"), *((alias, f"Member {alias}") for alias in ALIASES)])
    central.initialise(programme, "crash")
    central.import_members(members)
    central.start()
    agent.enrol(central.url, central.add_terminal("till-1"))
    agent.configure(exchange=_EXCHANGE)


class _Lane:
    """A POS at one register, in a thread, with its own list."""

    def __init__(self, folder: Path, name: str, address: str, token: str, seed: str) -> None:
        self.path = folder / f"acknowledged-{name}"
        self._list = AcknowledgedList(self.path)
        self._name, self._address, self._token = name, address, token
        self._random = Random(f"{seed}/{name}")
        self._host = rig.host()
        self._number = 0
        self._holds: list[tuple[Hold, Basket]] = []
        self._sold: list[Sale] = []
        self._finishing = self._given_up = False
        self._thread = threading.Thread(target=self._work, name=f"register-{name}", daemon=True)
        self.acknowledged = self.unanswered = 0
        self.faults: list[Fault] = []

    def till(self) -> Till:
        """Make a handle of this register; the agent may be there or not."""
        return Till(
            store="store",
            register=self._name,
            cashier="cashier",
            business_date=BUSINESS_DATE,
            agent=self._address,
            token=self._token,
            retries=RetryPolicy(attempts_max=1, question_attempts_max=1),
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
        self._thread.join(FINISH_TIMEOUT_S)
        assert not self._thread.is_alive(), "a register hangs"

    def _work(self) -> None:
        try:
            with self.till() as till:
                while not self._finishing:
                    self._step(till)
        except _GivenUp:
            return
        # A register that stops would leave a proof of nothing: what stopped it is a fault.
        except Exception as error:
            self.faults.append(Fault("unusable", f"a register stopped: {type(error).__name__}: {error}"))

    def _step(self, till: Till) -> None:
        chance = self._random.random()
        if chance < 0.3:
            self._sell(till, self._basket())
        elif chance < 0.6:
            self._sell(till, self._basket(), self._repeat(lambda: till.identify(self._random.choice(ALIASES))))
        elif chance < 0.75:
            self._hold(till)
        elif chance < 0.9 and self._holds:
            hold, basket = self._holds.pop(0)
            self._sell(till, basket, hold.member_id, hold)
        elif chance < 0.94 and self._holds:
            hold, _ = self._holds.pop()
            self._repeat(lambda: till.release(hold))
            self._note({"kind": "release", "hold": hold.hold_id})
        elif self._sold:
            self._void(till, self._sold.pop(self._random.randrange(len(self._sold))))

    def _sell(self, till: Till, basket: Basket, member: Member | str | None = None, hold: Hold | None = None) -> None:
        number, paid_minor = self._next_number(), basket.total_minor - (hold.discount_minor if hold else 0)
        tenders = (Tender(kind="cash", amount_minor=paid_minor),)
        sale = self._repeat(lambda: till.record_sale(basket, number, tenders, member=member, hold=hold))
        hold_id = None if hold is None else hold.hold_id
        self._note({"kind": "sale", "receipt": str(sale.receipt), "entry": sale.entry_id, "hold": hold_id})
        self._sold.append(sale)

    def _hold(self, till: Till) -> None:
        """Redeem where the member has the points by now; a card that was not resolved cannot."""
        alias, basket = self._random.choice(ALIASES), self._basket()
        member = self._repeat(lambda: till.identify(alias))
        if member.member_id is None:
            return
        quote = self._repeat(lambda: till.quote(basket, member))
        redemption_id = uuid7(self._host.now(), self._host.random_bytes)
        with suppress(RedemptionRefused):
            hold = self._repeat(lambda: till.hold_redemption(quote, rig.REWARD_ID, 1, redemption_id))
            self._note({"kind": "hold", "hold": hold.hold_id})
            self._holds.append((hold, basket))

    def _void(self, till: Till, sale: Sale) -> None:
        number = self._next_number()
        done = self._repeat(lambda: till.reverse_sale("void", number, original=sale.receipt))
        self._note({"kind": "reversal", "receipt": str(done.receipt), "entry": done.entry_id})

    def _repeat(self, call: Callable[[], T]) -> T:
        """Repeat with the same key until there is an answer."""
        while not self._given_up:
            try:
                return call()
            except _ONCE_MORE as error:
                self.unanswered += not isinstance(error, AgentUnreachable)
                time.sleep(RETRY_S)
        raise _GivenUp

    def _note(self, line: Json) -> None:
        self._list.append(line)
        self.acknowledged += 1

    def _next_number(self) -> str:
        self._number += 1
        return str(self._number)

    def _basket(self) -> Basket:
        """Large enough that a few sales reach a reward."""
        prices = (self._random.randrange(2_000, 9_000) for _ in range(self._random.randrange(1, 5)))
        return Basket.of("EUR", *(Line.of(f"SKU-{number}", price) for number, price in enumerate(prices)))


class _GivenUp(Exception):
    """The run is over."""
