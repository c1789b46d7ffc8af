from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk._answers import AnswerHead
from loyalty_sdk._events import (
    EVENT_BYTES_MAX,
    Deliver,
    EventDecoder,
    Listen,
    Read,
    ScanFlow,
    ServerEvent,
    listen,
    till_event,
)
from loyalty_sdk._flow import Failure, Pause, RetryPolicy
from loyalty_sdk._peer import agent_peer
from loyalty_sdk.codec import CodecError, dumps
from loyalty_sdk.errors import AccessRefused, AgentFailure
from loyalty_sdk.model import Scan, ScannerStatus

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
AGENT = agent_peer("unix:/a", "start it")
STREAM = AnswerHead(status=200, media_type="text/event-stream")
SCAN = b"event: scan\ndata: " + dumps(Scan(data="4711")) + b"\n\n"
SAMPLE = (
    '\ufeffevent: scan\ndata: {"a": 1}\n\n: keep-alive\n\ndata:one\r\ndata: two\r\n\r\n'
    "event: empty\n\nid: 7\nretry: 10\nevent:é€\rdata\r\rdata:  kept space\n\n"
).encode()
EVENTS = [
    ServerEvent("scan", '{"a": 1}'),
    ServerEvent("message", "one\ntwo"),
    ServerEvent("é€", ""),
    ServerEvent("message", " kept space"),
]


def decoded(chunks: list[bytes]) -> list[ServerEvent]:
    decoder = EventDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def test_the_standard_is_followed() -> None:
    assert decoded([SAMPLE]) == EVENTS


@given(st.lists(st.integers(0, len(SAMPLE)), max_size=8))
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(SAMPLE)]
    assert decoded([SAMPLE[start:end] for start, end in pairwise(bounds)]) == EVENTS


def test_single_bytes_give_the_same_events() -> None:
    assert decoded([bytes([byte]) for byte in SAMPLE]) == EVENTS


def test_half_an_event_is_no_event() -> None:
    assert decoded([SCAN[:-1]]) == []


@pytest.mark.parametrize("piece", [b"x" * 1_000, b"data: " + b"x" * 1_000 + b"\n"])
def test_an_event_has_a_limit(piece: bytes) -> None:
    with pytest.raises(CodecError, match="exceeds"):
        decoded([piece] * (EVENT_BYTES_MAX // 1_000 + 2))


def test_many_small_events_have_no_limit() -> None:
    assert len(decoded([SCAN] * 2_000)) == 2_000


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_noise_raises_nothing(chunks: list[bytes]) -> None:
    assert isinstance(decoded(chunks), list)


def test_events_for_others_are_passed_over() -> None:
    assert till_event(ServerEvent("status", "not even JSON")) is None
    assert till_event(ServerEvent("message", "{}")) is None


def test_fields_of_a_later_agent_are_left_out() -> None:
    assert till_event(ServerEvent("scan", '{"data":"4711","angle":90}')) == Scan(data="4711")


def test_a_malformed_scan_is_refused_with_its_place() -> None:
    with pytest.raises(CodecError, match=r"scan\.data is missing"):
        till_event(ServerEvent("scan", "{}"))


def steps(replies: list[Any]) -> list[Any]:
    """Drive the flow by hand until the replies are used up: each Listen and Read takes the next one."""
    flow: ScanFlow = listen(AGENT, RetryPolicy(), lambda: 0.999, lambda: NOW)
    seen: list[Any] = []
    step = next(flow)
    while replies or not isinstance(step, Listen | Read):
        seen.append(step)
        step = flow.send(replies.pop(0) if isinstance(step, Listen | Read) else None)
    return seen


def delivered(seen: list[Any]) -> list[str]:
    events = [step.event for step in seen if isinstance(step, Deliver)]
    return [event.data if isinstance(event, Scan) else getattr(event, "state", "") for event in events]


GONE = Failure(sent=False, text="Connection refused")


def test_scans_are_delivered_in_order() -> None:
    seen = steps([STREAM, SCAN + SCAN, SCAN])
    assert delivered(seen) == ["4711"] * 3


def test_a_lost_agent_is_said_once_and_its_return_once() -> None:
    seen = steps([STREAM, GONE, GONE, GONE, STREAM, SCAN])
    assert delivered(seen) == ["offline", "online", "4711"]


def test_the_pauses_grow_up_to_their_limit_and_start_anew() -> None:
    seen = steps([GONE] * 9 + [STREAM, SCAN, GONE])
    pauses = [step.seconds for step in seen if isinstance(step, Pause)]
    assert pauses[:9] == sorted(pauses[:9])
    assert max(pauses) <= RetryPolicy().pause_max_s
    assert pauses[9] < pauses[8]


def test_a_stream_that_ends_at_once_is_not_opened_again_and_again_without_growing_pauses() -> None:
    seen = steps([STREAM, GONE] * 6)
    pauses = [step.seconds for step in seen if isinstance(step, Pause)]
    assert pauses[3] > pauses[0]


def test_the_reason_names_address_and_remedy() -> None:
    event = next(step.event for step in steps([GONE, GONE]) if isinstance(step, Deliver))
    assert isinstance(event, ScannerStatus)
    assert event.reason == "unix:/a: Connection refused; start it"


def test_an_event_that_does_not_read_is_said_and_costs_itself_alone() -> None:
    seen = steps([STREAM, b'event: scan\ndata: {"data":"1","kind":"of a later release"}\n\n' + SCAN])
    assert delivered(seen) == ["online", "4711"]
    told = next(step.event for step in seen if isinstance(step, Deliver))
    assert isinstance(told, ScannerStatus)
    assert "scan.kind must be one of" in told.reason
    assert "same release" in told.reason


def test_a_stream_that_does_not_read_is_said_and_opened_again() -> None:
    seen = steps([STREAM, b"data: " + b"x" * EVENT_BYTES_MAX, STREAM, SCAN])
    assert delivered(seen) == ["offline", "online", "4711"]


def test_a_refusal_is_raised() -> None:
    head = AnswerHead(status=401, media_type="application/problem+json")
    with pytest.raises(AccessRefused, match="no such token"):
        steps([head, b'{"type":"urn:loyalty:problem:access-refused","detail":"no such token"}'])


def test_a_busy_agent_is_asked_again() -> None:
    head = AnswerHead(status=503, media_type="application/problem+json")
    seen = steps([head, b'{"type":"urn:loyalty:problem:busy","detail":"full"}', STREAM, SCAN])
    assert delivered(seen) == ["offline", "online", "4711"]


def test_something_else_than_an_agent_is_refused() -> None:
    with pytest.raises(AgentFailure, match="check that the address"):
        steps([AnswerHead(status=200, media_type="text/html"), b"<p>"])


def scan_at(seconds: float) -> bytes:
    scan = Scan(data="4711", scanner="counter", scanned_at=NOW + timedelta(seconds=seconds))
    return b"event: scan\ndata: " + dumps(scan) + b"\n\n"


def clock_at(seconds: float) -> bytes:
    return b"event: clock\ndata: " + dumps({"now": NOW + timedelta(seconds=seconds)}) + b"\n\n"


def test_a_scan_that_waited_for_the_pos_is_dropped_and_told() -> None:
    seen = steps([STREAM, clock_at(0), scan_at(-4.9), scan_at(-6)])
    assert delivered(seen) == ["4711", "online"]
    told = [step.event for step in seen if isinstance(step, Deliver)][-1]
    assert isinstance(told, ScannerStatus)
    assert told.scanner == "counter"
    assert "waited 6 s" in told.reason


def test_the_age_of_a_scan_is_told_by_the_clock_of_the_agent() -> None:
    assert delivered(steps([STREAM, clock_at(-3_600), scan_at(-3_601)])) == ["4711"], "its clock is an hour behind"
    assert delivered(steps([STREAM, clock_at(3_600), scan_at(3_590)])) == ["online"], "or ahead"


def test_without_the_clock_of_the_agent_every_scan_is_let_through() -> None:
    assert delivered(steps([STREAM, scan_at(-3_600)])) == ["4711"]
