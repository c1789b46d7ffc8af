"""Turns a call that is written once into a method of the blocking client and of the awaiting one. No I/O of its own.

The method has the call's name, arguments and text, so that the two clients cannot differ.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from loyalty_sdk._awaiting import AsyncConnection
from loyalty_sdk._blocking import Connection
from loyalty_sdk._central_calls import Pages, following_call
from loyalty_sdk._flow import Call

__all__ = ["AsyncHandle", "AsyncListing", "Handle", "Listing", "asked", "awaited", "listing", "listing_awaited"]

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Page = TypeVar("Page")


class Handle:
    """What the methods of a blocking client need."""

    _connection: Connection


class AsyncHandle:
    """What the methods of an awaiting client need."""

    _connection: AsyncConnection


class Listing(Generic[Item, Page]):
    """A list that central answers in pages: a loop over it asks for each page when it gets there."""

    def __init__(self, connection: Connection, pages: Pages[Item, Page]) -> None:
        self._connection = connection
        self._pages = pages

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from self._pages.items(page)

    def pages(self) -> Iterator[Page]:
        """Yield page after page, with the cursor that the list can go on from another time."""
        call: Call[Page] | None = self._pages.call
        while call is not None:
            page = self._connection.run(call)
            yield page
            call = following_call(self._pages, call, page)


class AsyncListing(Generic[Item, Page]):
    """A list that central answers in pages, for `async for`."""

    def __init__(self, connection: AsyncConnection, pages: Pages[Item, Page]) -> None:
        self._connection = connection
        self._pages = pages

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in self._pages.items(page):
                yield item

    async def pages(self) -> AsyncIterator[Page]:
        """Yield page after page, with the cursor that the list can go on from another time."""
        call: Call[Page] | None = self._pages.call
        while call is not None:
            page = await self._connection.run(call)
            yield page
            call = following_call(self._pages, call, page)


def asked(build: Callable[P, Call[T]]) -> Callable[Concatenate[Handle, P], T]:
    """Return a method that makes the call and returns its answer."""

    def method(self: Handle, /, *arguments: P.args, **named: P.kwargs) -> T:
        return self._connection.run(build(*arguments, **named))

    return _named_after(build, method)


def listing(build: Callable[P, Pages[Item, Page]]) -> Callable[Concatenate[Handle, P], Listing[Item, Page]]:
    """Return a method that returns a list; nothing is asked before somebody loops over it."""

    def method(self: Handle, /, *arguments: P.args, **named: P.kwargs) -> Listing[Item, Page]:
        return Listing(self._connection, build(*arguments, **named))

    return _named_after(build, method)


def awaited(build: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncHandle, P], Coroutine[Any, Any, T]]:
    """Return what `asked` does, awaited."""

    async def method(self: AsyncHandle, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self._connection.run(build(*arguments, **named))

    return _named_after(build, method)


def listing_awaited(
    build: Callable[P, Pages[Item, Page]],
) -> Callable[Concatenate[AsyncHandle, P], AsyncListing[Item, Page]]:
    """Return what `listing` does, for `async for`."""

    def method(self: AsyncHandle, /, *arguments: P.args, **named: P.kwargs) -> AsyncListing[Item, Page]:
        return AsyncListing(self._connection, build(*arguments, **named))

    return _named_after(build, method)


def _named_after(build: Callable[..., Any], method: T) -> T:
    """Give a method the name, the text and the arguments of its call, as `help` shows them."""
    given: Any = method
    given.__name__, given.__doc__ = build.__name__, build.__doc__
    asked_for = inspect.signature(build)
    self_parameter = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    given.__signature__ = inspect.Signature([self_parameter, *asked_for.parameters.values()])
    return method
