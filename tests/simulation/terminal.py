"""One terminal in the simulation: the real store, writer's commands, machine, exchange and service on simulated time.

The database lives in memory; its image is what a disk would hold. A crash keeps what was committed, a restore puts an
older image back. Threads, sockets and clocks are the only things that are not real.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import httpx

from loyalty_sdk.errors import AgentUnreachable, OutcomeUnknown
from loyalty_sdk.model import Hold, Member
from loyalty_sdk.protocol import GrantRequest, IdentifyRequest, MemberAnswer
from sync.central import Call, CentralRefused, json_call, parse, receive
from sync.database import Database
from sync.exchange import Exchange
from sync.holds import CreateHold, find_hold
from sync.host import Host
from sync.identity import Identity
from sync.journal import Watermark, watermark
from sync.machine import Machine, MachineSettings
from sync.reports import unconfirmed_grants
from sync.store import Command, Hooks, Result, Store
from sync.transaction import Transaction
from sync.writer import Writer
from terminal_agent.central_line import CentralLine, is_overloaded
from terminal_agent.service import Service
from tests.simulation.central_site import START, run_to_end
from tests.simulation.scenario import Scenario
from tests.simulation.scheduler import Ended, Life, Parking, Scheduler
from tests.simulation.story import Story
from tests.simulation.wire import Network, Wire
from tests.simulation.witness import Witness

__all__ = ["SimulatedTerminal"]

T = TypeVar("T")
# Short ones, because a simulation lasts for minutes and a day would be spent waiting.
SETTINGS = MachineSettings(
    changes_ms=60_000,
    changes_after_upload_ms=15_000,
    backoff_ms=1_000,
    backoff_ms_max=10_000,
    refused_ms=20_000,
)
EXCHANGE_TIMEOUT_MS = 20_000
DEADLINE_MS = 6_000
COMMIT_MS = 40

_ENDED_GRANTS = (
    "SELECT g.grant_id FROM hold_grants h JOIN grants g ON g.grant_id = h.grant_id WHERE h.hold_id = ?"
    " AND unixepoch(g.not_after) < unixepoch((SELECT value FROM meta WHERE name = 'central_time_seen'))"
)


class Crash(BaseException):
    """The terminal's process ends here."""


class ImageDatabase(Database):
    """A database in memory that begins as a copy of an image."""

    def __init__(self, image: bytes | None) -> None:
        super().__init__(None)
        self._image = image

    def image(self) -> bytes:
        """Return what is committed."""
        driver: Any = self.writer.connection.driver_connection
        data: bytes = driver.serialize()
        return data

    def _prepare_writer(self, connection: sqlite3.Connection, record: object) -> None:
        if self._image is not None:
            connection.deserialize(self._image)
        super()._prepare_writer(connection, record)


class Wakeup:
    """The exchange's condition variable on simulated time."""

    def __init__(self, scheduler: Scheduler, life: Life) -> None:
        self._scheduler = scheduler
        self._life = life
        self._parking: Parking | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None

    def wait(self, timeout_s: float) -> None:
        """Wait until notified or until the time is over."""
        self._parking = self._life.park()
        self._scheduler.after(int(timeout_s * 1_000) + 1, self._parking.wake)
        self._life.wait()

    def notify(self) -> None:
        """Wake who waits."""
        if self._parking is not None:
            self._parking.wake()


class SimulatedService(Service):
    """The service without an event loop: its writer answers in simulated time."""

    async def _write(self, command: Callable[[Transaction], T]) -> T:
        return cast("SimulatedTerminal", self._writer).call(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedLine:
    """Online calls while a customer waits; the network keeps the deadline."""

    wire: Wire
    token: str
    exchange: Exchange
    now: Callable[[], datetime]

    async def identify(self, request: IdentifyRequest) -> MemberAnswer:
        """Ask who an alias is. Raises CentralFailure."""
        return self._ask(json_call("POST", "/v1/members/identify", request))

    async def grant(self, request: GrantRequest) -> MemberAnswer:
        """Ask for points for one redemption. Raises CentralFailure."""
        return self._ask(json_call("POST", "/v1/grants", request))

    def _ask(self, call: Call) -> MemberAnswer:
        client = cast("httpx.Client", self.wire)
        try:
            member = parse(MemberAnswer, receive(client, call.request(client, self.token)), self.now())
        except CentralRefused as error:
            if not is_overloaded(error):
                self.exchange.reached()
            raise
        self.exchange.reached()
        return member


class SimulatedTerminal:
    """One terminal over all its lives. It is the writer of its own store.

    `terminal` is what central calls it; a clone has that in common with the other copy, and a `name` of its own.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        story: Story,
        scenario: Scenario,
        network: Network,
        identity: Identity,
        name: str = "",
    ) -> None:
        self.identity = identity
        self.terminal = identity.terminal
        self.name = name or identity.terminal
        self.skew = timedelta(0)
        self.scenario = scenario
        self.witness = Witness(self.terminal)
        self.host = Host(now=lambda: self.now, random_bytes=scheduler.random.randbytes)
        self._scheduler = scheduler
        self._story = story
        self._network = network
        self.cards: dict[str, Member] = {}
        self._queue: list[tuple[Command, Parking]] = []
        self._image: bytes | None = None
        self._backup: bytes | None = None
        self.life = Life(scheduler)
        self.life.end()

    @property
    def now(self) -> datetime:
        """What this terminal's clock shows."""
        return START + timedelta(milliseconds=self._scheduler.now_ms) + self.skew

    @property
    def up(self) -> bool:
        """Whether the agent runs."""
        return not self.life.over

    def start(self) -> None:
        """Begin a life on what the disk holds."""
        if self.up:
            return
        self.life = life = Life(self._scheduler)
        self._queue = []
        self.store = self._store()
        self.store.open()
        with self.store.reading() as connection:
            mark, unconfirmed = watermark(connection), unconfirmed_grants(connection)
        self._story.tell(self.name, f"starts at entry {mark.head_seq}, acknowledged {mark.seq}")
        self.witness.observe(self.store)
        random = self._scheduler.random
        self.machine = Machine(
            SETTINGS, random.randrange, watermark=mark.seq, head_seq=mark.head_seq, unconfirmed=unconfirmed
        )
        self.exchange = self._exchange(life)
        line = SimulatedLine(
            wire=Wire(self._network, life, self.name, DEADLINE_MS),
            token=self.identity.token,
            exchange=self.exchange,
            now=self.host.now,
        )
        self.service = SimulatedService(
            store=self.store,
            writer=cast("Writer", self),
            central=cast("CentralLine", line),
            identity=self.identity,
            host=self.host,
        )
        self._scheduler.spawn(self.exchange._run)

    def crash(self, where: str) -> None:
        """End the life; a while later the next one begins."""
        if not self.up:
            return
        self._story.tell(self.name, f"crashes {where}")
        self.end()
        self._scheduler.after(self._scheduler.random.randint(200, 8_000), self.start)

    def back_up(self) -> None:
        """Copy the disk."""
        self._backup = self.image()

    def restore(self) -> None:
        """Crash, and come back with the copied disk: what was committed since is gone."""
        if not self.up or self._backup is None:
            return
        self.crash("and its disk is restored from a copy")
        self._image = self._backup
        self.witness.restore(self._image)

    def cloned(self, name: str) -> SimulatedTerminal:
        """Return a second copy of this terminal, with all that its disk holds now; both go on."""
        clone = SimulatedTerminal(self._scheduler, self._story, self.scenario, self._network, self.identity, name)
        clone._image = self.image()
        clone.skew = self.skew
        clone.witness = self.witness.cloned()
        return clone

    def end(self) -> None:
        """End the life and keep what the disk holds."""
        self._image = self.image()
        self.life.end()
        self.store.close()

    def image(self) -> bytes:
        """Return what the disk holds."""
        return self._database.image() if self.up or self._image is None else self._image

    def ask(self, call: Callable[[Service], Coroutine[Any, Any, T]]) -> T:
        """Make a call of the local API. Raises LoyaltyError; AgentUnreachable and OutcomeUnknown over a crash."""
        if not self.up:
            raise AgentUnreachable("the agent does not answer: try again")
        try:
            return run_to_end(call(self.service))
        except Ended:
            raise OutcomeUnknown("the agent went away: retry with the same key") from None

    def call(self, command: Callable[[Transaction], T]) -> T:
        """Run a command as `sync.writer` does: with others in one commit, answered after it."""
        parking = self.life.park()
        self._queue.append((self._checked(command) if isinstance(command, CreateHold) else command, parking))
        if len(self._queue) == 1:
            life = self.life
            self._scheduler.after(self._scheduler.random.randint(0, COMMIT_MS), lambda: self._commit(life))
        value: T = self.life.wait()
        return value

    def _commit(self, life: Life) -> None:
        if life.over:
            return
        items, self._queue = self._queue, []
        try:
            results = self.store.transact([command for command, _ in items])
        except Crash as crash:
            self.crash(str(crash))
            return
        self.answer(items, results)
        self.witness.observe(self.store)
        self.exchange.appended(self.store.head_seq)

    def answer(self, items: Sequence[tuple[Command, Parking]], results: Sequence[Result]) -> None:
        """Give every caller its result."""
        for (_, parking), result in zip(items, results, strict=True):
            if result.error is not None:
                parking.fail(result.error)
            else:
                parking.wake(result.value)

    @property
    def acknowledged(self) -> bool:
        """Whether central has acknowledged all that this terminal committed."""
        return self._mark().seq == self.store.head_seq

    def describe(self) -> str:
        """Where it stands, for a story that does not end well."""
        if not self.up:
            return f"{self.name} is down"
        return f"{self.name}: acknowledged {self._mark().seq} of {self.store.head_seq}; {self.exchange.trouble}"

    def _mark(self) -> Watermark:
        with self.store.reading() as connection:
            return watermark(connection)

    def rows(self, statement: str) -> Sequence[Any]:
        """Read the database with plain SQL."""
        with self.store.reading() as connection:
            return connection.exec_driver_sql(statement).all()

    def _checked(self, command: CreateHold) -> Command:
        """Hold a new hold against Law 10: no clock makes a grant spendable that has ended by central's time."""

        def checked(transaction: Transaction) -> Hold:
            earlier = find_hold(transaction.connection, command.request.redemption_id)
            hold = command(transaction)
            for row in transaction.execute(_ENDED_GRANTS, (hold.hold_id,)) if earlier is None else ():
                fault = f"{self.name}: hold {hold.hold_id} is of grant {row.grant_id}, which had ended"
                self.witness.faults.append(fault)
            return hold

        return checked

    def _store(self) -> Store:
        hooks = Hooks(before_commit=self._before_commit, after_commit=self._after_commit)
        store = Store(None, self.identity, self.host, "simulated", hooks=hooks)
        self._database = ImageDatabase(self._image)
        store._database = self._database
        return store

    def _exchange(self, life: Life) -> Exchange:
        exchange = Exchange(
            store=self.store,
            writer=cast("Writer", self),
            machine=self.machine,
            client=cast("httpx.Client", Wire(self._network, life, self.name, EXCHANGE_TIMEOUT_MS)),
            identity=self.identity,
            host=self.host,
            monotonic_ms=lambda: self._scheduler.now_ms,
        )
        exchange._wakeup = Wakeup(self._scheduler, life)  # type: ignore[assignment]  # its twin on simulated time
        return exchange

    def _before_commit(self, commands: Sequence[Command]) -> None:
        if self._scheduler.chance(self.scenario.terminal_crashes_before_commit):
            raise Crash(f"before the commit of {_names(commands)}")

    def _after_commit(self, commands: Sequence[Command]) -> None:
        if self._scheduler.chance(self.scenario.terminal_crashes_after_commit):
            raise Crash(f"after the commit of {_names(commands)}")


def _names(commands: Sequence[Command]) -> str:
    return ", ".join(getattr(command, "__name__", type(command).__name__) for command in commands)
