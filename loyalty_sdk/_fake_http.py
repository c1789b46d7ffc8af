"""The local API of a FakeAgent: requests in, answers out, with the checks of the agent. No socket is opened.

Faults stand in a queue; a request takes the first one that is meant for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from loyalty_sdk._calls import EVENTS_PATH, PATHS
from loyalty_sdk.codec import CodecError, decode, dumps, loads
from loyalty_sdk.errors import AccessRefused, InvalidRequest, LoyaltyError, NotFound
from loyalty_sdk.local import (
    BODY_BYTES_MAX,
    CancelPrintRequest,
    DecodeCall,
    HoldRequest,
    IdentifyCall,
    OpenHoldsRequest,
    PrintJobsRequest,
    PrintRequest,
    PrintTestRequest,
    QuoteRequest,
    ReceiptBlockRequest,
    ReleaseRequest,
    ReportRequest,
    ReprintRequest,
    ReversalRequest,
    SaleRequest,
    ScannerCall,
)
from loyalty_sdk.model import Context

__all__ = ["REQUESTS", "FakeApi", "Fault", "Handler"]

FaultKind = Literal["unreachable", "answer_lost", "answer_garbled"]
Handler = Callable[[Any], object]

REQUESTS: dict[str, type[Any]] = {
    "identify": IdentifyCall,
    "decode": DecodeCall,
    "command_scanner": ScannerCall,
    "quote": QuoteRequest,
    "hold_redemption": HoldRequest,
    "release": ReleaseRequest,
    "open_holds": OpenHoldsRequest,
    "record_sale": SaleRequest,
    "reverse_sale": ReversalRequest,
    "receipt_block": ReceiptBlockRequest,
    "print_receipt": PrintRequest,
    "print_jobs": PrintJobsRequest,
    "cancel_print": CancelPrintRequest,
    "reprint": ReprintRequest,
    "print_test": PrintTestRequest,
    "report": ReportRequest,
}
_NAMES = {path: name for name, path in PATHS.items()} | {EVENTS_PATH: "scans"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call, and with which one (any if None)."""

    what: FaultKind | LoyaltyError
    on: str | None = None


class FakeApi:
    """Routes requests to handlers by the name of the Till's method; one at a time, as the agent's writer does."""

    def __init__(
        self, token: str, handlers: Mapping[str, Handler], events: Callable[[str], httpx.SyncByteStream]
    ) -> None:
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self._token = token
        self._handlers = handlers
        self._events = events
        self._requests = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or fail as the next fault says."""
        with self.lock:
            self._requests += 1
            name = _NAMES.get(request.url.path, "")
            fault = self._next_fault(name)
            if fault == "unreachable":
                raise httpx.ConnectError("Connection refused", request=request)
            response = self._problem(fault) if isinstance(fault, LoyaltyError) else self._answer(name, request)
            if fault == "answer_lost":
                raise httpx.ReadError("Connection reset by peer", request=request)
            return httpx.Response(200, html="<p>It works!</p>") if fault == "answer_garbled" else response

    def _next_fault(self, name: str) -> FaultKind | LoyaltyError | None:
        for fault in self.faults:
            if fault.on in (None, name):
                self.faults.remove(fault)
                return fault.what
        return None

    def _answer(self, name: str, request: httpx.Request) -> httpx.Response:
        try:
            self._check(request)
            if request.method == "GET":
                return self._get(name, request)
            asked = decode(self._request_class(name), loads(request.content))
            return self._json(self._handlers[name](asked))
        except (CodecError, ValueError) as error:
            return self._problem(InvalidRequest(str(error)))
        except LoyaltyError as error:
            return self._problem(error)

    def _check(self, request: httpx.Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            raise AccessRefused("the token is not this agent's; give the token of its file `token`")
        if request.method == "POST" and request.headers.get("content-type") != "application/json":
            raise InvalidRequest("the body must be application/json")
        if len(request.content) > BODY_BYTES_MAX:
            raise InvalidRequest(f"the body exceeds {BODY_BYTES_MAX} bytes; split the basket")

    def _request_class(self, name: str) -> type[Any]:
        if name not in REQUESTS:
            raise NotFound("there is no such call; see docs/local-api.md")
        return REQUESTS[name]

    def _get(self, name: str, request: httpx.Request) -> httpx.Response:
        if name == "status":
            return self._json(self._handlers[name](_context(request.url.params)))
        if name != "scans":
            raise NotFound("there is no such call; see docs/local-api.md")
        context = _context(request.url.params)
        events = self._events(request.url.params.get("topic") or context.register)
        return httpx.Response(200, headers=self._headers("text/event-stream"), stream=events)

    def _json(self, answer: object) -> httpx.Response:
        return httpx.Response(200, headers=self._headers("application/json"), content=dumps(answer))

    def _problem(self, error: LoyaltyError) -> httpx.Response:
        document = {"type": error.type, "title": type(error).__name__, "status": error.status, "detail": error.detail}
        headers = self._headers("application/problem+json")
        return httpx.Response(error.status, headers=headers, content=dumps(document))

    def _headers(self, content_type: str) -> dict[str, str]:
        return {"Content-Type": content_type, "Loyalty-Request-Id": f"fake-{self._requests}"}


def _context(query: Mapping[str, str]) -> Context:
    """Read the context of a GET, where everything is text."""
    data: dict[str, Any] = {name: value for name, value in query.items() if name != "topic"}
    if "training" in data:
        data["training"] = {"true": True, "false": False}.get(data["training"], data["training"])
    return decode(Context, data, "context")
