"""The JSON Schema (draft 2020-12) of the programme document, made from the dataclasses that read it.

It says what a schema can say: fields, types, choices and bounds. That ids differ, that numbers are written without a
decimal point and that no object names a field twice, only `parse_programme` checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from loyalty_sdk.codec import INTEGER_MAX, encode
from loyalty_sdk.programme import (
    CURRENCY,
    DAY_OF_YEAR,
    MONTHS_MAX,
    PENDING_HOURS_MAX,
    QR_BYTES_MAX,
    RULES_MAX,
    UTC_OFFSET,
    EarningRule,
    Expiry,
    OfflineCaps,
    Pending,
    Programme,
    ReceiptTexts,
    Reward,
)

__all__ = ["programme_schema", "schema_text"]

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FROM_0: Schema = {"minimum": 0}
FROM_1: Schema = {"minimum": 1}
NAMED: Schema = {"minLength": 1}
MONTHS: Schema = {"minimum": 1, "maximum": MONTHS_MAX}


def _pattern(expression: re.Pattern[str], *examples: str) -> Schema:
    return {"pattern": f"^({expression.pattern})$", "examples": list(examples)}


# What the dataclasses check beside their types, field by field.
_BOUNDS: Mapping[tuple[type, str], Schema] = {
    (Programme, "version"): FROM_1,
    (Programme, "currency"): _pattern(CURRENCY, "EUR", "BRL"),
    (Programme, "earning"): {"maxItems": RULES_MAX},
    (Programme, "rewards"): {"maxItems": RULES_MAX},
    (EarningRule, "id"): NAMED,
    (EarningRule, "points"): FROM_1,
    (EarningRule, "minimum_spend_minor"): FROM_0,
    (Reward, "id"): NAMED,
    (Reward, "points"): FROM_1,
    (Reward, "discount_minor"): FROM_1,
    (Reward, "minimum_spend_minor"): FROM_0,
    (Reward, "count_per_sale_max"): FROM_1,
    (Expiry, "months_after_earning"): MONTHS,
    (Expiry, "on"): _pattern(DAY_OF_YEAR, "12-31"),
    (Expiry, "months_min"): MONTHS,
    (Expiry, "utc_offset"): _pattern(UTC_OFFSET, "-03:00"),
    (Pending, "hours"): {"minimum": 1, "maximum": PENDING_HOURS_MAX},
    (OfflineCaps, "points_per_sale_max"): FROM_0,
    (OfflineCaps, "points_per_member_max"): FROM_0,
    (OfflineCaps, "redemptions_per_member_max"): FROM_0,
    (OfflineCaps, "hours_since_contact_max"): FROM_0,
    (OfflineCaps, "grant_ahead_points_max"): FROM_0,
    (OfflineCaps, "grant_hours"): {"minimum": 1, "maximum": 8_760},
    (ReceiptTexts, "qr"): {"maxLength": QR_BYTES_MAX},
}
# What they check of several fields together.
_TOGETHER: Mapping[type, Schema] = {
    EarningRule: {
        "if": {"properties": {"kind": {"const": "amount"}}},
        "then": {"properties": {"per_minor": FROM_1}, "required": ["per_minor"]},
        "else": {"properties": {"per_minor": {"maximum": 0}}},
    },
    Expiry: {
        "oneOf": [
            {
                "properties": {
                    "months_after_earning": {"type": "integer"},
                    "on": {"type": "null"},
                    "months_min": {"const": 1},
                },
                "required": ["months_after_earning"],
            },
            {
                "properties": {"on": {"type": "string"}, "months_after_earning": {"type": "null"}},
                "required": ["on"],
            },
        ]
    },
}
_SCALARS: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": -INTEGER_MAX, "maximum": INTEGER_MAX},
    bool: {"type": "boolean"},
}


def programme_schema() -> Schema:
    """Return the schema as JSON values."""
    definitions: dict[str, Schema] = {}
    whole = _object(Programme, definitions)
    head = {"$schema": DIALECT, "title": "Loyalty programme"}
    return head | whole | {"$defs": dict(sorted(definitions.items()))}


def schema_text() -> str:
    """Return the schema as the file docs/programme.schema.json holds it."""
    return json.dumps(programme_schema(), indent=2, ensure_ascii=False) + "\n"


def _object(cls: type[Any], definitions: dict[str, Schema]) -> Schema:
    hints = get_type_hints(cls)
    made = {
        "description": _first_paragraph(cls),
        "type": "object",
        "properties": {field.name: _field(cls, field, hints[field.name], definitions) for field in fields(cls)},
        "required": [field.name for field in fields(cls) if field.default is MISSING],
        "additionalProperties": False,
    }
    return made | _TOGETHER.get(cls, {})


def _field(cls: type[Any], field: Field[Any], annotation: Any, definitions: dict[str, Schema]) -> Schema:
    made = _value(annotation, definitions) | _BOUNDS.get((cls, field.name), {})
    return made if field.default is MISSING else made | {"default": encode(field.default)}


def _value(annotation: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of one annotation; one outside the vocabulary is a programming error, as it is for the codec."""
    if is_dataclass(annotation) and isinstance(annotation, type):
        if annotation.__name__ not in definitions:
            definitions[annotation.__name__] = _object(annotation, definitions)
        return {"$ref": f"#/$defs/{annotation.__name__}"}
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        inner = next(argument for argument in arguments if argument is not NoneType)
        return {"anyOf": [_value(inner, definitions), {"type": "null"}]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _value(arguments[0], definitions)}
    return dict(_SCALARS[annotation])


def _first_paragraph(cls: type[Any]) -> str:
    return " ".join((cls.__doc__ or "").partition("\n\n")[0].split())
