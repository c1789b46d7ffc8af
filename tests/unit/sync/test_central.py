"""Reading central's answers with suspicion, and calls as data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk.envelope import attachment_hash, upload_signing_input
from loyalty_sdk.protocol import ANSWER_BYTES_MAX, JournalView, UploadAnswer, split_upload
from sync.central import (
    Answer,
    AnswerNonsense,
    Call,
    CentralFailure,
    CentralRefused,
    CentralUnreachable,
    json_call,
    parse,
    receive,
    receive_async,
    upload_call,
)
from sync.identity import public_key_of
from sync.journal import queue_batch, watermark
from tests.support.terminal_memory import TerminalMemory

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
VIEW = {
    "epoch": "epoch-1",
    "journal": "journal-1",
    "watermark": 7,
    "watermark_hash": "ab",
    "central_time": "2026-05-04T12:00:00.000+00:00",
}
JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json; charset=utf-8"}


def as_sent(response: httpx.Response) -> httpx.Response:
    """The response as a transport gives it: its body unread."""
    if not response.is_stream_consumed:
        return response
    raw = b"".join(cast("Iterable[bytes]", response.stream))
    return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(raw))


def asked(response: httpx.Response | Exception) -> JournalView:
    """Ask a central that answers so."""

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        assert request.headers["Authorization"] == "Bearer token-1"
        if isinstance(response, Exception):
            raise response
        return as_sent(response)

    with httpx.Client(transport=httpx.MockTransport(handle), base_url="http://central") as client:
        call = json_call("GET", "/v1/journals/journal-1")
        return parse(JournalView, receive(client, call.request(client, "token-1")), NOW)


def problem(body: object, status: int = 409, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, headers=PROBLEM | headers, content=content)


def test_a_whole_answer_is_believed() -> None:
    view = asked(httpx.Response(200, headers={"Content-Type": "Application/JSON; charset=utf-8"}, json=VIEW))
    assert (view.watermark, view.central_time) == (7, NOW)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (httpx.Response(200, html="<h1>Welcome to the shopping centre's Wi-Fi</h1>"), "captive portal"),
        (httpx.Response(302, headers={"Location": "http://portal/"}), "captive portal"),
        (httpx.Response(200), "no media type"),
        (httpx.Response(500, text="Internal Server Error"), "HTTP 500"),
        (httpx.Response(502, json=VIEW), "HTTP 502"),
        (httpx.Response(204, headers=JSON), "HTTP 204"),
        (httpx.Response(200, headers=JSON, content=json.dumps(VIEW).encode()[:-5]), "cannot be read"),
        (httpx.Response(200, headers=JSON, content=b""), "cannot be read"),
        (httpx.Response(200, headers=JSON, content=b"\xff\xfe\x00"), "cannot be read"),
        (httpx.Response(200, headers=JSON, content=b"[" * 100_000), "cannot be read"),
        (httpx.Response(200, headers=JSON, content=json.dumps(VIEW | {"watermark": float("nan")}).encode()), "NaN"),
        (httpx.Response(200, headers=JSON, content=json.dumps(VIEW).replace("7", "1e400").encode()), "1e400"),
        (httpx.Response(200, json=VIEW | {"watermark": True}), "watermark must be a whole number"),
        (httpx.Response(200, json=VIEW | {"watermark": 2**53}), "watermark must be a whole number"),
        (httpx.Response(200, json=VIEW | {"central_time": "2026-05-04T12:00:00"}), "offset"),
        (httpx.Response(200, headers=JSON, content=b"1" * (ANSWER_BYTES_MAX + 1)), "exceeds"),
        (
            httpx.Response(200, headers=JSON | {"Content-Encoding": "gzip"}, content=gzip.compress(b"{}")),
            "compressed although identity",
        ),
        (httpx.Response(200, headers=JSON | {"Content-Encoding": "br"}, stream=httpx.ByteStream(b"x")), "compressed"),
    ],
)
def test_whatever_is_not_an_answer_of_central_is_nonsense(response: httpx.Response, text: str) -> None:
    with pytest.raises(AnswerNonsense, match=text):
        asked(response)


def upload_answer(outcomes: object) -> UploadAnswer:
    """What is understood of an answer to an upload."""
    document = {
        "epoch": "e",
        "watermark": 2,
        "watermark_hash": "00",
        "outcomes": outcomes,
        "central_time": NOW.isoformat(),
    }
    body = json.dumps(document).encode()
    answer = Answer(status=200, media_type="application/json", retry_after=None, body=body)
    return parse(UploadAnswer, answer, NOW)


def test_that_an_entry_was_applied_is_no_news_and_everything_else_is() -> None:
    applied, rejected = ({"seq": seq, "id": "x", "outcome": what} for seq, what in ((1, "applied"), (2, "rejected")))
    found = upload_answer([applied, rejected, applied])
    assert [(one.seq, one.outcome) for one in found.outcomes] == [(2, "rejected")]


@pytest.mark.parametrize("outcomes", [None, "applied", {"outcome": "applied"}, ["applied"], [{"outcome": []}], [{}]])
def test_outcomes_that_are_none_are_nonsense(outcomes: object) -> None:
    with pytest.raises(AnswerNonsense, match="outcomes"):
        upload_answer(outcomes)


def test_fields_of_a_later_release_are_left_out() -> None:
    later = httpx.Response(200, json=VIEW | {"surprise": {"deep": [1]}})
    assert asked(later).watermark == 7


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\nb", "a\x00b", "a\u202eb"])
def test_no_control_character_of_a_refusal_reaches_the_status(text: str) -> None:
    with pytest.raises(CentralRefused) as caught:
        asked(problem({"type": text, "detail": text}))
    assert str(caught.value).isprintable()


def test_a_body_without_an_end_is_cut_at_the_cap() -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65_536

    with pytest.raises(AnswerNonsense, match="exceeds"):
        asked(httpx.Response(200, headers=JSON, content=endless()))
    assert sent <= ANSWER_BYTES_MAX // 65_536 + 2


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("no route"), httpx.ReadTimeout(""), httpx.RemoteProtocolError("x")]
)
def test_no_answer_is_unreachable(error: Exception) -> None:
    with pytest.raises(CentralUnreachable):
        asked(error)


def test_a_problem_document_is_a_refusal() -> None:
    with pytest.raises(CentralRefused) as caught:
        asked(problem({"type": "urn:loyalty:problem:fork", "detail": "another life", "status": 409}))
    refused = caught.value
    assert (refused.problem, refused.detail, refused.status, refused.retry_after_s) == (
        "fork",
        "another life",
        409,
        None,
    )


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"', b"7", b"{}", b"{", b'{"detail": "no type"}', b"\xff"])
def test_a_broken_problem_document_is_nonsense(body: bytes) -> None:
    with pytest.raises(AnswerNonsense, match="problem document that cannot be read"):
        asked(problem(body))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("999999999999999999999", 3_600),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3_600),
        ("Mon, 04 May 2026 12:01:30 -0000", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_capped(text: str, seconds: int | None) -> None:
    with pytest.raises(CentralRefused) as caught:
        asked(problem({"type": "urn:loyalty:problem:too-many-requests"}, 429, **{"Retry-After": text}))
    assert caught.value.retry_after_s == seconds


@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_no_retry_after_breaks_the_reader(text: str) -> None:
    with pytest.raises(CentralRefused) as caught:
        asked(problem({"type": "urn:loyalty:problem:too-many-requests"}, 429, **{"Retry-After": text.strip()}))
    assert caught.value.retry_after_s is None or 0 <= caught.value.retry_after_s <= 3_600


@given(body=st.binary(max_size=200), media_type=st.sampled_from((JSON, PROBLEM, {})), status=st.integers(200, 599))
def test_no_answer_raises_anything_but_a_failure_of_central(body: bytes, media_type: Any, status: int) -> None:
    with pytest.raises(CentralFailure):
        asked(httpx.Response(status, headers=media_type, content=body))


async def test_the_asynchronous_twin_reads_the_same_way() -> None:
    async def ask(response: httpx.Response) -> JournalView:
        transport = httpx.MockTransport(lambda request: as_sent(response))
        async with httpx.AsyncClient(transport=transport, base_url="http://central") as client:
            call = Call(method="GET", path="/")
            return parse(JournalView, await receive_async(client, call.request(client, None)), NOW)

    assert (await ask(httpx.Response(200, json=VIEW))).watermark == 7
    with pytest.raises(AnswerNonsense, match="exceeds"):
        await ask(httpx.Response(200, headers=JSON, content=b"1" * (ANSWER_BYTES_MAX + 1)))


def test_a_query_is_quoted() -> None:
    assert (
        json_call("GET", "/v1/changes", cursor="a&b=ç/ ", limit=5).path
        == "/v1/changes?cursor=a%26b%3D%C3%A7%2F%20&limit=5"
    )


def test_an_upload_is_signed_over_exactly_what_is_sent(memory: TerminalMemory) -> None:
    memory.sell()
    memory.run(memory.sale_command(memory.sale_request(alias="CARD-1")))
    with memory.store.reading() as connection:
        mark, batch = watermark(connection), queue_batch(connection, 1, 10, 10**6)
    call = upload_call(memory.identity, mark, batch)
    lines = list(split_upload(call.content))
    assert [line.entry for line in lines] == [data for _, data, _ in memory.chain()[1:]]
    assert lines[0].sealed is None
    assert lines[1].sealed is not None
    assert attachment_hash(lines[1].sealed) == memory.entries()[2].attachment_hash
    message = upload_signing_input(
        terminal="till-1",
        journal=memory.journal,
        epoch="epoch-1",
        first_seq=2,
        head_seq=3,
        head_hash=memory.chain()[-1][2],
        body=call.content,
    )
    public_key = Ed25519PublicKey.from_public_bytes(public_key_of(memory.identity.private_key))
    public_key.verify(bytes.fromhex(call.headers["Loyalty-Signature"]), message)
    assert (call.headers["Loyalty-First-Seq"], call.headers["Loyalty-Head-Seq"]) == ("2", "3")
