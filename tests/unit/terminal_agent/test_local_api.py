"""The gate and the shape of every refusal. Nothing that is refused is recorded."""

import json
from typing import Any

import httpx
import pytest

from loyalty_sdk.codec import dumps, encode
from loyalty_sdk.errors import AccessRefused, Busy, InvalidRequest, LoyaltyError, MethodNotAllowed, NotFound
from loyalty_sdk.local import BODY_BYTES_MAX
from terminal_agent import events
from terminal_agent.local_api import Gate, create_app
from tests.unit.terminal_agent.rig import BASKET, TOKEN, Rig, sale_request

QUERY = {"store": "12", "register": "3", "cashier": "77", "business_date": "2026-05-01"}
SALE = dumps(sale_request())


def check_problem(answer: httpx.Response, error: type[LoyaltyError]) -> dict[str, Any]:
    """A problem document of RFC 9457 with one line that says what is wrong."""
    assert answer.status_code == error.status
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["type"], document["title"], document["status"]) == (error.type, error.__name__, error.status)
    assert document["request_id"] == answer.headers["Loyalty-Request-Id"] != ""
    assert len(document["detail"].splitlines()) == 1
    return document


async def test_a_call_is_answered_with_its_request_id(rig: Rig) -> None:
    async with rig.client() as client:
        answer = await client.post("/v1/sales", content=SALE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json()["points_earned"] == 0
    assert answer.headers["Loyalty-Request-Id"]


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"bearer {TOKEN}", "Bearer é"]
)
async def test_without_the_token_nothing_is_answered(rig: Rig, given: str) -> None:
    head = rig.head_seq()
    async with rig.client(Authorization="") as client:
        headers = [(b"Authorization", given.encode())] if given else []
        answer = await client.post("/v1/sales", content=SALE, headers=headers)
        check_problem(answer, AccessRefused)
        for path in ("/v1/status", "/v1/events", "/openapi.json"):
            check_problem(await client.get(path, params=QUERY, headers=headers), AccessRefused)
    assert rig.head_seq() == head


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil:80", "evil:127.0.0.1", ""])
async def test_a_foreign_host_is_refused(rig: Rig, host: str) -> None:
    async with rig.client(Host=host or "\t") as client:
        assert "allowed_hosts" in check_problem(await client.post("/v1/sales", content=SALE), AccessRefused)["detail"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8787", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8787"])
async def test_this_machine_s_names_are_taken(rig: Rig, host: str) -> None:
    async with rig.client(Host=host) as client:
        assert (await client.get("/v1/status", params=QUERY)).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
async def test_web_pages_are_refused(rig: Rig, origin: str) -> None:
    async with rig.client(Origin=origin) as client:
        assert "allowed_origins" in check_problem(await client.post("/v1/sales", content=SALE), AccessRefused)["detail"]


async def test_what_the_configuration_allows_is_taken(rig: Rig) -> None:
    gate = Gate(token=TOKEN, hosts=frozenset({"till.shop"}), origins=frozenset({"https://pos.shop"}))
    rig.app = create_app(operations=rig.operations, hub=rig.hub, gate=gate, new_request_id=rig.host.new_id)
    async with rig.client(Host="till.shop:8787", Origin="https://pos.shop") as client:
        assert (await client.get("/v1/status", params=QUERY)).status_code == 200


@pytest.mark.parametrize("media", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_body_that_is_not_json_is_refused(rig: Rig, media: str) -> None:
    async with rig.client(Content_Type=media) as client:
        check_problem(await client.post("/v1/sales", content=SALE), InvalidRequest)


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=1"])
async def test_json_is_taken_however_it_is_written(rig: Rig, media: str) -> None:
    async with rig.client(Content_Type=media) as client:
        assert (await client.post("/v1/sales", content=SALE)).status_code == 200


def changed(**fields: object) -> bytes:
    return dumps(encode(sale_request()) | fields)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "must be an object"),
        (b"[" * 5_000, "not JSON"),
        (b'{"context": {}, "context": {}}', "twice"),
        (b'{"rounding_minor": 0.5}', "floating-point"),
        (b'{"rounding_minor": NaN}', "floating-point"),
        (changed(surprise=1), "surprise is not a field here"),
        (changed(receipt_number=1), "receipt_number must be a text"),
        (changed(receipt_number=""), "number is empty"),
        (changed(rounding_minor=True), "rounding_minor must be a whole number"),
        (changed(rounding_minor=2**53), "rounding_minor must be a whole number"),
        (changed(occurred_at="2026-05-01T09:30:00"), "occurred_at must be a time with its offset"),
        (changed(context={"store": "1"}), "context.register is missing"),
        (changed(alias="HALF").replace(b"HALF", b"\\ud800"), "half a surrogate"),
    ],
)
async def test_a_malformed_body_is_refused_with_its_place(rig: Rig, body: bytes, says: str) -> None:
    head = rig.head_seq()
    async with rig.client() as client:
        assert says in check_problem(await client.post("/v1/sales", content=body), InvalidRequest)["detail"]
    assert rig.head_seq() == head


async def test_an_error_of_the_sdk_keeps_its_type(rig: Rig) -> None:
    basket = encode(BASKET) | {"total_minor": 1}
    async with rig.client() as client:
        answer = await client.post("/v1/sales", content=changed(basket=basket))
    assert answer.json()["type"] == "urn:loyalty:problem:basket-invalid"
    assert "add up to 25000" in answer.json()["detail"]


async def test_an_oversized_body_is_refused_before_it_is_read_whole(rig: Rig) -> None:
    sent = 0

    async def body() -> Any:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b" " * (BODY_BYTES_MAX // 4)

    async with rig.client() as client:
        check_problem(await client.post("/v1/sales", content=body()), InvalidRequest)
    assert sent < 10


@pytest.mark.parametrize("path", ["/", "/v1/sale", "/v1/sales/", "/v2/sales", "/docs"])
async def test_an_unknown_path_is_not_found(rig: Rig, path: str) -> None:
    async with rig.client() as client:
        assert "/openapi.json" in check_problem(await client.post(path, content=SALE), NotFound)["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_an_unknown_method_is_refused(rig: Rig, method: str) -> None:
    async with rig.client() as client:
        answer = await client.request(method, "/v1/sales")
    check_problem(answer, MethodNotAllowed)
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"training": "yes"}, "training must be true or false"),
        ({"business_date": "today"}, "business_date must be a date"),
        ({"store": ""}, "store is empty"),
        ({"lane": "1"}, "lane is not a field here"),
    ],
)
async def test_a_malformed_query_is_refused_with_its_place(rig: Rig, change: dict[str, str], says: str) -> None:
    async with rig.client() as client:
        for path in ("/v1/status", "/v1/events"):
            answer = await client.get(path, params=QUERY | change)
            assert says in check_problem(answer, InvalidRequest)["detail"]


async def test_a_listener_names_a_topic_that_there_is(rig: Rig) -> None:
    async with rig.client() as client:
        answer = await client.get("/v1/events", params=QUERY | {"topic": "weather"})
        assert "topic must be one of devices, progress" in check_problem(answer, InvalidRequest)["detail"]


async def test_too_many_listeners_are_sent_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LISTENERS_MAX", 0)
    async with rig.client() as client:
        check_problem(await client.get("/v1/events", params=QUERY), Busy)


async def test_an_unexpected_failure_tells_nothing_but_its_request_id(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(connection: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("terminal_agent.service.current_programme", fail)
    async with rig.client() as client:
        body = json.dumps({"context": QUERY, "basket": encode(BASKET)})
        answer = await client.post("/v1/quotes", content=body)
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:loyalty:problem:agent-failure"
    assert "secret" not in answer.text
    assert answer.json()["request_id"] in caplog.text
