"""The awaiting shell: drives flows with httpx.AsyncClient on asyncio. One belongs to the loop of its first call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from loyalty_sdk._answers import Answer, AnswerHead, BoundedBody, refuse_head
from loyalty_sdk._connection import (
    CLOSED,
    ENDED,
    EVENTS_IDLE_S_MAX,
    TOO_SLOW,
    Settings,
    failure_of,
    refuse_address,
)
from loyalty_sdk._effects import Effects
from loyalty_sdk._events import Deliver, Listen, Read, TillEvent
from loyalty_sdk._flow import Call, Failure, Pause, Send
from loyalty_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    import asyncio

    import httpx

__all__ = ["AsyncConnection"]

T = TypeVar("T")
E = TypeVar("E", bound=TillEvent)


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
                await self.settings.effects.sleep_async(step.seconds)
                reply = None

    async def listen(self, call: Call[Any], wanted: tuple[type[E], ...]) -> AsyncIterator[E]:
        """Yield events of the wanted classes until the caller stops or the connection is closed."""
        async with aclosing(_AsyncStream(self, call)) as stream:
            flow = self.settings.scan_flow()
            step = next(flow)
            while not self._closed:
                if isinstance(step, Deliver) and isinstance(step.event, wanted):
                    yield step.event
                step = flow.send(await stream.reply(step, self.settings.effects))

    def client(self) -> httpx.AsyncClient:
        """Return the client, made with the first call. Raises InvalidRequest after `close` and in another loop."""
        import asyncio

        if self._closed:
            raise InvalidRequest(CLOSED)
        loop = asyncio.get_running_loop()
        if self._client is None:
            self._loop, self._client = loop, self._make_client()
        if self._loop is not loop:
            raise InvalidRequest("this client belongs to another event loop; make one for each loop")
        return self._client

    def _make_client(self) -> httpx.AsyncClient:
        import httpx

        settings = self.settings
        try:
            return httpx.AsyncClient(**settings.client(self._transport, httpx.AsyncHTTPTransport))
        except httpx.InvalidURL as error:
            raise refuse_address(settings.place.peer(), error) from None

    async def close(self) -> None:
        """Close the client; closing again does nothing."""
        self._closed = True
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, call: Call[Any]) -> Answer | Failure:
        import httpx

        settings, effects, peer = self.settings, self.settings.effects, self.settings.place.peer()
        client, request = self.client(), settings.request(call)
        give_up_at_s = effects.monotonic_s() + settings.timeout_s
        try:
            async with client.stream(**request) as response:
                head = AnswerHead.of(response.status_code, response.headers, effects.now())
                refuse_head(head, peer)
                body = BoundedBody(peer)
                async for chunk in response.aiter_bytes():
                    body.add(chunk)
                    if effects.monotonic_s() > give_up_at_s:
                        return TOO_SLOW
                return Answer(head=head, body=body.whole())
        except httpx.TransportError as error:
            return failure_of(error)


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
            return failure_of(error)
        head = AnswerHead.of(self._response.status_code, self._response.headers, settings.effects.now())
        refuse_head(head, settings.place.peer())
        self._chunks = self._response.aiter_bytes()
        return head

    async def _read(self, whole: bool) -> bytes | Failure:
        import httpx

        assert self._chunks is not None  # the flow reads only what it opened
        try:
            if not whole:
                return await anext(self._chunks, None) or ENDED
            body = BoundedBody(self._connection.settings.place.peer())
            async for chunk in self._chunks:
                body.add(chunk)
            return body.whole()
        except (httpx.TransportError, httpx.StreamError) as error:
            return failure_of(error)
