"""Both clients over a real Unix socket: the API of FakeAgent behind a server of the standard library.

What only a socket shows: connections that are kept, a server that dies between two calls, a stale socket file.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import httpx
import pytest

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import AgentUnreachable, OutcomeUnknown
from loyalty_sdk.model import Scan
from loyalty_sdk.testing import FakeAgent
from loyalty_sdk.till import AsyncTill, RetryPolicy, Till

BASKET = Basket.of("EUR", Line.of("A", 1_000))
PAID = [Tender(kind="cash", amount_minor=1_000)]


class Server(ThreadingMixIn, UnixStreamServer):
    """Hands every request to a FakeAgent's transport; `cut` closes the next connection after the work is done."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path, fake: FakeAgent) -> None:
        self.fake = fake
        self.cut = 0
        self.connections: set[socket.socket] = set()
        super().__init__(str(path), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        self._serve(b"")

    def _serve(self, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        request = httpx.Request(self.command, f"http://fake.agent{self.path}", headers=headers, content=body)
        response = self.server.fake.transport.handle_request(request)
        if self.server.cut:
            self.server.cut -= 1
            self.close_connection = True
            return
        self.send_response(response.status_code)
        for name in ("Content-Type", "Loyalty-Request-Id"):
            self.send_header(name, response.headers[name])
        if response.headers["Content-Type"] == "text/event-stream":
            self._stream(response)
            return
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    def _stream(self, response: httpx.Response) -> None:
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in response.iter_raw():
            self.wfile.write(chunk)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving(path: Path, fake: FakeAgent) -> Iterator[Server]:
    path.unlink(missing_ok=True)
    server = Server(path, fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        for connection in server.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def fake(tmp_path: Path) -> FakeAgent:
    (tmp_path / "token").write_text("fake-token\n")
    agent = FakeAgent()
    agent.add_member("4711", balance=5)
    return agent


def given(folder: Path) -> dict[str, Any]:
    return {
        "store": "12",
        "register": "3",
        "cashier": "77",
        "business_date": date(2026, 5, 1),
        "agent": f"unix:{folder}/agent.sock",
        "retries": RetryPolicy(pause_first_s=0.01, pause_max_s=0.02),
    }


def test_a_till_finds_token_and_socket_in_one_folder(tmp_path: Path, fake: FakeAgent) -> None:
    with serving(tmp_path / "agent.sock", fake) as server, Till(**given(tmp_path)) as till:
        member = till.identify("4711")
        assert till.record_sale(BASKET, "1", PAID, member=member).balance == 15
        assert till.status().head_seq == 1
        assert len(server.connections) == 1


async def test_an_async_till_does_too(tmp_path: Path, fake: FakeAgent) -> None:
    with serving(tmp_path / "agent.sock", fake):
        async with AsyncTill(**given(tmp_path)) as till:
            member = await till.identify("4711")
            assert (await till.record_sale(BASKET, "1", PAID, member=member)).balance == 15


def test_a_cut_connection_after_recording_is_repeated(tmp_path: Path, fake: FakeAgent) -> None:
    with serving(tmp_path / "agent.sock", fake) as server, Till(**given(tmp_path)) as till:
        server.cut = 2
        assert till.record_sale(BASKET, "1", PAID).recorded_before
        server.cut = 4
        with pytest.raises(OutcomeUnknown):
            till.record_sale(BASKET, "2", PAID)
    assert len(fake.sales) == 2


def test_an_agent_that_comes_back_is_found_and_one_that_is_gone_is_said(tmp_path: Path, fake: FakeAgent) -> None:
    path = tmp_path / "agent.sock"
    with Till(**given(tmp_path)) as till:
        for number in ("1", "2"):
            with serving(path, fake):
                assert not till.record_sale(BASKET, number, PAID).recorded_before
        with pytest.raises(AgentUnreachable, match="Connection refused"):
            till.record_sale(BASKET, "3", PAID)
    assert len(fake.sales) == 2


async def test_one_that_is_gone_is_said_to_who_awaits(tmp_path: Path, fake: FakeAgent) -> None:
    path = tmp_path / "agent.sock"
    async with AsyncTill(**given(tmp_path)) as till:
        with serving(path, fake):
            await till.identify("4711")
        with pytest.raises(AgentUnreachable):
            await till.identify("4711")


def test_scans_arrive_while_calls_go_on(tmp_path: Path, fake: FakeAgent) -> None:
    with serving(tmp_path / "agent.sock", fake), Till(**given(tmp_path)) as till:
        events = till.scans()
        for code in ("1", "2", "3"):
            fake.scan(code, "3")
            event = next(events)
            assert isinstance(event, Scan)
            assert event.data == code
            assert till.identify(event).state == "unknown"
        fake.break_stream("3")
