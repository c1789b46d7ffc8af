"""A real terminal for these tests: enrolled over HTTP, with its store, its writer and its exchange in threads."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from loyalty_sdk.errors import JournalUnavailable, OutcomeUnknown
from loyalty_sdk.model import Context
from loyalty_sdk.protocol import GrantRequest, IdentifyRequest, MemberAnswer
from sync import identity as identities
from sync.answers import StoreMember
from sync.central import Call, json_call, parse, receive
from sync.exchange import Exchange
from sync.host import Host
from sync.journal import Watermark, watermark
from sync.machine import Machine, MachineSettings
from sync.reports import unconfirmed_grants
from sync.store import Store
from sync.transaction import Transaction
from sync.writer import Writer
from terminal_agent.data_directory import DataDirectory
from terminal_agent.enrolment import enrol
from tests.support.terminal_memory import TODAY, Clock, TerminalMemory

__all__ = ["FAST", "Till", "wait_until"]

T = TypeVar("T")
WAIT_S = 60
FAST = MachineSettings(
    entries_max=50, changes_ms=40, changes_after_upload_ms=5, backoff_ms=2, backoff_ms_max=20, refused_ms=60
)


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds; a minute is for a machine that stands still."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def _patiently(work: Callable[[], T]) -> T:
    """Try again while the journal is being replaced, as its errors say."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return work()
        except (JournalUnavailable, OutcomeUnknown):
            assert time.monotonic() < deadline, "the journal does not come back"
            time.sleep(0.005)


class Till(TerminalMemory):
    """A terminal in one directory; `start` and `stop` are its agent's."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.path = folder / "journal.db"
        self.url = url
        self.hooks = None
        self.clock = Clock(now=datetime.now(UTC))
        self.host = Host(now=lambda: datetime.now(UTC), random_bytes=os.urandom)
        self.receipts = 0
        self.identity = identities.read(DataDirectory(folder).identity)
        self.context = Context(store="1", register=self.identity.terminal, cashier="ana", business_date=TODAY)
        self.running = False

    @classmethod
    def enrolled(cls, folder: Path, url: str, code: str, *, again: bool = False) -> Till:
        """Enrol a terminal with a code."""
        host = Host(now=lambda: datetime.now(UTC), random_bytes=os.urandom)
        enrol(DataDirectory(folder), url=url, code=code, agent_version="test", host=host, again=again)
        return cls(folder, url)

    def start(self, *, exchanging: bool = True, request_s_max: float = 120, verify: Any = True) -> None:
        """Open the journal and start the threads; without `exchanging` the network stays unused."""
        self.store = Store(self.path, self.identity, self.host, "test")
        self.store.open()
        self.writer = Writer(self.store, on_commit=lambda head_seq: self.exchange.appended(head_seq))
        with self.store.reading() as connection:
            mark, unconfirmed = watermark(connection), unconfirmed_grants(connection)
        machine = Machine(
            FAST, random.Random(3).randrange, watermark=mark.seq, head_seq=mark.head_seq, unconfirmed=unconfirmed
        )
        self.client = httpx.Client(base_url=self.url, timeout=WAIT_S, trust_env=False, verify=verify)
        self.exchange = Exchange(
            store=self.store,
            writer=self.writer,
            machine=machine,
            client=self.client,
            identity=self.identity,
            host=self.host,
            monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
            request_s_max=request_s_max,
        )
        self.writer.start()
        self._exchanging = exchanging
        if exchanging:
            self.exchange.start()
        self.running = True

    def stop(self) -> None:
        """End the threads and close the journal."""
        if not self.running:
            return
        if self._exchanging:
            self.exchange.stop()
        self.client.close()
        self.writer.stop()
        self.store.close()
        self.running = False

    def image(self, name: str) -> Path:
        """Copy the stopped terminal's whole directory, as a disk image does."""
        assert not self.running
        return Path(shutil.copytree(self.folder, self.folder.with_name(name)))

    def restore(self, image: Path) -> None:
        """Put an image in the place of the stopped terminal's directory."""
        assert not self.running
        shutil.rmtree(self.folder)
        shutil.copytree(image, self.folder)

    def run(self, command: Callable[[Transaction], T]) -> T:
        """Run one command through the writer as a POS does, which tries again while the journal is replaced."""
        return _patiently(lambda: self.writer.call(command))

    def identify(self, card: str) -> MemberAnswer:
        """Ask central who a card is, and keep the answer."""
        with self.store.reading() as connection:
            journal = watermark(connection).journal
        answer = self._ask(json_call("POST", "/v1/members/identify", IdentifyRequest(alias=card, journal=journal)))
        self.run(StoreMember(answer=answer))
        return answer

    def exact_grant(self, member_id: str, points: int) -> str:
        """Ask central for points for one redemption, and keep them; returns its id."""
        redemption_id = self.host.new_id()
        request = GrantRequest(
            redemption_id=redemption_id, member_id=member_id, journal=self.journal, points=points, points_min=points
        )
        answer = self._ask(json_call("POST", "/v1/grants", request))
        self.run(StoreMember(answer=answer, redemption_id=redemption_id))
        return redemption_id

    @property
    def mark(self) -> Watermark:
        def read() -> Watermark:
            with self.store.reading() as connection:
                return watermark(connection)

        return _patiently(read)

    def fact(self, name: str) -> str | None:
        """A single fact of the journal."""
        value: str | None = self.scalar("SELECT value FROM meta WHERE name = ?", name)
        return value

    def scalar(self, statement: str, *parameters: Any) -> Any:
        """Read one value by SQL."""
        return next((row[0] for row in self.rows(statement, *parameters)), None)

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Read rows by SQL."""

        def read() -> list[Any]:
            with self.store.reading() as connection:
                return list(connection.exec_driver_sql(statement, parameters).all())

        return _patiently(read)

    def is_drained(self) -> bool:
        """Whether central holds everything."""
        mark = self.mark
        return mark.seq == mark.head_seq

    def drain(self) -> None:
        """Wait until central holds everything."""
        wait_until(self.is_drained)

    def _ask(self, call: Call) -> MemberAnswer:
        with httpx.Client(base_url=self.url, timeout=WAIT_S, trust_env=False) as client:
            return parse(MemberAnswer, receive(client, call.request(client, self.identity.token)), self.host.now())
