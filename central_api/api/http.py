"""HTTP around the calls: bodies under a cap, tokens, headers, strict JSON, and every error as a problem document."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from central_api.problems import Problem, Refused, refuse
from central_api.storage.database import CommitUnknown, DatabaseUnusable
from loyalty_sdk.codec import CodecError, decode, decode_tolerant, dumps, loads
from loyalty_sdk.protocol import UploadHeaders

__all__ = [
    "JSON_BODY_BYTES_MAX",
    "answer_of",
    "bearer_token",
    "decoded",
    "install_problem_handlers",
    "problem_response",
    "read_body",
    "read_question",
    "read_upload_headers",
]

JSON_BODY_BYTES_MAX = 100_000
RETRY_AFTER_S = 5
SEQ_DIGITS_MAX = 15

T = TypeVar("T")


def answer_of(value: object) -> Response:
    """Return a dataclass, or a problem, as a response."""
    if isinstance(value, Problem):
        return problem_response(value)
    return Response(dumps(value), media_type="application/json")


def problem_response(problem: Problem, retry_after_s: int = RETRY_AFTER_S) -> Response:
    """Return a problem as RFC 9457 wants it; `retry_after_s` is told where trying again helps."""
    content = {
        "type": problem.type,
        "title": problem.name.replace("-", " "),
        "status": problem.status,
        "detail": problem.detail,
        **problem.extra,
    }
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == HTTPStatus.UNAUTHORIZED else {}
    if problem.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = str(retry_after_s)
    return Response(dumps(content), problem.status, headers, media_type="application/problem+json")


def bearer_token(request: Request) -> str:
    """Return the token. Raises Refused `access-refused`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise refuse("access-refused", "the call has no token; send the header Authorization: Bearer TOKEN")
    return token.strip()


async def read_body(request: Request, bytes_max: int, media_type: str) -> bytes:
    """Read a body piece by piece, and no further than the cap. Raises Refused."""
    _check_headers(request, bytes_max, media_type)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        parts.append(part)
    return b"".join(parts)


async def read_question(request: Request, cls: type[T], bytes_max: int = JSON_BODY_BYTES_MAX) -> T:
    """Read a JSON body as one of the protocol's classes. Raises Refused; the text names the place.

    Fields of a later release are left out: a terminal may be newer than its central.
    """
    return _understood(cls, await read_body(request, bytes_max, "application/json"), decode_tolerant)


def decoded(cls: type[T], body: bytes) -> T:
    """Read a JSON body as one of the back office's classes. Raises Refused; the text names the place.

    A field that is not known here is refused: leaving it out could change something else than what was meant.
    """
    return _understood(cls, body, decode)


def read_upload_headers(request: Request) -> UploadHeaders:
    """Read the headers of an upload. Raises Refused."""
    return UploadHeaders(
        epoch=_header(request, "Loyalty-Epoch"),
        first_seq=_seq(request, "Loyalty-First-Seq"),
        head_seq=_seq(request, "Loyalty-Head-Seq"),
        head_hash=_hexadecimal(request, "Loyalty-Head-Hash"),
        signature=_hexadecimal(request, "Loyalty-Signature"),
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Turn every error of the app into a problem document; what nobody foresaw is told without its traceback."""

    @app.exception_handler(Refused)
    async def on_refused(request: Request, error: Refused) -> Response:
        return problem_response(error.problem)

    @app.exception_handler(DatabaseUnusable)
    async def on_busy(request: Request, error: DatabaseUnusable) -> Response:
        return problem_response(Problem(name="busy", detail=str(error)))

    @app.exception_handler(CommitUnknown)
    async def on_unknown(request: Request, error: CommitUnknown) -> Response:
        return problem_response(Problem(name="outcome-unknown", detail=str(error)))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return problem_response(Problem(name="invalid-request", detail=_places(error)))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        names = {HTTPStatus.NOT_FOUND: "not-found", HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed"}
        name = names.get(HTTPStatus(error.status_code), "invalid-request")
        detail = f"{request.method} {request.url.path}: there is no such call; see /docs"
        response = problem_response(Problem(name=name, detail=detail))
        if name == "method-not-allowed":
            response.headers["Allow"] = ", ".join(sorted(_methods(app, request)))
        return response

    @app.exception_handler(Exception)
    async def on_failure(request: Request, error: Exception) -> Response:
        detail = "central failed in a way it has no name for; its log says more. Try again later"
        return problem_response(Problem(name="central-failure", detail=detail))


def _methods(app: FastAPI, request: Request) -> set[str]:
    """The methods of all calls under the path of a request: each is a route of its own.

    A path that is written out, as `/v1/members/search`, is no member's.
    """
    routes = [route for route in app.routes if isinstance(route, Route)]
    found = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    written_out = [route for route in found if route.path == request.url.path]
    return set().union(*(route.methods or set() for route in written_out or found))


def _check_headers(request: Request, bytes_max: int, media_type: str) -> None:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise refuse("encoding-refused", f"Content-Encoding {encoding} is not taken; send the body as it is")
    found = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if found != media_type:
        raise refuse("invalid-request", f"Content-Type must be {media_type}, not {found or 'missing'}")
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and (len(length) > SEQ_DIGITS_MAX or int(length) > bytes_max):
        raise _too_large(bytes_max)


def _understood(cls: type[T], body: bytes, decode_as: Callable[[type[T], Any], T]) -> T:
    try:
        data = loads(body)
        if rb"\u0000" in body:
            _check_no_nul(data)
        return decode_as(cls, data)
    except CodecError as error:
        raise refuse("invalid-request", str(error)) from None


def _check_no_nul(data: object) -> None:
    """PostgreSQL keeps no NUL in a text, and no name or number has one."""
    if isinstance(data, str) and "\0" in data:
        raise refuse("invalid-request", "a text holds the character NUL; send it without")
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        _check_no_nul(item)


def _too_large(bytes_max: int) -> Refused:
    return refuse("body-too-large", f"a body here has at most {bytes_max} bytes; send less at a time")


def _header(request: Request, name: str) -> str:
    value: str | None = request.headers.get(name)
    if not value:
        raise refuse("invalid-request", f"the header {name} is missing")
    return value


def _seq(request: Request, name: str) -> int:
    text = _header(request, name)
    if not (text.isascii() and text.isdigit() and len(text) <= SEQ_DIGITS_MAX):
        raise refuse("invalid-request", f"the header {name} must be a whole number from 1")
    return int(text)


def _hexadecimal(request: Request, name: str) -> bytes:
    try:
        return bytes.fromhex(_header(request, name))
    except ValueError:
        raise refuse("invalid-request", f"the header {name} must be hexadecimal") from None


def _places(error: RequestValidationError) -> str:
    found: list[dict[str, Any]] = list(error.errors())
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found)[:1_000]
