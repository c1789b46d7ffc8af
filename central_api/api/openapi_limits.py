"""What the OpenAPI document says of questions beyond their types: lengths, ranges, forms. Checks nothing itself.

The reader of a question leaves out fields that it does not know (docs/protocol.md). The document closes questions all
the same: what a field that central does not know may hold is no promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from central_api.judging.matter import POINTS_MAX
from central_api.members.members import ALIAS_LENGTH_MAX, NAME_LENGTH_MAX, TIER_LENGTH_MAX
from loyalty_sdk.codec import INTEGER_MAX
from loyalty_sdk.office import QUARANTINE_JUDGED_MAX, REASON_LENGTH_MAX

__all__ = ["BASE64", "JOURNAL", "LIMITS", "NO_NUL", "tightened"]

Schema = dict[str, Any]

# PostgreSQL keeps no NUL in a text, so that no question may hold one.
NO_NUL = r"^[^\x00]*$"
# The same, said so that a program that looks for what it forbids finds it at once.
WITHOUT_NUL = {"not": {"pattern": r"\x00"}}
JOURNAL = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
BASE64_OF_32_BYTES = "^[A-Za-z0-9+/]{43}=$"

# Characters that a person can see, and spaces between them: what `str.isprintable` says, stripped.
PRINTABLE = {"format": "printable", "description": "Printable characters, without a space at either end."}
REASON = PRINTABLE | {"minLength": 1, "maxLength": REASON_LENGTH_MAX}
ALIAS = PRINTABLE | {"minLength": 1, "maxLength": ALIAS_LENGTH_MAX}
DOCUMENT = {"contentMediaType": "application/json", "description": "See docs/programme.schema.json."}

# What a field may hold, where its type does not say it: class, field, what JSON Schema calls it.
LIMITS: Mapping[str, Mapping[str, Schema]] = {
    "EnrolmentRequest": {"public_key": {"pattern": BASE64_OF_32_BYTES}},
    "GrantRequest": {
        "redemption_id": {"minLength": 1, "maxLength": 64},
        "points": {"minimum": 1},
        "points_min": {"minimum": 1, "description": "At most `points`."},
    },
    "MemberRequest": {
        "aliases": {"minItems": 1, "items": {"type": "string", **ALIAS}},
        "name": PRINTABLE | {"maxLength": NAME_LENGTH_MAX},
        "tier": PRINTABLE | {"maxLength": TIER_LENGTH_MAX},
    },
    "MemberPatch": {
        "name": PRINTABLE | {"maxLength": NAME_LENGTH_MAX},
        "tier": PRINTABLE | {"maxLength": TIER_LENGTH_MAX},
    },
    "AliasAddition": {"alias": ALIAS},
    "Adjustment": {
        "points": {"minimum": -POINTS_MAX, "maximum": POINTS_MAX, "not": {"const": 0}},
        "reason": REASON,
    },
    "WriteOff": {"points": {"minimum": 1, "maximum": POINTS_MAX}, "reason": REASON},
    "Merge": {"source_member_id": {"description": "Another member than this one."}, "reason": REASON},
    "TerminalRequest": {
        "terminal": PRINTABLE | {"minLength": 1, "maxLength": 64, "description": "Printable characters, without /."}
    },
    "KeyRequest": {"name": PRINTABLE | {"minLength": 1, "maxLength": 64}},
    "KeyRotation": {"hours": {"minimum": 0, "maximum": 720}},
    "ProgrammeRequest": {
        "document": DOCUMENT,
        "in_force_at": {"description": "Not in the past, at most ten years ahead; null for at once."},
    },
    "ProgrammeCandidate": {"document": DOCUMENT},
    "DryRunRequest": {"document": DOCUMENT, "days": {"minimum": 1, "maximum": 366}},
    "QuarantineRequest": {
        "entries": {"maxItems": QUARANTINE_JUDGED_MAX, "description": "Some, or none with `all`."},
        "cursor": {"description": "Only with `all`."},
    },
}


def tightened(document: Schema) -> Schema:
    """Return the document with the limits of every question in it; it is changed in place."""
    schemas = document["components"]["schemas"]
    for name in _questions(document):
        schema = schemas[name]
        schema.setdefault("additionalProperties", False)
        for field, found in schema.get("properties", {}).items():
            _typed(found).update(LIMITS.get(name, {}).get(field, {}))
            _limit(found)
    for parameter in (one for path in document["paths"].values() for call in path.values() for one in _texts(call)):
        del parameter["pattern"]
        parameter.update(WITHOUT_NUL)
    return document


def _texts(call: Schema) -> Iterator[Schema]:
    """The schemas of a call's parameters whose whole form is that they hold no NUL."""
    for parameter in call.get("parameters", ()):
        schema = parameter["schema"]
        yield from (part for part in (schema, *schema.get("anyOf", ())) if part.get("pattern") == NO_NUL)


def _questions(document: Schema) -> set[str]:
    """The names of all schemas that a body of a question refers to, directly or not."""
    names: set[str] = set()
    calls = [call for path in document["paths"].values() for call in path.values()]
    waiting = [name for call in calls for name in _references(call.get("requestBody", {}))]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += _references(document["components"]["schemas"][name])
    return names


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        for item in part.values():
            yield from _references(item)
    elif isinstance(part, list):
        for item in part:
            yield from _references(item)


def _typed(schema: Schema) -> Schema:
    """The part of a field's schema that names its type, where the field may be null too."""
    return next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)


def _limit(schema: Schema) -> None:
    """Say what the codec takes of a type: whole numbers of 53 bits, texts without NUL, base64."""
    if schema.get("type") == "integer":
        schema.setdefault("minimum", -INTEGER_MAX)
        schema.setdefault("maximum", INTEGER_MAX)
    elif schema.get("type") == "string" and not {"enum", "const", "format"} & set(schema):
        schema.update(WITHOUT_NUL if "contentEncoding" not in schema else {"pattern": schema.get("pattern", BASE64)})
    for part in (*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            _limit(part)
