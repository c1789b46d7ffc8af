"""The network: loses, doubles, delays and reorders requests and answers, and answers itself like a captive portal.

`Wire` is what the real code takes for an httpx client. Everything happens in simulated time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import httpx

from tests.simulation.scenario import Scenario
from tests.simulation.scheduler import Life, Scheduler
from tests.simulation.story import Story

__all__ = ["Network", "Wire", "WireAnswer", "WireRequest"]

ANSWERS_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """A request as the network carries it."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """An answer as httpx would give it; the header names are central's, `Title-Case`."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes

    def iter_raw(self) -> Iterator[bytes]:
        """Give the body in one piece."""
        yield self.body

    def close(self) -> None:
        """There is no connection to close."""


Serve = Callable[[WireRequest], WireAnswer | None]


class Network:
    """Between the terminals and central. `serve` gives central's answer, None where it is down or breaks off."""

    def __init__(self, scheduler: Scheduler, story: Story, scenario: Scenario, serve: Serve) -> None:
        self._scheduler = scheduler
        self._story = story
        self.scenario = scenario
        self._serve = serve
        self._down_until_ms: dict[str, int] = {}
        self._upload_answers: deque[WireAnswer] = deque(maxlen=ANSWERS_KEPT)

    def cut(self, terminal: str, duration_ms: int) -> None:
        """Cut a terminal off."""
        self._story.tell("network", f"{terminal} is cut off for {duration_ms / 1000:.0f} s")
        self._down_until_ms[terminal] = self._scheduler.now_ms + duration_ms

    def mend(self) -> None:
        """End every outage."""
        self._down_until_ms.clear()

    def call(self, life: Life, terminal: str, request: WireRequest, timeout_ms: int) -> WireAnswer:
        """Carry a request and its answer. Raises what httpx raises."""
        scheduler, scenario = self._scheduler, self.scenario
        parking = life.park()
        if scheduler.now_ms < self._down_until_ms.get(terminal, 0):
            scheduler.after(50, lambda: parking.fail(httpx.ConnectError("no route to central")))
            life.wait()
        scheduler.after(timeout_ms, lambda: parking.fail(httpx.ReadTimeout("timed out")))
        name = f"{request.method} {request.path.partition('?')[0]}"

        def deliver() -> None:
            answer = self._serve(request)
            if answer is None:
                scheduler.after(
                    self._delay_ms(), lambda: parking.fail(httpx.ReadError("the connection was broken off"))
                )
            elif scheduler.chance(scenario.answers_lost):
                self._story.tell("network", f"loses the answer {answer.status_code} to {terminal}: {name}")
            else:
                answer = self._changed(terminal, request, answer)
                scheduler.after(self._delay_ms(), lambda: parking.wake(answer))

        if scheduler.chance(scenario.requests_lost):
            self._story.tell("network", f"loses a request of {terminal}: {name}")
        else:
            scheduler.after(self._delay_ms(), deliver)
        if scheduler.chance(scenario.requests_doubled):
            again_ms = self._delay_ms() * scheduler.random.choice((1, 3, 20))
            self._story.tell("network", f"doubles a request of {terminal}, again in {again_ms / 1000:.1f} s: {name}")
            scheduler.after(again_ms, lambda: self._serve(request))
        answer: WireAnswer = life.wait()
        return answer

    def _delay_ms(self) -> int:
        """Most take about the latency, a few take many times that and overtake nobody."""
        return 1 + int(self._scheduler.random.expovariate(1 / self.scenario.latency_ms))

    def _changed(self, terminal: str, request: WireRequest, answer: WireAnswer) -> WireAnswer:
        """Give another answer now and then: a portal's page, half a body, a compressed one, or somebody else's."""
        is_upload = request.method == "POST" and request.path.endswith("/entries")
        others = list(self._upload_answers) if is_upload else []
        if is_upload:
            self._upload_answers.append(answer)
        if not self._scheduler.chance(self.scenario.answers_strange):
            return answer
        kind = self._scheduler.random.choice(("portal", "half", "compressed", "another", "another"))
        self._story.tell("network", f"gives {terminal} a strange answer ({kind})")
        if kind == "portal":
            return WireAnswer(status_code=200, headers={"Content-Type": "text/html"}, body=b"<html>log in</html>")
        if kind == "half":
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        if kind == "compressed":
            return replace(answer, headers={**answer.headers, "Content-Encoding": "gzip"})
        return self._scheduler.random.choice(others) if others else answer


class Wire:
    """A terminal's end of the network, with the two methods of an httpx client that the real code calls."""

    def __init__(self, network: Network, life: Life, terminal: str, timeout_ms: int) -> None:
        self._network = network
        self._life = life
        self._terminal = terminal
        self._timeout_ms = timeout_ms

    def build_request(self, method: str, path: str, *, headers: Mapping[str, str], content: bytes) -> WireRequest:
        """Make a request."""
        return WireRequest(method=method, path=path, headers=headers, content=content)

    def send(self, request: WireRequest, *, stream: bool) -> WireAnswer:
        """Send it and wait for the answer."""
        return self._network.call(self._life, self._terminal, request, self._timeout_ms)

    def close(self) -> None:
        """There is no connection to close."""
