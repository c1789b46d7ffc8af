"""Makes right what JSON Schema cannot say: fields that depend on each other, on the state, or on a signature.

A case that is meant to be right is made so instead of being left out. One that is meant to be wrong stays as it is.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from schemathesis import Case

from loyalty_sdk.codec import encode
from tests.contract.shops import PROGRAMME, Shop

__all__ = ["PRINTABLE", "AnyCase", "mended"]

# The format `printable` of the document; no slash, which a terminal's name must not have.
# Those of the limits' lengths are there ready made: nobody would wait until chance makes them.
_LENGTHS = (0, 1, 2, 63, 64, 199, 200, 255, 256, 499, 500)
_WORDS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), max_size=20)
PRINTABLE = st.sampled_from([length * "x" for length in _LENGTHS]) | _WORDS
KEY = "Idempotency-Key"

Body = dict[str, Any]
AnyCase = Case[Any]


def mended(case: AnyCase, shop: Shop) -> AnyCase:
    """Return the case, with what depends on something else put right where the case is to be a right one."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    mend_case = CASES.get(case.operation.label)
    if mend_case is not None:
        mend_case(case, shop)
    body = _whole(case.body)
    mend_body = BODIES.get(case.operation.label)
    if mend_body is not None and isinstance(body, dict):
        mend_body(body)
    if isinstance(body, dict):  # 16.0 equals 16, so that no comparison tells whether there is something to put right.
        case.body = body
    if not _is_cursor(case.query.get("cursor")):
        case.query.pop("cursor", None)
    if KEY in (case.headers or {}):  # The same key with another request is a conflict, with the same one a repetition.
        request = json.dumps([case.method, case.path_parameters, body], default=str)
        case.headers[KEY] = hashlib.sha256(request.encode()).hexdigest()
    return case


def _uploaded(case: AnyCase, shop: Shop) -> None:
    if len(str(case.body)) % 2 == 0:
        headers, data = shop.till.upload()
        case.path_parameters["journal"], case.body = shop.till.journal, data.decode()
        case.headers.update(headers.to_headers())


def _reported(case: AnyCase, shop: Shop) -> None:
    if len(str(case.body)) % 2 == 0:
        case.path_parameters["journal"], case.body = shop.till.journal, encode(shop.report())


def _merged(case: AnyCase, shop: Shop) -> None:
    if isinstance(case.body, dict) and case.body.get("source_member_id") == case.path_parameters["member_id"]:
        case.body = case.body | {"source_member_id": "another"}


def _counted(case: AnyCase, shop: Shop) -> None:
    """Days that are too many, or in the wrong order."""
    case.query.pop("from", None)
    if str(case.query.get("to")) < "0100":
        case.query.pop("to", None)


def _granted(body: Body) -> None:
    body["points_min"], body["points"] = sorted((body["points_min"], body["points"]))


def _judged(body: Body) -> None:
    body["all"] = not body.get("entries")
    if not _is_cursor(body.get("cursor")) or not body["all"]:
        body["cursor"] = None


def _activated(body: Body) -> None:
    _documented(body)
    if body.get("in_force_at") is not None:
        body["in_force_at"] = (datetime.now(UTC) + timedelta(days=400 + len(body["document"]))).isoformat()


def _documented(body: Body) -> None:
    body["document"] = PROGRAMME % ("Clube", 3 + len(body["document"]))


CASES: Mapping[str, Callable[[AnyCase, Shop], None]] = {
    "POST /v1/journals/{journal}/entries": _uploaded,
    "POST /v1/journals/{journal}/reports": _reported,
    "POST /v1/members/{member_id}/merge": _merged,
    "GET /v1/totals": _counted,
}
BODIES: Mapping[str, Callable[[Body], None]] = {
    "POST /v1/grants": _granted,
    "POST /v1/quarantine/judge": _judged,
    "POST /v1/programmes": _activated,
    "POST /v1/programmes/dry-run": _documented,
}


def _whole(value: Any) -> Any:
    """JSON Schema calls 1.0 whole; here a number with a point is refused, for nobody can say what was meant."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_cursor(text: object) -> bool:
    """Whether it is one that an answer may have given: nobody makes one up."""
    if not isinstance(text, str) or not text.isascii():
        return False
    if text.isdigit():
        return True
    try:
        return isinstance(json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4))), list)
    except ValueError:
        return False
