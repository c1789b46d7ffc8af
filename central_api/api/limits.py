"""How much one caller may ask: a bucket of allowance for each token, refilled by the second. Past it: 429, Retry-After.

It keeps one terminal that went wild from the others' share; it is no defence against a crowd. Each process counts for
itself, and a restart forgets. Knows HTTP's headers and no call.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from central_api.api.http import problem_response
from central_api.problems import Problem
from loyalty_sdk.protocol import UPLOAD_BYTES_MAX

__all__ = ["Limits", "Meter", "Throttle"]

CALLERS_MAX = 100_000
BYTES_PER_UNIT = 100_000
LENGTH_DIGITS_MAX = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A call costs 1 and 1 more for every 100,000 bytes of its body.

    A caller may spend `burst` at once and `per_s` each second from then on: far more than terminal or office need.
    """

    per_s: float = 500
    burst: float = 2_000

    def __post_init__(self) -> None:
        if self.per_s <= 0 or self.burst < 1:
            raise ValueError("per_s must be above 0, and burst 1 or more")


class Meter:
    """What each caller has left. Callers beyond CALLERS_MAX push out whoever called longest ago."""

    def __init__(self, limits: Limits, monotonic_s: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic_s = monotonic_s
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: bytes, cost: float) -> float:
        """Take the cost from a caller's allowance and return 0, or return how long it has to wait, taking nothing.

        What costs more than a whole burst passes on a full allowance, which it overdraws.
        """
        now_s = self._monotonic_s()
        left, since_s = self._left.pop(caller, (self._limits.burst, now_s))
        left = min(self._limits.burst, left + (now_s - since_s) * self._limits.per_s)
        missing = min(cost, self._limits.burst) - left
        self._left[caller] = (left if missing > 0 else left - cost, now_s)
        if len(self._left) > CALLERS_MAX:
            self._left.popitem(last=False)
        return max(0.0, missing) / self._limits.per_s


class Throttle:
    """ASGI middleware that refuses what a meter does not allow, before anything of it is read."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or answer it with `too-many-requests`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wait_s = self._meter.wait_s(_caller(scope), _cost(scope))
        if wait_s == 0:
            await self._app(scope, receive, send)
            return
        detail = f"this caller asks more than anyone needs; try again in {math.ceil(wait_s)} s"
        response = problem_response(Problem(name="too-many-requests", detail=detail), retry_after_s=math.ceil(wait_s))
        await response(scope, receive, send)


def _caller(scope: Scope) -> bytes:
    """A digest of the token; without one, the address."""
    token = _header(scope, b"authorization")
    host = (scope.get("client") or ("",))[0]
    return hashlib.sha256(token or host.encode()).digest()


def _cost(scope: Scope) -> float:
    """A body that is larger than any that is taken costs no more than that: it is not read."""
    length = _header(scope, b"content-length")[:LENGTH_DIGITS_MAX]
    return 1 + (min(int(length), UPLOAD_BYTES_MAX) / BYTES_PER_UNIT if length.isdigit() else 0)


def _header(scope: Scope, wanted: bytes) -> bytes:
    return next((bytes(value) for name, value in scope["headers"] if name == wanted), b"")
