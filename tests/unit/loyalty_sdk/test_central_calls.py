"""The calls of the clients against central's own OpenAPI document: each has its endpoint, takes and gives the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from central_api.api.application import create_app
from central_api.capabilities import Capabilities
from central_api.storage.database import Database
from loyalty_sdk import _member_calls, _office_calls, _terminal_calls, office
from loyalty_sdk._central_calls import ENDPOINTS, Pages
from loyalty_sdk._flow import Call
from loyalty_sdk.protocol import SignedReport, UploadHeaders

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
PAGE: dict[str, Any] = {"limit": 7, "cursor": "c"}
KEYED: dict[str, Any] = {"idempotency_key": "k"}
MEMBER = office.MemberView(
    member_id="m-1",
    name="Ana",
    tier="",
    aliases=(),
    balance=0,
    available=0,
    pending=0,
    reserved=0,
    owed=0,
    revision=1,
    created_at=NOW,
    etag="7-abc",
)
PROGRAMME = office.ProgrammeView(version=2, name="x", state="in_force", activated_at=NOW, in_force_at=NOW, etag="2")
UPLOAD = UploadHeaders(epoch="e", first_seq=1, head_seq=2, head_hash=b"\1", signature=b"\2")
REPORT = SignedReport(report="{}", signature=b"\2")

# Each call with everything that it takes.
SAMPLES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "health": ((), {}),
    "enrol": (("AAAA", b"k" * 32, "1"), {}),
    "signed_programme": ((), {}),
    "signed_programme_version": ((2,), {}),
    "identify": (("4711", "j-1"), {"grant_ahead": False}),
    "issue_grant": (("r-1", "m-1", "j-1", 5, 1), {}),
    "upload": (("j-1", UPLOAD, b"{}"), {}),
    "journal": (("j-1",), {}),
    "journal_entries": (("j-1",), {"after": 3, "limit": 7}),
    "report_journal": (("j-1", REPORT), {}),
    "changes": (("j-1", "c"), {"limit": 7, "acknowledged": 1, "hash": "h", "head": 2, "grant": "g-1"}),
    "members": ((), PAGE),
    "search_members": (("4711",), {}),
    "member": (("m-1",), {"known": MEMBER}),
    "create_member": ((["4711"],), {"name": "Ana", "tier": "gold"} | KEYED),
    "update_member": ((MEMBER,), {"name": "Eva", "tier": ""} | KEYED),
    "add_alias": (("m-1", "4712"), KEYED),
    "remove_alias": (("m-1", "a-1"), KEYED),
    "adjust": (("m-1", 5, "x"), KEYED),
    "write_off": (("m-1", 5, "x"), KEYED),
    "merge_members": (("m-1", "m-2", "x"), KEYED),
    "transfers": (("m-1",), PAGE),
    "member_entries": (("m-1",), PAGE),
    "decisions": (("m-1",), PAGE),
    "lots": (("m-1",), PAGE),
    "member_grants": (("m-1",), PAGE),
    "grants": ((), {"member": MEMBER, "terminal": "t-1", "state": "open"} | PAGE),
    "grant": (("g-1",), {}),
    "recall_grant": (("g-1",), KEYED),
    "entries": ((), {"terminal": "t-1", "journal": "j-1", "member": "m-1", "outcome": "held"} | PAGE),
    "entry": (("t-1/j-1/7",), {}),
    "quarantine": ((), PAGE),
    "judge_quarantine": ((), {"all": True, "cursor": "c"} | KEYED),
    "terminals": ((), PAGE),
    "terminal": (("t-1",), {}),
    "create_terminal": (("t-1",), KEYED),
    "recall_grants": (("t-1",), KEYED),
    "revoke_terminal": (("t-1",), KEYED),
    "programmes": ((), PAGE),
    "programme": ((2,), {"known": PROGRAMME}),
    "activate_programme": (("{}",), {"in_force_at": NOW} | KEYED),
    "withdraw_programme": ((2,), KEYED),
    "validate_programme": (("{}",), {}),
    "dry_run_programme": (("{}",), {"days": 7}),
    "api_keys": ((), PAGE),
    "create_api_key": (("till", "read-only"), KEYED),
    "rotate_api_key": (("k-1",), {"hours": 1} | KEYED),
    "revoke_api_key": (("k-1",), KEYED),
    "jobs": ((), {}),
    "audit": ((), PAGE),
    "totals": ((), {"first": date(2026, 5, 1), "last": date(2026, 5, 2)} | PAGE),
}


def call_of(name: str) -> Call[Any]:
    modules = (_member_calls, _office_calls, _terminal_calls)
    (build,) = (getattr(module, name) for module in modules if name in module.__all__)
    arguments, named = SAMPLES[name]
    made = build(*arguments, **named)
    return made.call if isinstance(made, Pages) else made


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Central's OpenAPI document; to draw it up needs neither database nor capabilities."""
    database, capabilities = object.__new__(Database), object.__new__(Capabilities)
    return create_app(database=database, capabilities=capabilities, version="1").openapi()


def operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    method, path = ENDPOINTS[name]
    found: dict[str, Any] = document["paths"][path][method.lower()]
    return found


def parameters(described: dict[str, Any], place: str) -> set[str]:
    return {one["name"] for one in described.get("parameters", []) if one["in"] == place}


def class_of(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def test_every_endpoint_has_exactly_one_method(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, calls in document["paths"].items() for method in calls}
    assert sorted(ENDPOINTS.values()) == sorted(described)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_call_gives_and_takes_what_the_document_says(document: dict[str, Any], name: str) -> None:
    described, call = operation(document, name), call_of(name)
    assert call.query.keys() == parameters(described, "query")
    headers = call.headers.keys() | ({"Idempotency-Key"} if call.idempotency_key is not None else set())
    assert headers == parameters(described, "header")
    assert call.public == (not described.get("security"))
    answered = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert class_of(answered) in (call.answer.__name__, "")
    assert bool(call.body) == ("requestBody" in described)
    if call.body:
        assert call.media_type in described["requestBody"]["content"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_only_what_may_be_repeated_is(name: str) -> None:
    call = call_of(name)
    assert call.effect == ("question" if call.idempotency_key is None and name not in KEYED_BY_THEIR_BODY else "keyed")
    assert (call.idempotency_key is None) == (call.method == "GET" or name in KEYED_BY_THEIR_BODY | ASKED_BY_POST)


KEYED_BY_THEIR_BODY = {"enrol", "identify", "issue_grant", "upload", "report_journal"}
ASKED_BY_POST = {"search_members", "validate_programme", "dry_run_programme"}
