"""Everything that keeps a JSON value from being a programme, not only the first thing as `parse_programme` says it.

Walks the dataclasses as the codec does, and lets the codec judge each value by itself. What a dataclass checks of its
fields together is judged once each of them is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from loyalty_sdk.codec import CodecError, decode
from loyalty_sdk.office import Finding

__all__ = ["error_at", "errors_in"]

TEXT_LENGTH_MAX = 500
# No slip of the keyboard makes a longer name of a field.
NAME_LENGTH_MAX = 60


def errors_in(annotation: Any, data: Any, place: str = "") -> Iterator[Finding]:
    """Yield what is wrong with `data`, JSON values, where `annotation` is expected: the inner things in front."""
    is_right = True
    for one in _errors_inside(annotation, data, place):
        is_right = False
        yield one
    if is_right and (error := _refusal(annotation, data, place)):
        yield error_at(place, error)


def error_at(place: str, text: str) -> Finding:
    """Return an error; a text that begins with its place, as those of the codec do, is kept without it."""
    detail = text.removeprefix(place).removeprefix(":").lstrip() if place else text
    return Finding(severity="error", place=_shown(place), detail=_shown(detail))


def _errors_inside(annotation: Any, data: Any, place: str) -> Iterator[Finding]:
    if is_dataclass(annotation) and isinstance(data, dict):
        yield from _errors_in_fields(annotation, data, place)
    elif get_origin(annotation) is tuple and isinstance(data, list):
        (item, *_) = get_args(annotation)
        for index, each in enumerate(data):
            yield from errors_in(item, each, f"{place}[{index}]")
    elif get_origin(annotation) in (Union, UnionType) and data is not None:
        yield from errors_in(_of_optional(annotation), data, place)


def _errors_in_fields(annotation: Any, data: dict[str, Any], place: str) -> Iterator[Finding]:
    hints = get_type_hints(annotation)
    prefix = f"{place}." if place else ""
    for field in fields(annotation):
        if field.name in data:
            yield from errors_in(hints[field.name], data[field.name], prefix + field.name)
        elif field.default is MISSING:
            yield error_at(prefix + field.name, f"is missing; it must be {_wanted(hints[field.name])}")
    for name in data:
        if name not in hints:
            yield error_at(prefix + name, f"is not a field here; {_fields_meant(name, hints)}")


def _refusal(annotation: Any, data: Any, place: str) -> str:
    try:
        decode(annotation, data, place)
    except CodecError as error:
        return str(error)
    return ""


def _of_optional(annotation: Any) -> Any:
    return next(argument for argument in get_args(annotation) if argument is not NoneType)


def _wanted(annotation: Any) -> str:
    """What the codec says that it wants, told of a value that is never right."""
    return _refusal(annotation, ..., "x").removeprefix("x must be ").partition(", not ")[0]


def _fields_meant(name: str, hints: dict[str, Any]) -> str:
    close = get_close_matches(name, hints, n=1) if len(name) <= NAME_LENGTH_MAX else []
    return f"write {close[0]}" if close else f"there are: {', '.join(hints)}"


def _shown(text: str) -> str:
    """A name in a hostile document may be as long as the document, and hold what no text can."""
    short = text if len(text) <= TEXT_LENGTH_MAX else f"{text[:TEXT_LENGTH_MAX]}…"
    return short.encode("utf-8", "backslashreplace").decode()
