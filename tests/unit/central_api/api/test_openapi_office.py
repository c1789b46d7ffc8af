"""The description of the back office's calls is whole, and every one of them keeps what it says of keys and scopes."""

import re
from typing import Any

import pytest

from central_api.api.application import create_app
from central_api.problems import STATUS_BY_TYPE
from tests.unit.central_api.office_support import SCOPES, Desk, problem_of

app = create_app(database=None, capabilities=None, version="test")  # type: ignore[arg-type]  # it is only described
DOCUMENT: dict[str, Any] = app.openapi()
CALLS = [
    (method.upper(), path, call)
    for path, calls in DOCUMENT["paths"].items()
    for method, call in calls.items()
    if "x-scope" in call
]
IDS = [f"{method} {path}" for method, path, _ in CALLS]


def filled(path: str) -> str:
    return re.sub(r"\{version\}", "1", re.sub(r"\{(?!version)\w+\}", "x", path))


def named(call: dict[str, Any]) -> set[str]:
    return {name for answer in call["responses"].values() for name in re.findall(r"`([a-z-]+)`", answer["description"])}


def test_the_calls_are_all_there() -> None:
    assert len(CALLS) >= 38


@pytest.mark.parametrize(("method", "path", "call"), CALLS, ids=IDS)
def test_a_call_says_what_it_takes_and_gives(method: str, path: str, call: dict[str, Any]) -> None:
    assert call["summary"]
    assert call["security"] == [{"key": []}]
    assert call["x-scope"] in SCOPES
    assert {"access-refused", "scope-missing", "too-many-requests", "busy", "central-failure"} <= named(call)
    assert named(call) <= set(STATUS_BY_TYPE) | set(SCOPES)
    schema = call["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert schema in DOCUMENT["components"]["schemas"]
    headers = {one["name"] for one in call.get("parameters", []) if one["in"] == "header"}
    reads = method == "GET" or path.endswith(("/search", "/validate", "/dry-run"))
    assert ("Idempotency-Key" in headers) == (not reads)
    assert ("idempotency-conflict" in named(call)) == (not reads)
    assert ("If-Match" in headers) == (method == "PATCH")
    assert ("304" in call["responses"]) == ("If-None-Match" in headers)
    if "requestBody" in call:
        assert {"body-too-large", "encoding-refused"} <= named(call)
    if "{" in path:
        assert "404" in call["responses"]


@pytest.mark.parametrize(("method", "path", "call"), CALLS, ids=IDS)
async def test_a_call_takes_a_key_that_reaches(desk: Desk, method: str, path: str, call: dict[str, Any]) -> None:
    till = await desk.till()
    assert till.enrolment is not None
    body: dict[str, Any] | None = {} if "requestBody" in call else None
    for token in ("", "Bearer", "Bearer lk_x_y", f"Bearer {till.enrolment.token}", "Basic eDp5"):
        answer = await desk.ask(method, filled(path), body, Authorization=token)
        assert problem_of(answer) == "access-refused"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    reaching = SCOPES.index(call["x-scope"])
    for scope in SCOPES[:reaching]:
        assert problem_of(await desk.ask(method, filled(path), body, scope=scope)) == "scope-missing"
    answer = await desk.ask(method, filled(path), body, scope=call["x-scope"])
    assert answer.status_code not in (401, 403)
    if answer.status_code >= 400:
        assert problem_of(answer) in named(call)


async def test_a_key_is_no_terminals_token(desk: Desk) -> None:
    for path in ("/v1/programme", "/v1/changes?journal=x"):
        assert problem_of(await desk.get(path)) == "access-refused"
