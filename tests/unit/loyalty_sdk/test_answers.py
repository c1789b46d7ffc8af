from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk._answers import Answer, AnswerHead, BoundedBody, read_answer, refuse_head
from loyalty_sdk._peer import AGENT_ANSWER_BYTES_MAX, agent_peer
from loyalty_sdk.errors import AgentFailure, LoyaltyError
from loyalty_sdk.local import PrintJobs
from loyalty_sdk.model import PrintJob, Quote, ReceiptKey

AGENT = agent_peer("http://a", "start it")
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def read(body: bytes, media_type: str = "application/json", status: int = 200) -> PrintJob:
    head = AnswerHead(status=status, media_type=media_type, request_id="r-1")
    return read_answer(PrintJob, Answer(head=head, body=body), AGENT)


def test_an_answer_is_read_as_its_class() -> None:
    assert read(b'{"job_id":"1","state":"queued"}') == PrintJob(job_id="1", state="queued")


def test_fields_of_a_later_agent_are_left_out_wherever_they_stand() -> None:
    receipt = b'{"store":"1","register":"2","business_date":"2026-05-01","series":"","number":"7","zone":"A"}'
    job = read(b'{"job_id":"1","state":"queued","more":1,"receipt":' + receipt + b"}")
    assert job.receipt == ReceiptKey(store="1", register="2", business_date=date(2026, 5, 1), series="", number="7")
    head = AnswerHead(status=200, media_type="application/json")
    jobs = read_answer(PrintJobs, Answer(head=head, body=b'{"jobs":[{"job_id":"1","state":"sent","x":[]}]}'), AGENT)
    assert jobs.jobs == (PrintJob(job_id="1", state="sent"),)


@pytest.mark.parametrize(
    ("body", "media_type", "status", "says"),
    [
        (b"<html>It works!</html>", "text/html", 200, "It works!"),
        (b"<html>Not Found</html>", "text/html", 404, "answered 404"),
        (b'{"job_id":"1","state":"queued"}', "text/plain", 200, "text/plain"),
        (b'{"job_id":"1"', "application/json", 200, "does not read as PrintJob: not JSON"),
        (b'{"job_id":"1","state":"lost"}', "application/json", 200, "state must be one of"),
        (b"", "application/json", 200, "not JSON"),
        (b"", "", 302, "no content type"),
        (b"{", "application/problem+json", 500, "answered 500"),
        (b"[]", "application/problem+json", 500, "answered 500"),
        (b'{"type":7}', "application/problem+json", 500, "answered 500"),
    ],
)
def test_what_is_no_agents_answer_is_said_clearly(body: bytes, media_type: str, status: int, says: str) -> None:
    with pytest.raises(AgentFailure, match=says) as raised:
        read(body, media_type, status)
    assert "http://a answered" in str(raised.value)
    assert "same release" in str(raised.value)
    assert raised.value.request_id == "r-1"


def test_a_basket_that_does_not_add_up_in_an_answer_is_the_agents_failure() -> None:
    head = AnswerHead(status=200, media_type="application/json")
    quote = b'{"basket":{"currency":"EUR","lines":[],"total_minor":0},"member_id":null,"points_earned":0,"rewards":[],'
    quote += b'"programme_version":1,"snapshot_revision":null,"balance":null,"as_of":null}'
    with pytest.raises(AgentFailure, match="1 to 2000 lines"):
        read_answer(Quote, Answer(head=head, body=quote), AGENT)


def test_a_problem_without_detail_still_says_something() -> None:
    with pytest.raises(LoyaltyError, match="the agent answered 503"):
        read(b'{"type":"urn:loyalty:problem:busy"}', "application/problem+json", 503)


def test_a_long_detail_is_cut() -> None:
    body = b'{"type":"x","detail":"' + b"x" * 100_000 + b'"}'
    with pytest.raises(AgentFailure) as raised:
        read(body, "application/problem+json", 500)
    assert len(str(raised.value)) == 2_000


@given(st.binary(max_size=60), st.sampled_from(("application/json", "application/problem+json")), st.integers(200, 599))
def test_no_bytes_raise_anything_but_an_error_of_the_sdk(body: bytes, media_type: str, status: int) -> None:
    with pytest.raises(LoyaltyError):
        read(body, media_type, status)


def test_a_body_has_a_limit() -> None:
    body = BoundedBody(AGENT)
    for _ in range(4):
        body.add(b"x" * (AGENT_ANSWER_BYTES_MAX // 4))
    assert len(body.whole()) == AGENT_ANSWER_BYTES_MAX
    with pytest.raises(AgentFailure, match="exceeds 4000000 bytes"):
        body.add(b"x")


def test_an_encoded_body_is_not_even_read() -> None:
    head = AnswerHead.of(200, {"content-type": "application/json; charset=utf-8", "content-encoding": "gzip"}, NOW)
    assert head.media_type == "application/json"
    with pytest.raises(AgentFailure, match="encoded as 'gzip'"):
        refuse_head(head, AGENT)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("9" * 40, 999_999_999),
        ("Fri, 01 May 2026 00:00:30 GMT", 30),
        ("Thu, 30 Apr 2026 00:00:00 GMT", 0),
        ("-5", None),
        ("1.5", None),
        ("², soon", None),
        ("Fri, 01 May 2026 00:00:30", None),
        (None, None),
    ],
)
def test_how_long_a_peer_wants_to_be_left_alone(text: str | None, seconds: float | None) -> None:
    headers = {} if text is None else {"retry-after": text}
    assert AnswerHead.of(503, headers, NOW).retry_after_s == seconds
