"""The events of one register of a FakeAgent: what was scanned waits here until somebody listens."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator

import httpx

__all__ = ["EventStream", "Feed"]

EVENTS_MAX = 1_000
KEEP_ALIVE_S = 10.0
_COMMENT = b": nothing new\n\n"


class Feed:
    """A bounded queue that threads and event loops can wait for; an empty event ends the stream that takes it."""

    def __init__(self) -> None:
        self._events: deque[bytes] = deque()
        self._condition = threading.Condition()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def put(self, event: bytes) -> None:
        """Add an event and wake who waits."""
        with self._condition:
            if len(self._events) >= EVENTS_MAX:
                raise OverflowError(f"{EVENTS_MAX} events wait and nobody listens; read them with till.scans()")
            self._events.append(event)
            self._condition.notify_all()
            waiting, self._waiting = self._waiting, []
        for loop, wake in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(wake.set)

    def take(self) -> bytes:
        """Return the next event, or a comment when none comes for a while."""
        with self._condition:
            if self._condition.wait_for(lambda: bool(self._events), KEEP_ALIVE_S):
                return self._events.popleft()
            return _COMMENT

    async def take_async(self) -> bytes:
        """Return what `take` does, awaited."""
        while True:
            wake = asyncio.Event()
            with self._condition:
                if self._events:
                    return self._events.popleft()
                self._waiting.append((asyncio.get_running_loop(), wake))
            try:
                await asyncio.wait_for(wake.wait(), KEEP_ALIVE_S)
            except TimeoutError:
                return _COMMENT


class EventStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A response body that goes on as long as the feed does."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def __iter__(self) -> Iterator[bytes]:
        while event := self._feed.take():
            yield event

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while event := await self._feed.take_async():
            yield event
