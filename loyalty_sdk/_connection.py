"""The two shells that drive the flows of this package on httpx: one blocks, one awaits. No decision is taken here.

httpx is imported with the first call, so that a POS starts without it. A blocking connection may be used by many
threads; an asynchronous one belongs to the event loop of its first call.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from loyalty_sdk._answers import Answer, AnswerHead, BoundedBody, refuse_head
from loyalty_sdk._effects import Effects
from loyalty_sdk._endpoint import Endpoint
from loyalty_sdk._events import Deliver, Listen, Read, ScanFlow, TillEvent, listen
from loyalty_sdk._flow import Call, Failure, Flow, Pause, RetryPolicy, Send, exchange
from loyalty_sdk.errors import InvalidRequest, LoyaltyError

if TYPE_CHECKING:
    import asyncio

    import httpx

__all__ = ["AsyncConnection", "Connection", "Settings"]

CONNECTIONS_MAX = 20
EVENTS_IDLE_S_MAX = 60.0
"""A stream of events without even a comment for so long is taken for dead."""

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
        return listen(self.endpoint.address, self.endpoint.remedy(), self.retries, self.effects.fraction)

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


class Connection:
    """The blocking shell."""

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
                reply = self.settings.effects.sleep(step.seconds)

    def listen(self, call: Call[Any]) -> Iterator[TillEvent]:
        """Yield events until the caller stops or the connection is closed."""
        with closing(_Stream(self, call)) as stream:
            flow = self.settings.scan_flow()
            step = next(flow)
            while not self._closed:
                if isinstance(step, Deliver):
                    yield step.event
                step = flow.send(stream.reply(step, self.settings.effects))

    def client(self) -> httpx.Client:
        """Return the client, made with the first call. Raises InvalidRequest after `close`."""
        import httpx

        with self._lock:
            if self._closed:
                raise InvalidRequest(_CLOSED)
            if self._client is None:
                transport = self._transport or httpx.HTTPTransport(**self.settings.transport())
                self._client = httpx.Client(
                    transport=transport, base_url=self.settings.endpoint.base_url, trust_env=False
                )
            return self._client

    def close(self) -> None:
        """Close the client; closing again does nothing."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _send(self, call: Call[Any]) -> Answer | Failure:
        import httpx

        client, request = self.client(), self.settings.request(call)
        give_up_at_s = self.settings.effects.monotonic_s() + self.settings.timeout_s
        try:
            with client.stream(**request) as response:
                head = AnswerHead.of(response.status_code, response.headers)
                refuse_head(head, self.settings.endpoint.address)
                body = BoundedBody()
                for chunk in response.iter_bytes():
                    body.add(chunk)
                    if self.settings.effects.monotonic_s() > give_up_at_s:
                        return _TOO_SLOW
                return Answer(head=head, body=body.whole())
        except httpx.TransportError as error:
            return _failure(error)


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
            return _failure(error)
        head = AnswerHead.of(self._response.status_code, self._response.headers)
        refuse_head(head, settings.endpoint.address)
        self._chunks = self._response.iter_bytes()
        return head

    def _read(self, whole: bool) -> bytes | Failure:
        import httpx

        try:
            if not whole:
                return next(self._chunks, None) or _ENDED
            body = BoundedBody()
            for chunk in self._chunks:
                body.add(chunk)
            return body.whole()
        except (httpx.TransportError, httpx.StreamError) as error:
            return _failure(error)


class AsyncConnection:
    """The awaiting shell: the same as Connection, on asyncio."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.settings = settings
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def run(self, call: Call[T]) -> T:
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
                reply = await self._send(step.call)
            else:
                reply = await self.settings.effects.sleep_async(step.seconds)

    async def listen(self, call: Call[Any]) -> AsyncIterator[TillEvent]:
        """Yield events until the caller stops or the connection is closed."""
        async with aclosing(_AsyncStream(self, call)) as stream:
            flow = self.settings.scan_flow()
            step = next(flow)
            while not self._closed:
                if isinstance(step, Deliver):
                    yield step.event
                step = flow.send(await stream.reply(step, self.settings.effects))

    def client(self) -> httpx.AsyncClient:
        """Return the client, made with the first call. Raises InvalidRequest after `close` and in another loop."""
        import asyncio

        import httpx

        if self._closed:
            raise InvalidRequest(_CLOSED)
        loop = asyncio.get_running_loop()
        if self._client is None:
            transport = self._transport or httpx.AsyncHTTPTransport(**self.settings.transport())
            self._loop = loop
            self._client = httpx.AsyncClient(
                transport=transport, base_url=self.settings.endpoint.base_url, trust_env=False
            )
        if self._loop is not loop:
            raise InvalidRequest("this AsyncTill belongs to another event loop; make one for each loop")
        return self._client

    async def close(self) -> None:
        """Close the client; closing again does nothing."""
        self._closed = True
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, call: Call[Any]) -> Answer | Failure:
        import httpx

        client, request = self.client(), self.settings.request(call)
        give_up_at_s = self.settings.effects.monotonic_s() + self.settings.timeout_s
        try:
            async with client.stream(**request) as response:
                head = AnswerHead.of(response.status_code, response.headers)
                refuse_head(head, self.settings.endpoint.address)
                body = BoundedBody()
                async for chunk in response.aiter_bytes():
                    body.add(chunk)
                    if self.settings.effects.monotonic_s() > give_up_at_s:
                        return _TOO_SLOW
                return Answer(head=head, body=body.whole())
        except httpx.TransportError as error:
            return _failure(error)


class _AsyncStream:
    """The open response behind a scan flow."""

    def __init__(self, connection: AsyncConnection, call: Call[Any]) -> None:
        self._connection = connection
        self._call = call
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def reply(
        self, step: Listen | Read | Pause | Deliver, effects: Effects
    ) -> AnswerHead | bytes | Failure | None:
        if isinstance(step, Listen):
            return await self._open()
        if isinstance(step, Read):
            return await self._read(step.whole)
        if isinstance(step, Pause):
            await self.aclose()
            await effects.sleep_async(step.seconds)
        return None

    async def aclose(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()

    async def _open(self) -> AnswerHead | Failure:
        import httpx

        await self.aclose()
        settings = self._connection.settings
        client = self._connection.client()
        try:
            request = client.build_request(**settings.request(self._call, timeout_s=EVENTS_IDLE_S_MAX))
            self._response = await client.send(request, stream=True)
        except httpx.TransportError as error:
            return _failure(error)
        head = AnswerHead.of(self._response.status_code, self._response.headers)
        refuse_head(head, settings.endpoint.address)
        self._chunks = self._response.aiter_bytes()
        return head

    async def _read(self, whole: bool) -> bytes | Failure:
        import httpx

        assert self._chunks is not None  # the flow reads only what it opened
        try:
            if not whole:
                return await anext(self._chunks, None) or _ENDED
            body = BoundedBody()
            async for chunk in self._chunks:
                body.add(chunk)
            return body.whole()
        except (httpx.TransportError, httpx.StreamError) as error:
            return _failure(error)


_CLOSED = "this till is closed; make another"
_ENDED = Failure(sent=True, text="the agent ended the stream")
_TOO_SLOW = Failure(sent=True, text="the answer came too slowly", timed_out=True)


def _failure(error: Exception) -> Failure:
    """Say what an httpx error means: before the connection stood nothing was sent, after it perhaps everything."""
    import httpx

    not_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    timed_out = isinstance(error, httpx.TimeoutException)
    text = "it took too long" if timed_out and not not_sent else str(error) or type(error).__name__
    return Failure(sent=not not_sent, text=text, timed_out=timed_out)
