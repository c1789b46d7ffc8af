"""The limit on a whole request, on real sockets; and that whatever it held is let go, whoever ends last."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from sync.watchdog import Watchdog

WAIT_S = 60
CONNECTED = "connection.connect_tcp.complete"


class Stream:
    """A connection as httpcore shows it; its handle is given when `gate` is open."""

    def __init__(self, handle: socket.socket) -> None:
        self.entered, self.gate = threading.Event(), threading.Event()
        self.handles: list[socket.socket] = []
        self._handle = handle

    def get_extra_info(self, _name: str) -> Any:
        return self

    def dup(self) -> socket.socket:
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        self.handles.append(self._handle.dup())
        return self.handles[-1]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(WAIT_S)
    with closing(ours), closing(theirs):
        yield ours, theirs


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_request_that_hangs_is_cut_off(silent: str) -> None:
    watchdog = Watchdog(0.05)
    with httpx.Client(timeout=WAIT_S, trust_env=False) as client:
        watchdog.start(client)
        with pytest.raises(httpx.TransportError), watchdog.watching():
            client.get(silent)
        watchdog.stop()


def test_stop_cuts_off_what_is_under_way(silent: str) -> None:
    watchdog, failed = Watchdog(WAIT_S), threading.Event()
    with httpx.Client(timeout=WAIT_S, trust_env=False) as client:
        watchdog.start(client)

        def ask() -> None:
            with pytest.raises(httpx.TransportError), watchdog.watching():
                client.get(silent)
            failed.set()

        thread = threading.Thread(target=ask)
        thread.start()
        while not failed.wait(0.005):
            watchdog.stop()
        thread.join(WAIT_S)


def test_a_time_that_is_not_over_cuts_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    looks: list[float] = []

    def stands() -> float:
        looks.append(0.0)
        return 0.0

    watchdog, stream = Watchdog(0.001, stands), Stream(ours)
    stream.gate.set()
    with httpx.Client() as client:
        watchdog.start(client)
        with watchdog.watching():
            watchdog._trace(CONNECTED, {"return_value": stream})
            while len(looks) < 5:
                threading.Event().wait(0.001)
            ours.sendall(b"x")
            assert theirs.recv(1) == b"x"
        watchdog.stop()
    assert stream.handles[0].fileno() == -1


def test_a_new_connection_lets_go_of_the_one_before(pair: tuple[socket.socket, socket.socket]) -> None:
    watchdog, stream = Watchdog(WAIT_S), Stream(pair[0])
    stream.gate.set()
    with watchdog.watching():
        watchdog._trace(CONNECTED, {"return_value": stream})
        watchdog._trace("http11.send_request_headers.started", {})
        watchdog._trace(CONNECTED, {"return_value": stream})
    watchdog.stop()
    assert [handle.fileno() for handle in stream.handles] == [-1, -1]


def test_a_connection_that_comes_while_it_stops_is_cut_off_and_let_go(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    watchdog, stream = Watchdog(WAIT_S), Stream(ours)

    def ask() -> None:
        with watchdog.watching():
            watchdog._trace(CONNECTED, {"return_value": stream})
            assert theirs.recv(1) == b""

    threads = [threading.Thread(target=ask), threading.Thread(target=watchdog.stop)]
    threads[0].start()
    assert stream.entered.wait(WAIT_S)
    threads[1].start()
    stream.gate.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert [handle.fileno() for handle in stream.handles] == [-1]
