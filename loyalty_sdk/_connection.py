"""What both shells share: how httpx is set up for a peer, and what its failures mean. No decision is taken here.

httpx is imported with the first call, so that a POS starts without it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from loyalty_sdk._effects import Effects
from loyalty_sdk._events import ScanFlow, listen
from loyalty_sdk._flow import Call, Failure, Flow, RetryPolicy, exchange
from loyalty_sdk._peer import Peer
from loyalty_sdk.errors import InvalidRequest
from loyalty_sdk.ids import uuid7

if TYPE_CHECKING:
    import ssl

__all__ = [
    "CLOSED",
    "ENDED",
    "EVENTS_IDLE_S_MAX",
    "TOO_SLOW",
    "Place",
    "Settings",
    "close_leaked_socket",
    "failure_of",
    "refuse_address",
]

CONNECTIONS_MAX = 20
EVENTS_IDLE_S_MAX = 60.0
"""A stream of events without even a comment for so long is taken for dead."""

CLOSED = "this client is closed; make another"
ENDED = Failure(sent=True, text="the agent ended the stream")
TOO_SLOW = Failure(sent=True, text="the answer came too slowly", timed_out=True)

T = TypeVar("T")


class Place(Protocol):
    """Where a peer is and what opens it."""

    @property
    def base_url(self) -> str:
        """The address as httpx takes it."""

    @property
    def socket_path(self) -> str | None:
        """The Unix socket, where the peer has one."""

    @property
    def trusts_environment(self) -> bool:
        """Whether the environment's proxies and certificates count."""

    def peer(self) -> Peer:
        """Return who is there."""

    def authorization(self) -> str | None:
        """Return the Authorization header, None to send none. Raises AccessRefused where a token is missing."""

    def verify(self) -> ssl.SSLContext | bool:
        """Return what the peer's certificate is checked against; certificates are loaded only where TLS is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What both shells need: where the peer is, how long one attempt may take, and how often there is another."""

    place: Place
    timeout_s: float
    retries: RetryPolicy
    effects: Effects

    def flow(self, call: Call[T]) -> Flow[T]:
        """Start the flow of a call, under a key of its own where it wants one and has none."""
        if call.idempotency_key == "":
            call = replace(call, idempotency_key=uuid7(self.effects.now(), self.effects.random_bytes))
        return exchange(call, self.place.peer(), self.retries, self.effects.fraction)

    def scan_flow(self) -> ScanFlow:
        """Start the flow that listens."""
        return listen(self.place.peer(), self.retries, self.effects.fraction, self.effects.now)

    def request(self, call: Call[Any], *, timeout_s: float | None = None) -> dict[str, Any]:
        """Return httpx's arguments for one attempt. Raises AccessRefused where a token is missing."""
        import httpx

        return {
            "method": call.method,
            "url": call.path,
            "params": dict(call.query) or None,
            "content": call.body or None,
            "headers": self._headers(call),
            "timeout": httpx.Timeout(self.timeout_s, read=timeout_s or self.timeout_s),
        }

    def _headers(self, call: Call[Any]) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", **call.headers}
        authorization = None if call.public else self.place.authorization()
        if authorization is not None:
            headers["Authorization"] = authorization
        if call.body or call.method == "POST":
            headers["Content-Type"] = call.media_type
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        return headers

    def client(self, transport: T | None, make_transport: Callable[..., T]) -> dict[str, Any]:
        """Return httpx's arguments for a client; `make_transport` makes one for a Unix socket."""
        import httpx

        place, limits = self.place, httpx.Limits(max_connections=CONNECTIONS_MAX)
        if transport is None and place.socket_path is not None:
            transport = make_transport(uds=place.socket_path, verify=False, limits=limits, trust_env=False)
        arguments = {"base_url": place.base_url, "trust_env": place.trusts_environment}
        if transport is not None:
            return arguments | {"transport": transport}
        return arguments | {"verify": place.verify(), "limits": limits}


def refuse_address(peer: Peer, error: Exception) -> InvalidRequest:
    """Say that httpx cannot read an address."""
    return InvalidRequest(f"{peer.address!r} is no address ({error}); write it as http://127.0.0.1:8787")


def close_leaked_socket(error: BaseException) -> None:
    """Close the socket of a refused connection to a Unix socket.

    httpcore 1.0 leaves it open (`SyncBackend.connect_unix_socket`), and only the frames of the error still know it.
    """
    cause: BaseException | None = error
    while cause is not None:
        trace = cause.__traceback__
        while trace is not None:
            leaked = trace.tb_frame.f_locals.get("sock")
            if isinstance(leaked, socket.socket):
                leaked.close()
            trace = trace.tb_next
        cause = cause.__cause__


def failure_of(error: Exception) -> Failure:
    """Say what an httpx error means: before the connection stood nothing was sent, after it perhaps everything."""
    import httpx

    not_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    timed_out = isinstance(error, httpx.TimeoutException)
    text = "it took too long" if timed_out and not not_sent else str(error) or type(error).__name__
    return Failure(sent=not not_sent, text=text, timed_out=timed_out)
