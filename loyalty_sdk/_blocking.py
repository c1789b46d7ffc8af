"""The blocking shell: drives flows with httpx.Client. Many threads may use one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from loyalty_sdk._answers import Answer, AnswerHead, BoundedBody, refuse_head
from loyalty_sdk._connection import (
    CLOSED,
    ENDED,
    EVENTS_IDLE_S_MAX,
    TOO_SLOW,
    Settings,
    close_leaked_socket,
    failure_of,
    refuse_address,
)
from loyalty_sdk._effects import Effects
from loyalty_sdk._events import Deliver, Listen, Read, TillEvent
from loyalty_sdk._flow import Call, Failure, Pause, Send
from loyalty_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    import httpx

__all__ = ["Connection"]

T = TypeVar("T")
E = TypeVar("E", bound=TillEvent)


class Connection:
    """One client of the agent, made with the first call."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self.settings = settings
        self._transport = transport
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()
        self._closed = False

    def run(self, call: Call[T]) -> T:
        """Drive a call to its result."""
        flow = self.settings.flow(call)
        reply: Answer | Failure | None = None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if isinstance(step, Send):
                reply = self._send(step.call)
            else:
                self.settings.effects.sleep(step.seconds)
                reply = None

    def listen(self, call: Call[Any], wanted: tuple[type[E], ...]) -> Iterator[E]:
        """Yield events of the wanted classes until the caller stops or the connection is closed."""
        with closing(_Stream(self, call)) as stream:
            flow = self.settings.scan_flow()
            step = next(flow)
            while not self._closed:
                if isinstance(step, Deliver) and isinstance(step.event, wanted):
                    yield step.event
                step = flow.send(stream.reply(step, self.settings.effects))

    def client(self) -> httpx.Client:
        """Return the client, made with the first call. Raises InvalidRequest after `close`."""
        with self._lock:
            if self._closed:
                raise InvalidRequest(CLOSED)
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _make_client(self) -> httpx.Client:
        import httpx

        settings = self.settings
        try:
            return httpx.Client(**settings.client(self._transport, httpx.HTTPTransport))
        except httpx.InvalidURL as error:
            raise refuse_address(settings.place.peer(), error) from None

    def close(self) -> None:
        """Close the client; closing again does nothing."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _send(self, call: Call[Any]) -> Answer | Failure:
        import httpx

        settings, effects, peer = self.settings, self.settings.effects, self.settings.place.peer()
        client, request = self.client(), settings.request(call)
        give_up_at_s = effects.monotonic_s() + settings.timeout_s
        try:
            with client.stream(**request) as response:
                head = AnswerHead.of(response.status_code, response.headers, effects.now())
                refuse_head(head, peer)
                body = BoundedBody(peer)
                for chunk in response.iter_bytes():
                    body.add(chunk)
                    if effects.monotonic_s() > give_up_at_s:
                        return TOO_SLOW
                return Answer(head=head, body=body.whole())
        except httpx.TransportError as error:
            close_leaked_socket(error)
            return failure_of(error)


class _Stream:
    """The open response behind a scan flow."""

    def __init__(self, connection: Connection, call: Call[Any]) -> None:
        self._connection = connection
        self._call = call
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def reply(self, step: Listen | Read | Pause | Deliver, effects: Effects) -> AnswerHead | bytes | Failure | None:
        if isinstance(step, Listen):
            return self._open()
        if isinstance(step, Read):
            return self._read(step.whole)
        if isinstance(step, Pause):
            self.close()
            effects.sleep(step.seconds)
        return None

    def close(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def _open(self) -> AnswerHead | Failure:
        import httpx

        self.close()
        settings = self._connection.settings
        client = self._connection.client()
        try:
            request = client.build_request(**settings.request(self._call, timeout_s=EVENTS_IDLE_S_MAX))
            self._response = client.send(request, stream=True)
        except httpx.TransportError as error:
            close_leaked_socket(error)
            return failure_of(error)
        head = AnswerHead.of(self._response.status_code, self._response.headers, settings.effects.now())
        refuse_head(head, settings.place.peer())
        self._chunks = self._response.iter_bytes()
        return head

    def _read(self, whole: bool) -> bytes | Failure:
        import httpx

        try:
            if not whole:
                return next(self._chunks, None) or ENDED
            body = BoundedBody(self._connection.settings.place.peer())
            for chunk in self._chunks:
                body.add(chunk)
            return body.whole()
        except (httpx.TransportError, httpx.StreamError) as error:
            return failure_of(error)
