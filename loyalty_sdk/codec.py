"""Strict JSON for the vocabulary: dataclasses to JSON and back, and nothing that JSON lets slip.

Decimals travel as strings, times as RFC 3339 with offset, bytes as base64. Refused are floats, NaN, duplicate keys,
integers beyond 53 bits, a boolean where a number stands, lone surrogates, deep nesting and, but for `decode_tolerant`,
unknown fields. Every refusal names the place, as in `basket.lines[2].quantity`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from json.encoder import encode_basestring
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = ["INTEGER_MAX", "CodecError", "decode", "decode_tolerant", "dumps", "encode", "loads"]

INTEGER_MAX = 2**53 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")

T = TypeVar("T")
Decoder = Callable[..., Any]  # Of the data and its place, which may be left out.
Reader = Callable[[Any], Any]
Writer = Callable[[Any], str]


class CodecError(ValueError):
    """The JSON is malformed or does not fit; the text names the place and what would be right."""


def dumps(value: object) -> bytes:
    """Encode a dataclass or plain JSON value as compact UTF-8 JSON on one line: fields in the order of definition."""
    try:
        return _text(value).encode()
    except UnicodeEncodeError:
        raise CodecError("a text holds half a surrogate pair; send whole characters") from None


def loads(data: bytes | str) -> Any:
    """Parse JSON strictly. Raises CodecError. The caller caps the size."""
    try:
        return _STRICT.decode(
            data if isinstance(data, str) else data.decode(json.detect_encoding(data), "surrogatepass")
        )
    except CodecError:
        raise
    except (ValueError, RecursionError) as error:
        raise CodecError(f"not JSON: {error}") from None


def encode(value: Any) -> Any:
    """Turn a dataclass into JSON values: what parsing its text gives."""
    return json.loads(_text(value))


def decode(cls: type[T], data: Any, place: str = "") -> T:
    """Build `cls` (a dataclass) from JSON values. Raises CodecError naming the place.

    A ValueError from the dataclass' own checks is passed on with the place in front; an error of the SDK
    (BasketInvalid, …) passes as it is.
    """
    kind: Any = cls
    result: T
    try:
        result = _reader(kind)(data)
    except Exception:
        # Whatever it was: the careful way finds it again, and says what and where.
        result = _decoder(kind)(data, place)
    return result


def decode_tolerant(cls: type[T], data: Any, place: str = "") -> T:
    """Build `cls` as `decode` does, leaving out the fields of a later release. Raises CodecError naming the place.

    For answers and events, whose sender may be of a later release, and for what terminals ask central. Never for what
    is recorded: an entry with a field that nobody here knows is kept unread and quarantined.
    """
    try:
        return decode(cls, data, place)
    except CodecError:
        return decode(cls, _known(cls, data), place)


def _known(annotation: Any, data: Any) -> Any:
    """The same data without unknown fields, wherever a dataclass is expected."""
    if is_dataclass(annotation) and isinstance(data, dict):
        hints = get_type_hints(annotation)
        return {name: _known(hints[name], item) for name, item in data.items() if name in hints}
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple and isinstance(data, list):
        return [_known(arguments[0], item) for item in data]
    if origin in (Union, UnionType):
        return _known(_without_none(annotation), data)
    return data


@cache
def _reader(annotation: Any) -> Reader:
    """Compile the fast way to read one annotation, which only takes what `dumps` writes.

    It fails on all else, without a place: on what is wrong, and on fields with a default that are not there.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if is_dataclass(annotation):
        return _dataclass_reader(annotation)
    if origin is tuple:
        return _sequence_reader(_reader(arguments[0]))
    return _decoder(annotation)


def _dataclass_reader(cls: Any) -> Reader:
    """Compile a function that checks and takes every field, several times faster than a loop over them.

    docs/decisions/0018 shows that of `Tender`. Its names begin with underscores, since a field may be called `data`.
    Fields are set as the class' own `__init__` does, which takes three times as long over it where they are frozen.
    """
    hints = get_type_hints(cls)
    space: dict[str, Any] = {"__new": partial(cls.__new__, cls)}
    names = [field.name for field in fields(cls)]
    lines = ["def __read(__data):", f"    if len(__data) != {len(names)}: raise KeyError", "    __made = __new()"]
    for name in names:
        inner = _without_none(hints[name])
        space |= {f"__read_{name}": _reader(inner), f"__set_{name}": getattr(cls, name).__set__}
        lines.append(f"    {name} = __data[{name!r}]")
        lines.append(f"    if not ({_plain(name, inner, hints[name])}): {name} = __read_{name}({name})")
        lines.append(f"    __set_{name}(__made, {name})")
    lines += ["    __made.__post_init__()"] if hasattr(cls, "__post_init__") else []
    exec("\n".join([*lines, "    return __made"]), space)
    reader: Reader = space["__read"]
    return reader


def _plain(name: str, inner: Any, annotation: Any) -> str:
    """When a field's value is what JSON gave; most are texts and whole numbers, which this spares a call."""
    integer = f"type({name}) is int and {-INTEGER_MAX} <= {name} <= {INTEGER_MAX}"
    plain = {str: f"type({name}) is str and {name}.isascii()", int: integer}.get(inner, "False")
    return plain if inner is annotation else f"{name} is None or {plain}"


def _without_none(annotation: Any) -> Any:
    """The annotation of what is there where it is optional."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    return next(argument for argument in get_args(annotation) if argument is not NoneType)


def _sequence_reader(inner: Reader) -> Reader:
    def read_sequence(data: Any) -> Any:
        if not isinstance(data, list):
            raise TypeError
        return tuple([inner(item) for item in data])

    return read_sequence


@cache
def _decoder(annotation: Any) -> Decoder:
    """Compile the decoder of one annotation; an annotation outside the vocabulary is a programming error."""
    if is_dataclass(annotation):
        return _dataclass_decoder(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _optional_decoder(_without_none(annotation))
    if origin is Literal:
        return _literal_decoder(arguments)
    if origin is tuple:
        return _sequence_decoder(_decoder(arguments[0]))
    if origin is dict:
        return _mapping_decoder(_decoder(arguments[1]))
    return _SCALARS[annotation]


def _dataclass_decoder(cls: Any) -> Decoder:
    hints = get_type_hints(cls)
    table = {field.name: (_decoder(hints[field.name]), _is_required(field)) for field in fields(cls)}
    required = [name for name, (_, needed) in table.items() if needed]

    def decode_object(data: Any, place: str = "") -> Any:
        if not isinstance(data, dict):
            _refuse(place, "an object", data)
        prefix = f"{place}." if place else ""
        for name in required:
            if name not in data:
                raise CodecError(f"{prefix}{name} is missing")
        values = {}
        for name, item in data.items():
            if name not in table:
                raise CodecError(f"{prefix}{name} is not a field here; there are: {', '.join(table)}")
            values[name] = table[name][0](item, prefix + name)
        try:
            return cls(**values)
        except ValueError as error:
            raise CodecError(f"{place}: {error}" if place else str(error)) from None

    return decode_object


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _optional_decoder(inner_annotation: Any) -> Decoder:
    inner = _decoder(inner_annotation)
    return lambda data, place="": None if data is None else inner(data, place)


def _literal_decoder(allowed: tuple[Any, ...]) -> Decoder:
    def decode_literal(data: Any, place: str = "") -> Any:
        if data not in allowed or isinstance(data, bool):
            _refuse(place, "one of " + ", ".join(map(str, allowed)), data)
        return data

    return decode_literal


def _sequence_decoder(inner: Decoder) -> Decoder:
    def decode_sequence(data: Any, place: str = "") -> Any:
        if not isinstance(data, list):
            _refuse(place, "a list", data)
        return tuple(inner(item, f"{place}[{index}]") for index, item in enumerate(data))

    return decode_sequence


def _mapping_decoder(inner: Decoder) -> Decoder:
    def decode_mapping(data: Any, place: str = "") -> Any:
        if not isinstance(data, dict):
            _refuse(place, "an object", data)
        return {key: inner(item, f"{place}.{key}") for key, item in data.items()}

    return decode_mapping


def _decode_text(data: Any, place: str = "") -> str:
    if not isinstance(data, str):
        _refuse(place, "a text", data)
    if not data.isascii() and _SURROGATE.search(data):
        _refuse(place, "whole characters, not half a surrogate pair", data)
    return data


def _decode_integer(data: Any, place: str = "") -> int:
    if type(data) is not int or not -INTEGER_MAX <= data <= INTEGER_MAX:
        _refuse(place, "a whole number of at most 53 bits", data)
    return data


def _decode_boolean(data: Any, place: str = "") -> bool:
    if not isinstance(data, bool):
        _refuse(place, "true or false", data)
    return data


def _decode_decimal(data: Any, place: str = "") -> Decimal:
    text = _decode_text(data, place)
    if not _DECIMAL.fullmatch(text):
        _refuse(place, 'a decimal written as a text, as "1.250", of at most 12 digits and 6 decimals', data)
    return Decimal(text)


def _decode_date(data: Any, place: str = "") -> date:
    try:
        return date.fromisoformat(_decode_text(data, place))
    except ValueError:
        _refuse(place, "a date as 2026-05-01", data)


def _decode_datetime(data: Any, place: str = "") -> datetime:
    try:
        value = datetime.fromisoformat(_decode_text(data, place))
    except ValueError:
        _refuse(place, "a time as 2026-05-01T09:30:00+01:00", data)
    if value.tzinfo is None:
        _refuse(place, "a time with its offset, as 2026-05-01T09:30:00+01:00", data)
    return value


def _decode_bytes(data: Any, place: str = "") -> bytes:
    try:
        return base64.b64decode(_decode_text(data, place), validate=True)
    except (binascii.Error, ValueError):
        _refuse(place, "base64", data)


_SCALARS: dict[Any, Decoder] = {
    str: _decode_text,
    int: _decode_integer,
    bool: _decode_boolean,
    Decimal: _decode_decimal,
    date: _decode_date,
    datetime: _decode_datetime,
    bytes: _decode_bytes,
    Any: lambda data, place="": data,
}


class _Writers(dict[type, Writer]):
    """What writes a value as JSON, by its class; the writer of a class is made when it is first met."""

    def __missing__(self, kind: type) -> Writer:
        self[kind] = writer = _writer(kind)
        return writer


def _writer(kind: Any) -> Writer:
    if is_dataclass(kind):
        return _dataclass_writer(kind)
    for base, writer in _BASE_WRITERS:
        if issubclass(kind, base):
            return writer
    raise TypeError(f"{kind.__name__} has no JSON form here")


def _dataclass_writer(cls: Any) -> Writer:
    """Compile one expression that writes every field, several times faster than a loop over them.

    For `Tender`, as docs/decisions/0014 shows in whole:
    `lambda value: f'{{"kind":{…},"amount_minor":{item if type(item := value.amount_minor) is int else …}}}'`
    """
    members = ",".join(f'"{field.name}":{{{_field_writer(field)}}}' for field in fields(cls))
    writer: Writer = eval(f"lambda value: f'{{{{{members}}}}}'", {"quoted": encode_basestring, "writers": _WRITERS})
    return writer


def _field_writer(field: Field[Any]) -> str:
    """The annotation is only a guess, which spares texts and whole numbers a call; what is there decides."""
    by_class = f"writers[type(item := value.{field.name})](item)"
    likely = {"str": "quoted(item)", "int": "item"}.get(str(field.type))
    if likely is None:
        return by_class
    return f"{likely} if type(item := value.{field.name}) is {field.type} else writers[type(item)](item)"


def _text(value: object) -> str:
    return _WRITERS[type(value)](value)


def _sequence_text(value: Sequence[object]) -> str:
    return f"[{','.join([_WRITERS[type(item)](item) for item in value])}]"


def _mapping_text(value: Mapping[str, object]) -> str:
    return f"{{{','.join([f'{encode_basestring(key)}:{_text(item)}' for key, item in value.items()])}}}"


def _decimal_text(value: Decimal) -> str:
    text = str(value)
    if "E" in text:  # Seldom, and asking for plain digits at once takes three times as long.
        text = format(value, "f")
    return f'"{text.rstrip("0").rstrip(".") if "." in text else text}"'


def _datetime_text(value: datetime) -> str:
    if value.tzinfo is None:
        raise CodecError("a time without its offset; use datetime.now().astimezone()")
    return f'"{value.isoformat(timespec="milliseconds")}"'


_BASE_WRITERS: tuple[tuple[type | UnionType, Writer], ...] = (
    (tuple | list, _sequence_text),
    (Mapping, _mapping_text),
    (Decimal, _decimal_text),
    (datetime, _datetime_text),
    (date, lambda value: f'"{value.isoformat()}"'),
    (bytes, lambda value: f'"{base64.b64encode(value).decode()}"'),
    (str, encode_basestring),
)
_WRITERS = _Writers(
    {
        str: encode_basestring,
        int: int.__repr__,
        bool: lambda value: "true" if value else "false",
        NoneType: lambda value: "null",
    }
)


def _refuse(place: str, wanted: str, data: Any) -> NoReturn:
    shown = repr(data)
    raise CodecError(f"{place or 'the body'} must be {wanted}, not {shown if len(shown) <= 60 else shown[:57] + '…'}")


def _refuse_float(text: str) -> NoReturn:
    raise CodecError(f"{text} is a floating-point number; write decimals as texts and money in minor units")


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise CodecError("an object names the same field twice")
    return unique


# Kept, since making one takes as long as reading an entry.
_STRICT = json.JSONDecoder(parse_float=_refuse_float, parse_constant=_refuse_float, object_pairs_hook=_unique_object)
