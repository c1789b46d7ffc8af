"""A limit on a whole request, however slowly it drips: the socket under it is shut down from another thread.

A read's timeout begins anew with every byte, so that a peer which sends one now and then could hold the exchange for
ever. The watchdog looks once in each limit, which costs a request nothing; so a request ends after once or twice it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx

__all__ = ["Watchdog"]

# What httpcore reports once a connection stands.
CONNECTED = ("connection.connect_tcp.complete", "connection.connect_unix_socket.complete")


class Watchdog:
    """Watches the one request that is under way on a client."""

    def __init__(self, limit_s: float, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._monotonic_s = monotonic_s
        self._since_s: float | None = None
        self._socket: socket.socket | None = None
        # Three threads meet here: the one that asks, the watch itself, and the one that stops it.
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="exchange-watchdog", daemon=True)

    def start(self, client: httpx.Client) -> None:
        """Watch a client's requests from now on."""
        client.event_hooks = {"request": [self._attach]}
        self._thread.start()

    def stop(self) -> None:
        """End the watch, and cut off what is under way."""
        with self._lock:
            self._stopped.set()
            self._cut()
            if self._since_s is None:
                self._forget()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the request that is made within."""
        with self._lock:
            self._since_s = self._monotonic_s()
        try:
            yield
        finally:
            with self._lock:
                self._since_s = None
                if self._stopped.is_set():
                    self._forget()

    def _attach(self, request: httpx.Request) -> None:
        request.extensions = {**request.extensions, "trace": self._trace}

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event not in CONNECTED:
            return
        with self._lock:
            self._forget()
            # A second handle on the connection: TLS takes the first one over before it has shaken hands.
            self._socket = info["return_value"].get_extra_info("socket").dup()
            if self._stopped.is_set():
                self._cut()

    def _run(self) -> None:
        while not self._stopped.wait(self._limit_s):
            with self._lock:
                if self._since_s is not None and self._monotonic_s() - self._since_s >= self._limit_s:
                    self._cut()

    def _cut(self) -> None:
        """Wake whoever reads or writes; the connection itself is closed by its owner. Called with the lock held."""
        if self._socket is not None and self._since_s is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
