"""What both shells share: how httpx is set up for the agent, and what its failures mean. No decision is taken here.

httpx is imported with the first call, so that a POS starts without it.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, TypeVar

from loyalty_sdk._effects import Effects
from loyalty_sdk._endpoint import Endpoint
from loyalty_sdk._events import ScanFlow, listen
from loyalty_sdk._flow import Call, Failure, Flow, RetryPolicy, exchange
from loyalty_sdk.errors import InvalidRequest

__all__ = [
    "CLOSED",
    "ENDED",
    "EVENTS_IDLE_S_MAX",
    "TOO_SLOW",
    "Settings",
    "close_leaked_socket",
    "failure_of",
    "refuse_address",
]

CONNECTIONS_MAX = 20
EVENTS_IDLE_S_MAX = 60.0
"""A stream of events without even a comment for so long is taken for dead."""

CLOSED = "this till is closed; make another"
ENDED = Failure(sent=True, text="the agent ended the stream")
TOO_SLOW = Failure(sent=True, text="the answer came too slowly", timed_out=True)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What both shells need: where the agent is, how long one attempt may take, and how often there is another."""

    endpoint: Endpoint
    timeout_s: float
    retries: RetryPolicy
    effects: Effects

    def flow(self, call: Call[T]) -> Flow[T]:
        """Start the flow of a call."""
        endpoint = self.endpoint
        return exchange(call, endpoint.address, endpoint.remedy(), self.retries, self.effects.fraction)

    def scan_flow(self) -> ScanFlow:
        """Start the flow that listens."""
        effects = self.effects
        return listen(self.endpoint.address, self.endpoint.remedy(), self.retries, effects.fraction, effects.now)

    def request(self, call: Call[Any], *, timeout_s: float | None = None) -> dict[str, Any]:
        """Return httpx's arguments for one attempt. Raises AccessRefused where a token is missing."""
        import httpx

        headers = {"Accept-Encoding": "identity"}
        authorization = self.endpoint.authorization()
        if authorization is not None:
            headers["Authorization"] = authorization
        if call.method == "POST":
            headers["Content-Type"] = "application/json"
        return {
            "method": call.method,
            "url": call.path,
            "params": dict(call.query) or None,
            "content": call.body or None,
            "headers": headers,
            "timeout": httpx.Timeout(self.timeout_s, read=timeout_s or self.timeout_s),
        }

    def transport(self) -> dict[str, Any]:
        """Return httpx's arguments for a transport; certificates are loaded only where TLS is used."""
        import httpx

        return {
            "uds": self.endpoint.socket_path,
            "verify": self.endpoint.base_url.startswith("https:"),
            "trust_env": False,
            "limits": httpx.Limits(max_connections=CONNECTIONS_MAX),
        }


def refuse_address(address: str, error: Exception) -> InvalidRequest:
    """Say that httpx cannot read an address."""
    return InvalidRequest(f"agent={address!r} is no address ({error}); write it as http://127.0.0.1:8787")


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
