"""One central as a process with a key for each scope, and both clients of it behind one face, for the tests."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from loyalty_sdk.central import AsyncCentral, AsyncListing, Central, RetryPolicy
from loyalty_sdk.programme import parse_programme
from tests.integration.central_api.support import Program
from tests.support.terminal import SupportTerminal
from tests.unit.central_api.support import PROGRAMME, START

__all__ = ["PROGRAMME", "Awaited", "Site", "connected", "new", "new_number", "new_terminal", "serving"]

_NUMBERS = count(1)

# Nothing here waits for a person: a fault is over at once.
RETRIES = RetryPolicy(question_attempts_max=4, pause_first_s=0.01, pause_max_s=0.02, retry_after_max_s=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running central: its address, and the secret of a key of each scope."""

    url: str
    keys: dict[str, str]
    program: Program

    def settings(self, scope: str = "administrator", **more: Any) -> dict[str, Any]:
        return {"url": self.url, "token": self.keys[scope], "retries": RETRIES} | more


class Awaited:
    """An AsyncCentral as if it were a Central, on an event loop of the test's own."""

    def __init__(self, central: AsyncCentral, runner: asyncio.Runner) -> None:
        self._central = central
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._central, name)

        def call(*arguments: Any, **named: Any) -> Any:
            made = method(*arguments, **named)
            if isinstance(made, AsyncListing):
                return self._items(made)
            return self._runner.run(made) if inspect.iscoroutine(made) else made

        return call

    def _items(self, listing: AsyncListing[Any, Any]) -> list[Any]:
        async def items() -> list[Any]:
            return [item async for item in listing]

        return self._runner.run(items())


@contextmanager
def connected(kind: str, settings: dict[str, Any]) -> Iterator[Any]:
    """One client of central, `Central` or an `AsyncCentral` that looks like it."""
    if kind == "Central":
        with Central(**settings) as central:
            yield central
        return
    with asyncio.Runner() as runner:
        awaited = Awaited(AsyncCentral(**settings), runner)
        yield awaited
        awaited.close()


@contextmanager
def serving(program: Program) -> Iterator[Site]:
    """Make a database with a programme and a key of each scope, and serve it."""
    document = program.folder / "programme.json"
    document.write_text(PROGRAMME, encoding="utf-8")
    program.json("init", "--programme", str(document))
    scopes = ("read-only", "back-office", "administrator")
    keys = {scope: program.json("key", "add", scope, "--scope", scope)["secret"] for scope in scopes}
    with program.serving() as (_, address):
        yield Site(url=address, keys=keys, program=program)


def new_number() -> int:
    """A number that no other test has."""
    return next(_NUMBERS)


def new(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}-{new_number()}"


def new_terminal(seed: int) -> SupportTerminal:
    """A terminal that is not enrolled yet."""
    return SupportTerminal(seed=seed, now=START, programme=parse_programme(PROGRAMME))
