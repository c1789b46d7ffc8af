"""The local API: HTTP for the POS programs of this machine, described by `GET /openapi.json`.

Every call passes the same gate before anything is read: Host, Origin, token and content type together, because a page
in a browser on the till can reach a loopback service too (DNS rebinding, CSRF).
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from loyalty_sdk.codec import CodecError, decode, dumps, loads
from loyalty_sdk.errors import (
    AccessRefused,
    AgentFailure,
    Busy,
    InvalidRequest,
    LoyaltyError,
    MethodNotAllowed,
    NotFound,
)
from loyalty_sdk.local import BODY_BYTES_MAX
from loyalty_sdk.model import Context
from terminal_agent.events import TOPICS, EventHub, Topic, event_stream
from terminal_agent.openapi import Operation, openapi_document
from terminal_agent.problems import problem_response

__all__ = ["Gate", "create_app"]

OWN_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Who may call: the token, the host names, and the web origins (none, usually)."""

    token: str
    hosts: frozenset[str] = OWN_HOSTS
    origins: frozenset[str] = frozenset()

    def check(self, request: Request) -> None:
        """Raises AccessRefused, InvalidRequest."""
        host = request.headers.get("host", "")
        if host.rpartition(":")[0] not in self.hosts and host not in self.hosts:
            raise AccessRefused(f"Host {host!r} is not this agent's: add it to allowed_hosts in [local_api]")
        origin = request.headers.get("origin")
        if origin is not None and origin not in self.origins:
            raise AccessRefused(f"web pages of {origin!r} may not call: add it to allowed_origins in [local_api]")
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            raise AccessRefused(
                "the token is missing or wrong: send `Authorization: Bearer` with the text of the token file"
            )
        if request.method == "POST" and _media_type(request) != "application/json":
            raise InvalidRequest("the body must be JSON: send `Content-Type: application/json`")


def create_app(
    *, operations: tuple[Operation, ...], hub: EventHub, gate: Gate, new_request_id: Callable[[], str]
) -> Starlette:
    """Return the ASGI application of the local API."""

    async def events(request: Request) -> Response:
        topic = _topic(request)
        context = _context(request)
        if hub.is_full:
            raise Busy("too many programs listen for scans already: close tills that are not used")
        return event_stream(hub, context.register, topic)

    async def openapi(request: Request) -> Response:
        return JSONResponse(openapi_document(operations))

    def guarded(handler: Handler) -> Handler:
        async def guard(request: Request) -> Response:
            request_id = new_request_id()
            try:
                gate.check(request)
                response = await handler(request)
                response.headers["Loyalty-Request-Id"] = request_id
                return response
            except LoyaltyError as error:
                return problem_response(error, request_id)
            except CodecError as error:
                return problem_response(InvalidRequest(str(error)), request_id)
            except ClientDisconnect:
                return problem_response(InvalidRequest("the caller left before its body was whole"), request_id)
            except Exception:
                _log.exception("request %s failed", request_id)
                return problem_response(AgentFailure(f"the agent failed; its log has request {request_id}"), request_id)

        return guard

    routes = [Route(o.path, guarded(_handler(o)), methods=[o.method]) for o in operations]
    routes.append(Route("/v1/events", guarded(events), methods=["GET"]))
    routes.append(Route("/openapi.json", guarded(openapi), methods=["GET"]))

    async def no_call(request: Request, error: Exception) -> Response:
        allowed = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
        detail = f"{request.method} {request.url.path} is no call of this agent: see /openapi.json"
        response = problem_response(NotFound(detail) if allowed is None else MethodNotAllowed(detail), new_request_id())
        if allowed is not None:
            response.headers["Allow"] = allowed
        return response

    app = Starlette(routes=routes, exception_handlers={HTTPException: no_call})
    app.router.redirect_slashes = False
    return app


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _handler(operation: Operation) -> Handler:
    async def handle(request: Request) -> Response:
        if operation.question is None:
            answer = await operation.call(_context(request))
        else:
            question: Any = decode(operation.question, loads(await _body(request)))
            answer = await operation.call(question)
        return Response(dumps(answer), media_type="application/json")

    return handle


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise InvalidRequest(f"the body exceeds {BODY_BYTES_MAX} bytes: split the basket")
    return bytes(body)


def _topic(request: Request) -> Topic:
    """What a listener wants to hear of."""
    asked = request.query_params.get("topic", TOPICS[0])
    for topic in TOPICS:
        if topic == asked:
            return topic
    raise InvalidRequest(f"topic must be one of {', '.join(TOPICS)}, not {asked[:40]!r}")


def _context(request: Request) -> Context:
    """The context of a call without body, from its query."""
    query: dict[str, Any] = {name: value for name, value in request.query_params.items() if name != "topic"}
    if "training" in query:
        query["training"] = {"true": True, "false": False}.get(query["training"], query["training"])
    return decode(Context, query)
