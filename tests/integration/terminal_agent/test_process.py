"""The agent as a process: what it holds, how it ends, and who listens to it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from loyalty_sdk.basket import Basket, Line, Tender
from tests.integration.terminal_agent.conftest import Shop
from tests.support.agent_process import AgentProcess, CentralProcess, wait_until

BASKET = Basket.of("EUR", Line.of("CAKE", 1_000))
CASH = [Tender(kind="cash", amount_minor=1_000)]
IDLE_BYTES_MAX = 60_000_000

T = TypeVar("T")


class BlackHole:
    """A central that takes connections and never answers."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=100)
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def connections(self) -> int:
        return len(self._taken)

    def _take(self) -> None:
        while True:
            try:
                self._taken.append(self._listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        # A thread that waits in accept() is not woken by close() alone.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._taken:
            connection.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[tuple[CentralProcess, AgentProcess]]:
    """Central and an agent without devices."""
    central, agent = CentralProcess(tmp_path / "central"), AgentProcess(tmp_path / "agent")
    try:
        central.initialise({"format": "loyalty-programme-1", "name": "T", "version": 1, "currency": "EUR"})
        central.start()
        agent.enrol(central, "till-1")
        yield central, agent
    finally:
        agent.close()
        central.close()


def bare_python_bytes() -> int:
    script = "print(int(open('/proc/self/statm').read().split()[1]) * 4096)"
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_idle_agent_is_small(plain: tuple[CentralProcess, AgentProcess]) -> None:
    _, agent = plain
    agent.start()
    till = agent.till()
    till.record_sale(BASKET, "0001", CASH)
    wait_until(lambda: till.status().queue_length == 0, "an empty queue")
    assert agent.resident_bytes() - bare_python_bytes() <= IDLE_BYTES_MAX


def test_a_central_that_never_answers_costs_one_short_wait_and_no_shutdown(
    plain: tuple[CentralProcess, AgentProcess],
) -> None:
    central, agent = plain
    central.kill()
    hole = BlackHole(int(central.address.rpartition(":")[2]))
    try:
        agent.start()
        till = agent.till()
        wait_until(lambda: hole.connections >= 1, "the exchange to fall in")
        assert till.identify("2400001").state == "unconfirmed"
        connections = hole.connections
        for number in range(5):
            member = till.identify(f"{number}")
            till.record_sale(BASKET, f"{number:04}", CASH, member=member)
        assert hole.connections == connections, "central was left alone"
        # Had it waited for the answer, the hole would be asked in vain for the request's whole 30 seconds.
        assert agent.terminate() == 0, agent.log
        assert "Traceback" not in agent.log
    finally:
        hole.close()


def test_progress_is_told_by_status_follow_and_as_an_event(plain: tuple[CentralProcess, AgentProcess]) -> None:
    central, agent = plain
    central.kill()
    agent.start()
    till = agent.till()
    for number in range(3):
        till.record_sale(BASKET, f"{number:04}", CASH)
    progress = till.progress()
    with agent.following() as follower:
        assert follower.stdout is not None
        states = map(json.loads, follower.stdout)
        assert next(states)["progress"] == {"entries_left": 4, "entries_per_s": "0", "time_left_s": None}
        wait_for(progress, lambda told: told.entries_left == 4)
        central.start()
        wait_for(progress, lambda told: told.entries_left == 0 and told.time_left_s == 0)
        wait_for(states, lambda state: state["progress"]["entries_left"] == 0)


def wait_for(coming: Iterable[T], wanted: Callable[[T], bool]) -> None:
    """Read until what is wanted comes."""
    deadline = time.monotonic() + 60
    assert any(wanted(one) or time.monotonic() > deadline for one in coming)
    assert time.monotonic() < deadline, "waited in vain"


def test_a_listener_that_goes_is_forgotten_and_one_that_stays_holds_up_no_shutdown(shop: Shop) -> None:
    shop.agent.start()
    till = shop.agent.till()
    transport = httpx.HTTPTransport(uds=shop.agent.address.removeprefix("unix:"))
    headers = {"Authorization": f"Bearer {shop.agent.token}"}
    query = {"store": "12", "register": "1", "cashier": "77", "business_date": "2026-05-01"}
    with httpx.Client(transport=transport, base_url="http://localhost", headers=headers, trust_env=False) as client:
        with client.stream("GET", "/v1/events", params=query) as response:
            assert next(response.iter_raw()).startswith(b": listening")
        # A scan that comes now is heard by nobody, which the status tells.

        def is_forgotten() -> bool:
            shop.scanner.scan(f"{time.monotonic_ns()}")
            return any("while no POS listened" in warning for warning in till.status().warnings)

        wait_until(is_forgotten, "the listener to be forgotten")
        with client.stream("GET", "/v1/events", params=query) as response:
            chunks = response.iter_raw()
            assert next(chunks).startswith(b": listening")
            status = shop.agent.terminate()
            rest = b"".join(chunks)
    assert status == 0, shop.agent.log
    assert b"scanner_status" in rest
    assert "Traceback" not in shop.agent.log
    assert "graceful shutdown exceeded" not in shop.agent.log
