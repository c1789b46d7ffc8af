"""The OpenAPI description of the local API, made from the dataclasses that the calls are decoded with."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from loyalty_sdk.codec import INTEGER_MAX
from loyalty_sdk.model import Context
from terminal_agent._version import VERSION
from terminal_agent.events import Topic
from terminal_agent.openapi_limits import LIMITS

__all__ = ["Operation", "openapi_document"]

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": -INTEGER_MAX, "maximum": INTEGER_MAX},
    bool: {"type": "boolean"},
    Decimal: {"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    bytes: {"type": "string", "contentEncoding": "base64"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call: its path, the class of its body (None: the context comes in the query), and what answers it."""

    method: Literal["GET", "POST"]
    path: str
    question: type | None
    answer: type
    call: Callable[[Any], Awaitable[Any]]


def openapi_document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the local API."""
    schemas: dict[str, Any] = {"Problem": _problem_schema()}
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    paths["/v1/events"] = {"get": _events_operation()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Loyalty agent, local API", "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    doc = (operation.question or operation.answer).__doc__ or ""
    described: dict[str, Any] = {
        "summary": doc.partition("\n")[0],
        "responses": {
            "200": _json_content("done", _schema(operation.answer, schemas)),
            "default": _json_content(
                "a problem (RFC 9457)", {"$ref": "#/components/schemas/Problem"}, "application/problem+json"
            ),
        },
    }
    if operation.question is None:
        described["parameters"] = _context_parameters()
    else:
        described["requestBody"] = {"required": True, **_json_content(None, _schema(operation.question, schemas))}
    return described


def _events_operation() -> dict[str, Any]:
    return {
        "summary": "What the devices of a register report, as server-sent events: `scan` (Scan), `scanner_status` "
        "(ScannerStatus), `printer_status` (PrinterStatus), `print_job` (PrintJob); with the topic `progress` how far "
        "the journal is sent, on every change and at most once a second: `progress` (Progress)",
        "parameters": [
            *_context_parameters(),
            {"name": "topic", "in": "query", "required": False, "schema": _schema(Topic, {})},
        ],
        "responses": {"200": {"description": "the stream", "content": {"text/event-stream": {}}}},
    }


def _context_parameters() -> list[dict[str, Any]]:
    hints = get_type_hints(Context)
    return [
        {
            "name": field.name,
            "in": "query",
            "required": field.default is MISSING,
            "schema": _limited(_SCALARS[hints[field.name]], Context, field.name),
        }
        for field in fields(Context)
    ]


def _json_content(description: str | None, schema: dict[str, Any], media: str = "application/json") -> dict[str, Any]:
    content: dict[str, Any] = {"content": {media: {"schema": schema}}}
    return content if description is None else {"description": description, **content}


def _schema(annotation: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if is_dataclass(annotation) and isinstance(annotation, type):
        return _reference(annotation, schemas)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return {"anyOf": [_schema(inner, schemas), {"type": "null"}]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], schemas)}
    return _SCALARS[annotation]


def _reference(cls: type, schemas: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in schemas:
        schemas[cls.__name__] = {}  # Taken before its fields are read, so that a cycle would end.
        hints = get_type_hints(cls)
        schemas[cls.__name__] = {
            "type": "object",
            "description": cls.__doc__ or "",
            "properties": {
                field.name: _limited(_schema(hints[field.name], schemas), cls, field.name) for field in fields(cls)
            },
            "required": [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING],
            "additionalProperties": False,
        }
    return {"$ref": f"#/components/schemas/{cls.__name__}"}


def _limited(schema: dict[str, Any], cls: type, field: str) -> dict[str, Any]:
    """Add what a field may hold; where it may be null, to its other form."""
    limits = LIMITS.get(cls.__name__, {}).get(field, {})
    if "anyOf" in schema:
        return schema | {"anyOf": [{**schema["anyOf"][0], **limits}, *schema["anyOf"][1:]]}
    return {**schema, **limits}


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457 problem document; `type` is stable, `detail` names the remedy.",
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "request_id": text,
        },
        "required": ["type", "status", "detail"],
    }
