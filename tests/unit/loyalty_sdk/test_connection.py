"""Both shells on scripted transports: what httpx may do, and that nothing but an error of the SDK comes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import httpx
import pytest

from loyalty_sdk._effects import Effects
from loyalty_sdk._flow import RetryPolicy
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.codec import dumps, loads
from loyalty_sdk.errors import (
    AgentFailure,
    AgentUnreachable,
    InvalidRequest,
    LoyaltyError,
    OutcomeUnknown,
)
from loyalty_sdk.model import PrintJob, ReceiptKey, Scan
from loyalty_sdk.till import AsyncTill, Till

DAY = date(2026, 5, 1)
KEY = ReceiptKey(store="12", register="3", business_date=DAY, number="7")
JOB = dumps(PrintJob(job_id="1", state="queued"))
JSON = {"Content-Type": "application/json"}

Step = Exception | httpx.Response | Callable[[httpx.Request], httpx.Response]


@dataclass
class Script:
    """A transport that plays its steps in order and keeps what was asked and how long the caller slept."""

    steps: list[Step]
    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step(request)

    async def sleep_async(self, seconds: float) -> None:
        self.slept.append(seconds)

    def arguments(self, **more: Any) -> dict[str, Any]:
        return {
            "store": "12",
            "register": "3",
            "cashier": "77",
            "business_date": DAY,
            "agent": "http://agent",
            "token": "secret",
            "transport": httpx.MockTransport(self),
            "effects": Effects(sleep=self.slept.append, sleep_async=self.sleep_async, fraction=lambda: 0.5),
        } | more


def blocking(script: Script, method: str, *arguments: Any, settings: dict[str, Any] | None = None) -> Any:
    with Till(**script.arguments(**settings or {})) as till:
        return getattr(till, method)(*arguments)


def awaiting(script: Script, method: str, *arguments: Any, settings: dict[str, Any] | None = None) -> Any:
    async def run() -> Any:
        async with AsyncTill(**script.arguments(**settings or {})) as till:
            return await getattr(till, method)(*arguments)

    return asyncio.run(run())


@pytest.fixture(params=[blocking, awaiting], ids=["Till", "AsyncTill"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    chosen: Callable[..., Any] = request.param
    return chosen


SALE = (Basket.of("EUR", Line.of("A", 100)), "0001", [Tender(kind="cash", amount_minor=100)])


def test_a_call_carries_token_body_and_limits(call: Callable[..., Any]) -> None:
    script = Script([httpx.Response(200, headers=JSON, content=JOB)])
    assert call(script, "print_receipt", KEY) == PrintJob(job_id="1", state="queued")
    (request,) = script.requests
    assert str(request.url) == "http://agent/v1/print-jobs"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert loads(request.content)["context"]["business_date"] == "2026-05-01"


def test_the_status_carries_its_context_as_a_query(call: Callable[..., Any]) -> None:
    script = Script([httpx.Response(404)])
    with pytest.raises(AgentFailure):
        call(script, "status", settings={"training": True})
    assert dict(script.requests[0].url.params) == {
        "store": "12",
        "register": "3",
        "cashier": "77",
        "business_date": "2026-05-01",
        "training": "true",
    }


LOST = [httpx.ReadError("reset"), httpx.WriteError("broken"), httpx.RemoteProtocolError("truncated")]
LATE = [httpx.ReadTimeout("late"), httpx.WriteTimeout("late")]
NOT_SENT = [httpx.ConnectError("refused"), httpx.ConnectTimeout("late"), httpx.PoolTimeout("full")]


@pytest.mark.parametrize("failure", [*LOST, *LATE], ids=lambda failure: type(failure).__name__)
def test_a_lost_answer_is_asked_for_with_the_same_body(call: Callable[..., Any], failure: Exception) -> None:
    script = Script([failure] * 4)
    with pytest.raises(OutcomeUnknown, match="record_sale may or may not be recorded"):
        call(script, "record_sale", *SALE)
    assert len({request.content for request in script.requests}) == 1
    assert len(script.requests) == 4
    assert script.slept == pytest.approx([0.075, 0.15, 0.3])


@pytest.mark.parametrize("failure", NOT_SENT, ids=lambda failure: type(failure).__name__)
def test_what_was_never_sent_was_never_recorded(call: Callable[..., Any], failure: Exception) -> None:
    with pytest.raises(AgentUnreachable, match="nothing was recorded; start it with `loyalty-agent run"):
        call(Script([failure] * 4), "record_sale", *SALE)


def test_the_number_of_attempts_is_the_callers(call: Callable[..., Any]) -> None:
    script = Script([httpx.ReadError("reset")])
    with pytest.raises(OutcomeUnknown):
        call(script, "record_sale", *SALE, settings={"retries": RetryPolicy(attempts_max=1)})
    assert script.slept == []


@pytest.mark.parametrize(
    "response",
    [
        lambda: httpx.Response(200, html="<p>It works!</p>"),
        lambda: httpx.Response(302, headers={"Location": "http://elsewhere/"}),
        lambda: httpx.Response(200, headers=JSON, content=b'{"job_id": "1", "sta'),
        lambda: httpx.Response(200, headers=JSON, content=b'{"job_id":"1","state":NaN}'),
        lambda: httpx.Response(200, headers=JSON | {"Content-Encoding": "gzip"}, stream=Chunks([b"x"])),
        lambda: httpx.Response(200, headers=JSON, stream=Chunks([b" " * 1_000_000] * 5)),
        lambda: httpx.Response(500),
    ],
)
def test_what_is_no_agent_is_said_clearly(call: Callable[..., Any], response: Callable[[], httpx.Response]) -> None:
    with pytest.raises(AgentFailure, match="check"):
        call(Script([response()]), "print_receipt", KEY)


def test_an_answer_that_drips_is_given_up(call: Callable[..., Any]) -> None:
    clock = iter(range(100))
    script = Script([httpx.Response(200, headers=JSON, stream=Chunks([b" "] * 50))])
    effects = replace(script.arguments()["effects"], monotonic_s=lambda: float(next(clock)))
    with pytest.raises(AgentUnreachable, match="too slowly"):
        call(script, "identify", "4711", settings={"effects": effects})


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, chunks: list[bytes], end: Exception | None = None) -> None:
        self.chunks = chunks
        self.end = end
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks
        if self.end:
            raise self.end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


SCAN = b"event: scan\ndata: " + dumps(Scan(data="4711")) + b"\n\n"
EVENTS = {"Content-Type": "text/event-stream; charset=utf-8"}


def first_scans(script: Script, count: int) -> list[Any]:
    with Till(**script.arguments()) as till:
        events = till.scans()
        return [next(events) for _ in range(count)]


async def first_scans_async(script: Script, count: int) -> list[Any]:
    async with AsyncTill(**script.arguments()) as till:
        events = till.scans()
        return [await anext(events) for _ in range(count)]


@pytest.fixture(params=[first_scans, lambda *given: asyncio.run(first_scans_async(*given))], ids=["Till", "AsyncTill"])
def listen(request: pytest.FixtureRequest) -> Callable[[Script, int], list[Any]]:
    chosen: Callable[[Script, int], list[Any]] = request.param
    return chosen


def test_scans_go_on_over_a_restart_of_the_agent(listen: Callable[[Script, int], list[Any]]) -> None:
    streams = [Chunks([SCAN[:9], SCAN[9:]]), Chunks([SCAN], end=httpx.ReadError("reset")), Chunks([SCAN])]
    opened: list[Step] = [httpx.Response(200, headers=EVENTS, stream=stream) for stream in streams]
    script = Script([opened[0], httpx.ConnectError("refused"), opened[1], opened[2]])
    seen = listen(script, 7)
    shown = [event.data if isinstance(event, Scan) else event.state for event in seen]
    assert shown == ["4711", "offline", "online", "4711", "offline", "online", "4711"]
    assert all(stream.closed for stream in streams[:2])
    assert dict(script.requests[0].url.params)["register"] == "3"


def test_a_refused_listener_is_told(listen: Callable[[Script, int], list[Any]]) -> None:
    body = b'{"type":"urn:loyalty:problem:access-refused","detail":"no such token"}'
    response = httpx.Response(401, headers={"Content-Type": "application/problem+json"}, stream=Chunks([body]))
    with pytest.raises(LoyaltyError, match="no such token"):
        listen(Script([response]), 1)


def test_a_closed_till_says_so() -> None:
    till = Till(**Script([]).arguments())
    till.close()
    till.close()
    with pytest.raises(InvalidRequest, match="closed"):
        till.identify("4711")


def test_a_closed_async_till_says_so() -> None:
    async def run() -> None:
        till = AsyncTill(**Script([]).arguments())
        await till.close()
        with pytest.raises(InvalidRequest, match="closed"):
            await till.identify("4711")

    asyncio.run(run())


def test_another_event_loop_is_refused_clearly() -> None:
    till = AsyncTill(**Script([httpx.Response(404)]).arguments())

    async def ask() -> None:
        await till.identify("4711")

    with pytest.raises(AgentFailure):
        asyncio.run(ask())
    with pytest.raises(InvalidRequest, match="one for each loop"):
        asyncio.run(ask())


def test_an_address_that_is_no_url_is_refused_clearly() -> None:
    till = Till(**Script([]).arguments(agent="http://[::1", transport=None))
    with till, pytest.raises(InvalidRequest, match="no address"):
        till.identify("4711")
