"""One simulation from its seed: the shops are open, then everything is drained, then every law is checked."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from central_api.members.members import member_of_alias
from sync.answers import AnswerRefused
from tests.simulation.book import Book, Receipt
from tests.simulation.central_site import GRANT_HOURS, START, TENANT, CentralSite
from tests.simulation.events import Events
from tests.simulation.goods import ALIASES, UNREGISTERED
from tests.simulation.laws import broken_laws
from tests.simulation.ledger import Ledger
from tests.simulation.register import Counter, Register
from tests.simulation.scenario import Scenario
from tests.simulation.scheduler import Scheduler
from tests.simulation.server import CentralServer
from tests.simulation.story import Story
from tests.simulation.terminal import SimulatedTerminal
from tests.simulation.wire import Network

__all__ = ["Outcome", "Simulation", "simulate"]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
OPEN_MS_MAX = 48 * HOUR_MS
DATED_OPEN_MS_MAX = 200 * DAY_MS
QUIET = Scenario(transactions=0, terminals=0, registers=0, think_ms=1_000, latency_ms=50)
DRAIN_MS = HOUR_MS
OPENING_MS = 5_000
SHOPS_MAX = 6
# Longer than the pause between two looks at the feed, and than the one after an upload.
SETTLE_MS = 75_000
# Longer than any points of the programmes here live.
ALL_DATES_DAYS = 450


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one seed: `broken` names each law that does not hold, with what broke it."""

    seed: int
    transactions: int
    refused: int
    entries: int
    simulated_s: int
    digest: str
    broken: tuple[str, ...]
    story: Story = field(repr=False)


class Simulation:
    """Everything that takes part in one simulation."""

    def __init__(self, site: CentralSite, seed: int, scenario: Scenario) -> None:
        self.seed = seed
        self.scheduler = Scheduler(seed)
        self.story = Story(lambda: self.scheduler.now_ms)
        self.book = Book()
        self.server = CentralServer(site, self.scheduler, self.story, scenario)
        self.network = Network(self.scheduler, self.story, scenario, self.server.serve)
        self.shops = [
            SimulatedTerminal(self.scheduler, self.story, scenario, self.network, identity)
            for identity in site.identities[: scenario.terminals]
        ]
        self.counter = Counter(left=scenario.transactions)
        self.registers = [
            self._register(scenario, place, number)
            for place in range(scenario.terminals)
            for number in range(1, scenario.registers + 1)
        ]
        self.events = Events(self.scheduler, self.story, self.network, self.server, self.shops, self._clone)
        self.scenario = scenario
        self.errors: list[str] = []
        self.settled_at = START

    def run(self) -> Outcome:
        """Run it to its end."""
        with self._surroundings():
            try:
                broken = self._play()
            except Exception:
                broken = [f"somebody fell over: {traceback.format_exc()}"]
            broken += self.errors + self.server.faults + self.book.faults
            broken += [fault for shop in self.shops for fault in shop.witness.faults]
        return self._outcome(broken)

    def _play(self) -> list[str]:
        self._open_shops()
        open_ms_max = DATED_OPEN_MS_MAX if self.scenario.dated else OPEN_MS_MAX
        if not self.scheduler.run(self._is_closed, self.scheduler.now_ms + open_ms_max):
            return ["the shops do not close: a till is never answered"]
        if not self._drain():
            return ["the queues do not drain: " + self._stuck()]
        return broken_laws(self)

    def members(self) -> Iterator[tuple[str, str]]:
        """Every member's id and alias."""
        capabilities = self.server.capabilities
        with self.server.connection.begin():
            for alias in (*ALIASES, *UNREGISTERED):
                member_id = member_of_alias(self.server.connection, capabilities, TENANT, alias)
                if member_id is not None:
                    yield member_id, alias

    @property
    def lost(self) -> set[str]:
        """The ids of all entries that went with a disk."""
        return set[str]().union(*(shop.witness.lost for shop in self.shops))

    def is_lost(self, receipt: Receipt, ledger: Ledger) -> bool:
        """Whether a receipt went with a disk before central had it, or its card number with central's disk."""
        if str(receipt.key) not in ledger.receipts:
            return bool(receipt.entry_ids & self.lost)
        return self.server.restored and ledger.receipts[str(receipt.key)] in ledger.without_card

    def waits_for_lost(self, receipt: Receipt, ledger: Ledger) -> bool:
        """Whether this returns a sale that is lost: it waits for ever."""
        original = getattr(receipt.request, "original", None)
        return original is not None and self.is_lost(self.book.receipts[str(original)], ledger)

    def is_beyond(self, receipt: Receipt) -> bool:
        """Whether this is a return that may find nothing left of its sale."""
        return self.book.is_beyond(receipt, {shop.name for shop in self.shops if shop.witness.has_gone_back})

    def counts(self, receipt: Receipt, ledger: Ledger) -> bool:
        """Whether a receipt counts for the oracle."""
        return not self.is_lost(receipt, ledger) and not self.waits_for_lost(receipt, ledger)

    def _clone(self, shop: SimulatedTerminal) -> None:
        """Let a second copy of a terminal run beside the first, with a register of its own."""
        if len(self.shops) >= SHOPS_MAX:
            return
        clone = shop.cloned(f"{shop.terminal}-clone-{len(self.shops)}")
        self.story.tell(clone.name, f"is a copy of {shop.name}")
        self.shops.append(clone)
        clone.start()
        self.registers.append(self._register(self.scenario, len(self.shops) - 1, 1))
        self.scheduler.spawn(self.registers[-1].run)

    def _register(self, scenario: Scenario, place: int, number: int) -> Register:
        return Register(
            name=f"lane-{number}",
            scheduler=self.scheduler,
            story=self.story,
            scenario=scenario,
            terminal=self.shops[place],
            neighbour=self.shops[(place + 1) % len(self.shops)],
            book=self.book,
            counter=self.counter,
        )

    def _open_shops(self) -> None:
        """Every till begins the day with the programme."""
        self._weather(QUIET)
        if self.scenario.dated:
            self.events.begin_with_dates()
        for shop in self.shops:
            shop.start()
        self.scheduler.run(lambda: False, OPENING_MS)
        self._weather(self.scenario)
        for register in self.registers:
            self.scheduler.spawn(register.run)
        each_ms = self.scenario.think_ms + self.scenario.latency_ms
        self.events.plan(self.scenario, 1 + self.scenario.transactions * each_ms // len(self.registers))

    def _is_closed(self) -> bool:
        return self.counter.retries == 0 and all(register.done for register in self.registers)

    def _drain(self) -> bool:
        """Without faults from here on: until all is acknowledged, then once more after every grant has ended."""
        self.story.tell("simulation", "the shops are closed, everything works again")
        self.events.over = True
        self.network.mend()
        self._weather(QUIET)
        while self.events._unregistered:
            self.events.register_one()
        for shop in self.shops:
            shop.skew = self.server.skew
        if self.scenario.sent_late:
            self._pass_all_dates()
        if not self._settle():
            return False
        self.scheduler.jump((GRANT_HOURS + 1) * HOUR_MS)
        return self._settle() and self._book_dates()

    def _pass_all_dates(self) -> None:
        """Whatever the tills have not sent by now arrives when everything it concerns has expired and is booked."""
        self.story.tell("clock", f"nothing happens anywhere for {ALL_DATES_DAYS} days")
        self.scheduler.jump(ALL_DATES_DAYS * DAY_MS)
        while self.server.settle():
            pass

    def _book_dates(self) -> bool:
        """Until no date is left to be booked, and the tills have heard of each."""
        self.settled_at = self.server.capabilities.now()
        while self.server.settle():
            while self.server.settle():
                pass
            self.settled_at = self.server.capabilities.now()
            if not self._settle():
                return False
        return True

    def _weather(self, scenario: Scenario) -> None:
        self.network.scenario = self.server.scenario = scenario
        for shop in self.shops:
            shop.scenario = scenario
        for register in self.registers:
            register.scenario = scenario

    def _settle(self) -> bool:
        """Wait until all is acknowledged, and all changes since are fetched."""
        deadline_ms = self.scheduler.now_ms + DRAIN_MS
        while self.scheduler.now_ms < deadline_ms:
            self.scheduler.run(lambda: False, self.scheduler.now_ms + SETTLE_MS)
            if self._is_acknowledged():
                return True
        return False

    def _is_acknowledged(self) -> bool:
        return all(shop.up and shop.acknowledged for shop in self.shops)

    def _stuck(self) -> str:
        return "; ".join(shop.describe() for shop in self.shops if not (shop.up and shop.acknowledged))

    def _outcome(self, broken: list[str]) -> Outcome:
        for law in broken:
            self.story.tell("law", law)
        return Outcome(
            seed=self.seed,
            transactions=self.counter.made,
            refused=self.counter.refused,
            entries=sum(len(noted) for shop in self.shops for noted in shop.witness.journals.values()),
            simulated_s=self.scheduler.now_ms // 1_000,
            digest=self.story.digest(),
            broken=tuple(broken),
            story=self.story,
        )

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Whatever is logged as an error is one here."""
        handler = _Errors(self.errors)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)
            for shop in self.shops:
                if shop.up:
                    shop.end()
            self.scheduler.clear()


class _Errors(logging.Handler):
    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and isinstance(record.exc_info[1], AnswerRefused):
            return  # The network gave the terminal somebody else's answer.
        self._errors.append(f"{record.name} logs an error: {self.format(record)}")


def simulate(site: CentralSite, seed: int, transactions: int) -> Outcome:
    """Run the simulation of a seed."""
    return Simulation(site, seed, Scenario.drawn(seed, transactions)).run()
