"""Makes right what central's document cannot say: fields that depend on each other, on the state, or on a signature.

A case that is meant to be right is made so instead of being left out.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from loyalty_sdk.codec import encode
from tests.contract.examiner import AnyCase
from tests.contract.shops import PROGRAMME, Shop

__all__ = ["mended"]

KEY = "Idempotency-Key"

Body = dict[str, Any]

# A change, and the moment at which the feed was told last.
CHANGES_CURSOR = re.compile("[0-9]+(-[0-9]+)?")


def mended(case: AnyCase, shop: Shop) -> AnyCase:
    """Return a case that is meant to be right, with what depends on something else put right."""
    mend_case = CASES.get(case.operation.label)
    if mend_case is not None:
        mend_case(case, shop)
    mend_body = BODIES.get(case.operation.label)
    if mend_body is not None and isinstance(case.body, dict):
        mend_body(case.body)
    if not _is_cursor(case.query.get("cursor"), numbered=case.operation.label == "GET /v1/changes"):
        case.query.pop("cursor", None)
    if KEY in (case.headers or {}):
        case.headers[KEY] = _idempotency_key(case)
    return case


def _follows_others(case: AnyCase) -> bool:
    return case.meta is not None and case.meta.phase.name == "stateful"


def _idempotency_key(case: AnyCase) -> str:
    """The same key with another request is a conflict, with the same one a repetition."""
    if _follows_others(case):
        return case.id  # What it asks for may yet be filled in from an answer before.
    request = json.dumps([case.method, case.path_parameters, case.body], default=str)
    return hashlib.sha256(request.encode()).hexdigest()


def _uploaded(case: AnyCase, shop: Shop) -> None:
    if len(str(case.body)) % 2 == 0:
        headers, data = shop.till.upload()
        case.path_parameters["journal"], case.body = shop.till.journal, data.decode()
        case.headers.update(headers.to_headers())


def _reported(case: AnyCase, shop: Shop) -> None:
    if len(str(case.body)) % 2 == 0:
        case.path_parameters["journal"], case.body = shop.till.journal, encode(shop.report())


def _merged(case: AnyCase, shop: Shop) -> None:
    """After other calls it is of a member that is known: a 404 is then about the other one."""
    if isinstance(case.body, dict) and _follows_others(case):
        case.body = case.body | {"source_member_id": shop.names["source_member_id"][0]}


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


def _is_cursor(text: object, *, numbered: bool = False) -> bool:
    """Whether it is one that an answer may have given: nobody makes one up. Those of changes are of another form."""
    if not isinstance(text, str) or not text.isascii():
        return False
    if numbered:
        return CHANGES_CURSOR.fullmatch(text) is not None
    try:
        found = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return False
    return isinstance(found, list) and len(found) > 1
