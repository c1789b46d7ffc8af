"""Describes the calls for OpenAPI by the protocol's own dataclasses. Bodies are read by `loyalty_sdk.codec` alone."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any

from pydantic import TypeAdapter

from central_api.api.openapi_limits import tightened
from central_api.problems import STATUS_BY_TYPE
from loyalty_sdk import office
from loyalty_sdk.protocol import (
    ChangesPage,
    EnrolmentAnswer,
    EnrolmentRequest,
    EntryPage,
    GrantRequest,
    IdentifyRequest,
    JournalView,
    MemberAnswer,
    ReportAnswer,
    SignedDocument,
    SignedReport,
    UploadAnswer,
)

__all__ = ["DESCRIPTION", "completed", "describe", "documentation_page"]

DESCRIPTION = """\
The reference loyalty API: what terminals say to it, and the back office. A terminal's call carries the terminal's
bearer token, one of the back office an API key, `Authorization: Bearer lk_…`, whose scope reaches the call: read-only,
back-office or administrator. The enrolment and the health check carry neither. Errors are RFC 9457 problem documents
whose `type` starts with `urn:loyalty:problem:`. Points are whole numbers, times RFC 3339 with offset, bytes base64."""

REF_TEMPLATE = "#/components/schemas/{model}"
# What every call may answer with, and every call that takes a body.
PROBLEMS = ("invalid-request", "too-many-requests", "central-failure", "busy")
BODY_PROBLEMS = ("body-too-large", "encoding-refused")
DESCRIBED: tuple[Any, ...] = (
    ChangesPage,
    EnrolmentAnswer,
    EnrolmentRequest,
    EntryPage,
    GrantRequest,
    IdentifyRequest,
    JournalView,
    MemberAnswer,
    ReportAnswer,
    SignedDocument,
    SignedReport,
    UploadAnswer,
    *(cls for name in office.__all__ if is_dataclass(cls := getattr(office, name))),
)
PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457: what was refused, and what to do about it.",
    "properties": {
        "type": {"type": "string", "examples": ["urn:loyalty:problem:invalid-request"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
HEALTH_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("status", "version", "epoch", "central_time")},
    "required": ["status", "version", "epoch", "central_time"],
}
UPLOAD_BODY = {
    "application/x-ndjson": {
        "schema": {
            "type": "string",
            "description": "A line for each entry, its exact bytes, in order of seq; the line after it may be its "
            'attachment, {"attachment": hash, "sealed": base64}. At most 500 entries and 8,000,000 bytes.',
        }
    }
}
UPLOAD_HEADERS = (
    ("Loyalty-Epoch", "The epoch of central that the terminal knows.", r"^\S+$"),
    ("Loyalty-First-Seq", "The seq of the first entry.", "^[0-9]{1,15}$"),
    ("Loyalty-Head-Seq", "The seq of the last entry.", "^[0-9]{1,15}$"),
    ("Loyalty-Head-Hash", "The chain hash of the last entry, hexadecimal.", "^([0-9A-Fa-f]{2})+$"),
    ("Loyalty-Signature", "Ed25519 over the upload, hexadecimal.", "^([0-9A-Fa-f]{2})+$"),
)


def describe(
    answer: type | None, *problems: str, question: type | None = None, upload: bool = False, token: bool = True
) -> dict[str, Any]:
    """Return the keyword arguments of a route: what it takes, what it answers, and the problems it may answer with."""
    extra: dict[str, Any] = {"security": [{"token": []}]} if token else {}
    if question is not None:
        extra["requestBody"] = {"required": True, "content": _json(_reference(question))}
    if upload:
        extra["requestBody"] = {"required": True, "content": UPLOAD_BODY}
        extra["parameters"] = [_header(*header) for header in UPLOAD_HEADERS]
    content = _json(HEALTH_SCHEMA if answer is None else _reference(answer))
    names = (
        *problems,
        *(("access-refused",) if token else ()),
        *(BODY_PROBLEMS if question or upload else ()),
        *PROBLEMS,
    )
    responses: dict[int | str, Any] = {200: {"description": "The answer.", "content": content}}
    return {"openapi_extra": extra, "responses": responses | _problem_responses(names)}


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Return FastAPI's document with the schemas of the protocol in it."""
    inputs: list[Any] = [(cls, "serialization", TypeAdapter(cls)) for cls in DESCRIBED]
    _, schemas = TypeAdapter.json_schemas(inputs, ref_template=REF_TEMPLATE)
    components = document.setdefault("components", {})
    components["schemas"] = _with_base64(schemas["$defs"]) | {"Problem": PROBLEM_SCHEMA}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A terminal's token."},
        "key": {"type": "http", "scheme": "bearer", "description": "An API key of the back office."},
    }
    for path, calls in document["paths"].items():
        for call in calls.values() if "{" in path else ():
            call["responses"].setdefault("404", _problem_responses(("not-found",))[404])
    return tightened(document)


def documentation_page(document: dict[str, Any]) -> str:
    """Return a page for people that loads nothing from anywhere; programs read /openapi.json."""
    rows = [
        f"<tr><td>{method.upper()}</td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(call.get('summary', ''))}</td></tr>"
        for path, calls in document["paths"].items()
        for method, call in calls.items()
    ]
    title = html.escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
        f'<p>{html.escape(DESCRIPTION)}</p><p>The whole description: <a href="/openapi.json">/openapi.json</a></p>'
        f"<table>{''.join(rows)}</table></html>"
    )


def _problem_responses(names: Sequence[str]) -> dict[int | str, Any]:
    by_status: dict[int, list[str]] = {}
    for name in dict.fromkeys(names):
        by_status.setdefault(STATUS_BY_TYPE[name], []).append(f"`{name}`")
    content = {"application/problem+json": {"schema": {"$ref": REF_TEMPLATE.format(model="Problem")}}}
    return {status: {"description": ", ".join(found), "content": content} for status, found in by_status.items()}


def _reference(cls: type) -> dict[str, Any]:
    return {"$ref": REF_TEMPLATE.format(model=cls.__name__)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _header(name: str, text: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": True, "description": text, "schema": schema}


def _with_base64(value: Any) -> Any:
    """Pydantic calls bytes binary; on this wire they are base64 texts."""
    if isinstance(value, dict):
        if value.get("format") == "binary":
            return {name: item for name, item in value.items() if name != "format"} | {"contentEncoding": "base64"}
        return {name: _with_base64(item) for name, item in value.items()}
    return [_with_base64(item) for item in value] if isinstance(value, list) else value
