"""A printer without a printer: a real TCP socket on 127.0.0.1, for tests, the demo and POS vendors.

Prints on `Paper`, answers like a printer that can, and can be paused or switched off. Knows nothing of the spool
and nothing of how the bytes were made.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from drivers.printer._paper import Paper

__all__ = ["PrinterTwin"]

_READ_BYTES = 65536
_JOIN_TIMEOUT_S = 5.0
_POLL_S = 0.1
_HELD_BYTES_MAX = 1024 * 1024


class PrinterTwin:
    """A printer at `address` from construction to `close`.

    answering: when False it takes every byte and prints, and says nothing.
    printing: when False it takes every byte, prints nothing and says nothing, as with its cover open; what it took
    is printed when it is True again and more bytes come.
    """

    def __init__(self, *, columns: int = 42, receipts_max: int = 10_000) -> None:
        self.answering = True
        self.printing = True
        self._paper = Paper(columns=columns, receipts_max=receipts_max)
        self._held = bytearray()
        self._lock = threading.Lock()
        self._port = 0
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._servers: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self.power_on()

    @property
    def address(self) -> str:
        """Host and port for `PrinterSettings.address`; the same after it was switched off and on."""
        return f"127.0.0.1:{self._port}"

    def receipts(self) -> list[str]:
        """Return the receipts that were cut off, oldest first, as text; the oldest go when there are too many."""
        with self._lock:
            return list(self._paper.receipts)

    def uncut(self) -> list[str]:
        """Return the lines that are printed and not cut off yet."""
        with self._lock:
            return self._paper.uncut()

    @property
    def receipts_cut(self) -> int:
        """How many receipts were cut off since the twin was made."""
        with self._lock:
            return self._paper.receipts_cut

    @property
    def drawer_pulses(self) -> int:
        """How many times the drawer was opened."""
        with self._lock:
            return self._paper.drawer_pulses

    @property
    def strange(self) -> list[bytes]:
        """The latest commands that no printer of this kind knows."""
        with self._lock:
            return list(self._paper.strange)

    def set_paper_out(self, paper_out: bool) -> None:
        """Let the paper status say that there is no paper."""
        with self._lock:
            self._paper.paper_out = paper_out

    def power_on(self) -> None:
        """Listen, at the port that it had before; does nothing while it is on."""
        if self._listener is not None:
            return
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen()
        listener.settimeout(_POLL_S)
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._acceptor = _start(self._accept, listener)

    def power_off(self) -> None:
        """Drop every connection and listen no more; what is printed stays."""
        listener, self._listener = self._listener, None
        if listener is None or self._acceptor is None:
            return
        self._acceptor.join(_JOIN_TIMEOUT_S)
        listener.close()
        with self._lock:
            connections = list(self._connections)
            self._held.clear()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for server in self._servers:
            server.join(_JOIN_TIMEOUT_S)
        self._servers.clear()

    def close(self) -> None:
        """Switch off for good."""
        self.power_off()

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            self._servers = [server for server in self._servers if server.is_alive()]
            self._servers.append(_start(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(_READ_BYTES):
                answer = self._take(data)
                if answer and self.answering:
                    connection.sendall(answer)
        with self._lock:
            self._connections.discard(connection)
            if not self._connections:
                self._paper.lose_partial()

    def _take(self, data: bytes) -> bytes:
        with self._lock:
            self._held += data
            if not self.printing:
                del self._held[_HELD_BYTES_MAX:]
                return b""
            answer = self._paper.feed(bytes(self._held))
            self._held.clear()
            return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _start(target: Callable[[socket.socket], None], argument: socket.socket) -> threading.Thread:
    thread = threading.Thread(target=target, args=(argument,), name="printer-twin", daemon=True)
    thread.start()
    return thread
