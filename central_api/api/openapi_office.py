"""Describes the back office's calls for OpenAPI: scope, pages, conditions, and every problem that a call can reach."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query

from central_api.api.openapi import describe
from central_api.api.openapi_limits import NO_NUL
from loyalty_sdk.codec import INTEGER_MAX
from loyalty_sdk.office import IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_LENGTH_MAX, LIMIT_MAX, Scope

__all__ = ["Cursor", "Id", "Limit", "Name", "Version", "describe_list", "describe_read", "describe_write"]

ID_LENGTH_MAX = 300

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many items a page has at most.")]
Cursor = Annotated[
    str | None,
    Query(
        pattern=NO_NUL,
        description="The `next_cursor` of the page before; none for the first page.",
    ),
]
Id = Annotated[str, Path(min_length=1, max_length=ID_LENGTH_MAX, pattern=NO_NUL)]
Name = Annotated[str | None, Query(max_length=ID_LENGTH_MAX, pattern=NO_NUL)]
Version = Annotated[int, Path(ge=1, le=INTEGER_MAX)]

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": f"The same key with the same request gets the same answer again, for {IDEMPOTENCY_HOURS} hours.",
    "schema": {"type": "string", "pattern": f"^[ -~]{{1,{IDEMPOTENCY_KEY_LENGTH_MAX}}}$"},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what is to be changed.",
    "schema": {"type": "string", "pattern": "^[!-~]+$"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that is known; 304 where it still holds.",
    "schema": {"type": "string"},
}
_ETAG = {"ETag": {"description": "Names this state.", "schema": {"type": "string"}}}
_REPLAYED = {
    "Idempotency-Replayed": {
        "description": "`true` where the write was done before and this is its answer again.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


def describe_read(
    answer: type, *problems: str, scope: Scope = "read-only", question: type | None = None, etag: bool = False
) -> dict[str, Any]:
    """Return the keyword arguments of a route that changes nothing; with `etag` it may answer 304."""
    described = _described(answer, *problems, scope=scope, question=question)
    if etag:
        described["openapi_extra"]["parameters"] = [_IF_NONE_MATCH]
        described["responses"][200]["headers"] = _ETAG
        described["responses"][304] = {"description": "What If-None-Match names still holds.", "headers": _ETAG}
    return described


def describe_list(answer: type, *problems: str, scope: Scope = "read-only") -> dict[str, Any]:
    """Return the keyword arguments of a route that gives a list in pages."""
    return _described(answer, *problems, scope=scope)


def describe_write(
    answer: type,
    *problems: str,
    scope: Scope,
    question: type | None = None,
    etag: bool = False,
    if_match: bool = False,
) -> dict[str, Any]:
    """Return the keyword arguments of a route that writes, once for its Idempotency-Key."""
    conditions = ("precondition-required", "precondition-failed") if if_match else ()
    described = _described(
        answer, "idempotency-conflict", "outcome-unknown", *conditions, *problems, scope=scope, question=question
    )
    described["openapi_extra"]["parameters"] = [_IDEMPOTENCY_KEY, *([_IF_MATCH] if if_match else ())]
    described["responses"][200]["headers"] = _REPLAYED | (_ETAG if etag or if_match else {})
    return described


def _described(answer: type, *problems: str, scope: Scope, question: type | None = None) -> dict[str, Any]:
    described = describe(answer, "scope-missing", *problems, question=question)
    described["openapi_extra"]["security"] = [{"key": []}]
    described["openapi_extra"]["x-scope"] = scope
    described["description"] = f"Takes an API key of the scope `{scope}` or more."
    return described
