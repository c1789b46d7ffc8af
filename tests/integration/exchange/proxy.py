"""A proxy on raw sockets between a terminal and central, that fails as it is told to.

It knows just enough HTTP to take a request and an answer apart; what it sends may be anything.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["Fault", "Proxy", "Request", "answer_of", "json_answer"]

READ_BYTES = 65_536
WAIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came in: its first line, and all of its bytes."""

    line: str
    head: bytes
    body: bytes

    @property
    def data(self) -> bytes:
        """Everything, as it is sent on."""
        return self.head + self.body


Fault = Callable[["Proxy", socket.socket, Request], None]


def answer_of(status: str, media_type: str, body: bytes, *headers: str) -> bytes:
    """An answer's bytes, with the length that it has."""
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_answer(body: bytes) -> bytes:
    """What central answers where nothing is wrong."""
    return answer_of("200 OK", "application/json", body)


class Proxy:
    """Listens on a port of its own. `fail` gives the faults of the next requests; then it is honest."""

    def __init__(self, upstream_port: int, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answers: list[bytes] = []
        self.kept: list[Request] = []
        self.stopping = threading.Event()
        self._faults: list[tuple[str, Fault]] = []
        self._upstream_port = upstream_port
        self._tls = tls
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://localhost:{self._listener.getsockname()[1]}"

    def fail(self, part: str, *faults: Fault) -> None:
        """Use these for the next requests whose first line contains `part`, one each."""
        with self._lock:
            self._faults += [(part, fault) for fault in faults]

    @property
    def failing(self) -> bool:
        """Whether faults are left."""
        return bool(self._faults)

    def seen(self, part: str) -> list[Request]:
        """The requests whose first line contains `part`."""
        return [request for request in self.requests if part in request.line]

    def close(self) -> None:
        """End every connection."""
        self.stopping.set()
        self._listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    # Faults

    def lose_request(self, _proxy: Proxy, _connection: socket.socket, _request: Request) -> None:
        """Central never sees it."""

    def lose_answer(self, _proxy: Proxy, _connection: socket.socket, request: Request) -> None:
        """Central does it, and nobody hears."""
        self.forward(request)

    def double(self, _proxy: Proxy, connection: socket.socket, request: Request) -> None:
        """Central gets it twice; the second answer comes back."""
        self.forward(request)
        connection.sendall(self.forward(request))

    def delay(self, _proxy: Proxy, _connection: socket.socket, request: Request) -> None:
        """Keep it until `release`: others overtake it."""
        self.kept.append(request)

    def release(self) -> list[bytes]:
        """Let what was kept arrive now; the answers have nobody left to go to."""
        answers = [self.forward(request) for request in self.kept]
        self.kept.clear()
        return answers

    def hang(self, _proxy: Proxy, _connection: socket.socket, _request: Request) -> None:
        """Say nothing until the end."""
        self.stopping.wait(WAIT_S)

    @staticmethod
    def cut_answer(size: int) -> Fault:
        """Only the first bytes of the answer come back."""
        return lambda proxy, connection, request: connection.sendall(proxy.forward(request)[:size])

    @staticmethod
    def cut_request(size: int) -> Fault:
        """Only the first bytes of the request arrive."""

        def fault(proxy: Proxy, _connection: socket.socket, request: Request) -> None:
            with suppress(OSError):
                proxy.forward(Request(line=request.line, head=request.data[:size], body=b""), waits=False)

        return fault

    @staticmethod
    def say(data: bytes) -> Fault:
        """These bytes come back, and central sees nothing."""
        return lambda proxy, connection, request: connection.sendall(data)

    @staticmethod
    def changed(change: Callable[[dict[str, Any]], object]) -> Fault:
        """Central's own answer comes back, with something in it changed."""

        def fault(proxy: Proxy, connection: socket.socket, request: Request) -> None:
            document = json.loads(proxy.forward(request).partition(b"\r\n\r\n")[2])
            change(document)
            connection.sendall(json_answer(json.dumps(document).encode()))

        return fault

    @staticmethod
    def drip(data: bytes, every_s: float) -> Fault:
        """These bytes come back one by one, then the last again and again."""

        def fault(proxy: Proxy, connection: socket.socket, request: Request) -> None:
            position = 0
            with suppress(OSError):
                while not proxy.stopping.wait(every_s):
                    connection.sendall(data[position : position + 1])
                    position = min(position + 1, len(data) - 1)

        return fault

    # The honest part

    def forward(self, request: Request, *, waits: bool = True) -> bytes:
        """Send a request to central and return its answer; empty where central is down."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._upstream_port), WAIT_S) as upstream:
            upstream.sendall(request.data)
            if not waits:
                return b""
            message = _read_message(upstream)
            answer = b"" if message is None else message[0] + message[1]
            self.answers.append(answer)
            return answer
        return b""

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        self._open.add(plain)
        with suppress(OSError), self._wrapped(plain) as connection:
            while (message := _read_message(connection)) is not None:
                line = message[0].split(b"\r\n", 1)[0].decode()
                request = Request(line=line, head=message[0], body=message[1])
                fault = self._next_fault(request)
                if fault is not None:
                    fault(self, connection, request)
                    break
                answer = self.forward(request)
                if not answer:
                    break
                connection.sendall(answer)
        self._open.discard(plain)

    def _wrapped(self, connection: socket.socket) -> socket.socket:
        return connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True)

    def _next_fault(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for index, (part, fault) in enumerate(self._faults):
                if part in request.line:
                    del self._faults[index]
                    return fault
        return None


def _read_message(connection: socket.socket) -> tuple[bytes, bytes] | None:
    """Read one message with a Content-Length; None where the connection ends before."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := connection.recv(READ_BYTES)):
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
    while len(body) < length:
        if not (part := connection.recv(READ_BYTES)):
            return None
        body += part
    return head + b"\r\n\r\n", body
