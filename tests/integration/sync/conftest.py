"""Fixtures of the exchange: a terminal on a real file, its threads, and a scripted central on a real socket."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sync.exchange import Exchange
from sync.journal import Watermark, watermark
from sync.machine import Machine, MachineSettings
from sync.writer import Writer
from tests.integration.sync.scripted_central import ScriptedCentral
from tests.support.terminal_memory import MEMBER, TerminalMemory

WAIT_S = 60
FAST = MachineSettings(
    entries_max=50, changes_ms=40, changes_after_upload_ms=5, backoff_ms=2, backoff_ms_max=20, refused_ms=40
)


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds; a minute is for a machine that stands still."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


@dataclass
class Terminal:
    """A terminal whose exchange can be started and stopped."""

    memory: TerminalMemory
    central: ScriptedCentral
    writer: Writer
    exchange: Exchange

    @classmethod
    def of(cls, memory: TerminalMemory, central: ScriptedCentral, settings: MachineSettings = FAST) -> Terminal:
        """Wire the threads; the writer runs, the exchange is not started yet."""
        with memory.store.reading() as connection:
            mark = watermark(connection)
        terminal: Terminal
        writer = Writer(memory.store, on_commit=lambda head_seq: terminal.exchange.appended(head_seq))
        exchange = Exchange(
            store=memory.store,
            writer=writer,
            machine=Machine(settings, random.Random(3).randrange, watermark=mark.seq, head_seq=mark.head_seq),
            client=httpx.Client(base_url=central.url, timeout=600, trust_env=False),
            identity=memory.identity,
            host=memory.host,
            monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
        )
        terminal = cls(memory, central, writer, exchange)
        writer.start()
        return terminal

    def sell(self, sales: int = 1, alias: str | None = None) -> None:
        """Record sales through the writer."""
        for _ in range(sales):
            request = self.memory.sale_request(member_id=None if alias else MEMBER, alias=alias)
            self.writer.call(self.memory.sale_command(request))

    @property
    def mark(self) -> Watermark:
        with self.memory.store.reading() as connection:
            return watermark(connection)

    def wait_drained(self) -> None:
        wait_until(lambda: self.mark.seq == self.mark.head_seq)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[TerminalMemory]:
    memory = TerminalMemory(path=tmp_path / "journal.db")
    memory.store_programme()
    yield memory
    memory.store.close()


@pytest.fixture
def central(memory: TerminalMemory) -> Iterator[ScriptedCentral]:
    central = ScriptedCentral(memory)
    yield central
    central.close()


@pytest.fixture
def terminal(memory: TerminalMemory, central: ScriptedCentral) -> Iterator[Terminal]:
    terminal = Terminal.of(memory, central)
    yield terminal
    if terminal.exchange._thread.ident is None:
        terminal.exchange._client.close()
    else:
        terminal.exchange.stop()
    terminal.writer.stop()
