"""The flow of one call, driven by hand: every reply that can come, and how often the call is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk._answers import Answer, AnswerHead
from loyalty_sdk._flow import Call, Effect, Failure, RetryPolicy, Send, exchange
from loyalty_sdk._peer import agent_peer
from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import (
    AgentFailure,
    AgentUnreachable,
    Busy,
    InvalidRequest,
    JournalUnavailable,
    LoyaltyError,
    OutcomeUnknown,
    ReceiptConflict,
)
from loyalty_sdk.model import PrintJob

DONE = PrintJob(job_id="7", state="printed")
REFUSED = Failure(sent=False, text="Connection refused")
LOST = Failure(sent=True, text="Connection reset")
LATE = Failure(sent=True, text="it took too long", timed_out=True)
POLICY = RetryPolicy()
AGENT = agent_peer("unix:/a", "start it")


def answer(value: object) -> Answer:
    return Answer(head=AnswerHead(status=200, media_type="application/json"), body=dumps(value))


def problem(error: type[LoyaltyError]) -> Answer:
    head = AnswerHead(status=error.status, media_type="application/problem+json", request_id="r-1")
    return Answer(head=head, body=dumps({"type": error.type, "detail": "as the agent says"}))


def run(effect: Effect, *replies: Answer | Failure) -> tuple[PrintJob | LoyaltyError, int, list[float]]:
    """Drive a call; return its result or error, how often it was sent, and the pauses."""
    call = Call(name="print_receipt", method="POST", path="/x", answer=PrintJob, effect=effect)
    flow = exchange(call, AGENT, POLICY, lambda: 0.5)
    left, sent, pauses = list(replies), 0, []
    try:
        step = next(flow)
        while True:
            if isinstance(step, Send):
                assert step.call is call
                sent += 1
                step = flow.send(left.pop(0))
            else:
                pauses.append(step.seconds)
                step = flow.send(None)
    except StopIteration as stop:
        return stop.value, sent, pauses
    except LoyaltyError as error:
        return error, sent, pauses


@pytest.mark.parametrize("effect", ["question", "keyed", "every_time"])
def test_an_answer_is_the_result(effect: Effect) -> None:
    assert run(effect, answer(DONE)) == (DONE, 1, [])


@pytest.mark.parametrize("first", [REFUSED, LOST, LATE, problem(Busy), problem(OutcomeUnknown)])
def test_a_keyed_call_is_sent_again_as_it_was(first: Any) -> None:
    result, sent, pauses = run("keyed", first, first, answer(DONE))
    assert (result, sent, len(pauses)) == (DONE, 3, 2)


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([REFUSED] * 4, AgentUnreachable),
        ([LOST] * 4, OutcomeUnknown),
        ([LOST, REFUSED, REFUSED, REFUSED], OutcomeUnknown),
        ([REFUSED, REFUSED, REFUSED, LATE], OutcomeUnknown),
        ([problem(Busy)] * 4, Busy),
        ([LOST, problem(Busy), problem(Busy), problem(Busy)], OutcomeUnknown),
        ([problem(OutcomeUnknown), problem(Busy), problem(Busy), problem(Busy)], OutcomeUnknown),
    ],
)
def test_a_keyed_call_ends_after_its_attempts(replies: list[Any], error: type[LoyaltyError]) -> None:
    result, sent, pauses = run("keyed", *replies)
    assert (type(result), sent, len(pauses)) == (error, POLICY.attempts_max, POLICY.attempts_max - 1)


@pytest.mark.parametrize("error", [InvalidRequest, ReceiptConflict, JournalUnavailable, AgentFailure])
def test_a_refusal_is_final(error: type[LoyaltyError]) -> None:
    result, sent, _ = run("keyed", problem(error))
    assert (type(result), sent) == (error, 1)
    assert isinstance(result, error)
    assert (str(result), result.request_id) == ("as the agent says", "r-1")


def test_a_refusal_after_a_lost_answer_is_final_too() -> None:
    result, sent, _ = run("keyed", LOST, problem(ReceiptConflict))
    assert (type(result), sent) == (ReceiptConflict, 2)


@pytest.mark.parametrize(
    ("replies", "sent"),
    [([REFUSED, REFUSED], 2), ([LOST, REFUSED], 2), ([LOST, LOST], 2), ([LATE], 1)],
)
def test_a_question_never_ends_in_doubt(replies: list[Any], sent: int) -> None:
    result, count, _ = run("question", *replies)
    assert (type(result), count) == (AgentUnreachable, sent)


def test_what_happens_every_time_is_never_repeated_once_it_may_have_arrived() -> None:
    result, sent, _ = run("every_time", LOST)
    assert (type(result), sent) == (OutcomeUnknown, 1)
    assert "look at the printer" in str(result)
    assert run("every_time", REFUSED, problem(Busy), answer(DONE))[:2] == (DONE, 3)


def test_the_texts_name_address_and_remedy() -> None:
    assert str(run("keyed", *[REFUSED] * 4)[0]) == (
        "no agent at unix:/a (Connection refused); nothing was recorded; start it"
    )
    assert "repeat it with the same content" in str(run("keyed", *[LOST] * 4)[0])


replies = st.sampled_from((REFUSED, LOST, LATE, problem(Busy), problem(OutcomeUnknown), problem(InvalidRequest)))


@given(st.sampled_from(("question", "keyed", "every_time")), st.lists(replies, min_size=4, max_size=4))
def test_no_call_that_may_be_recorded_ends_as_if_it_were_not(effect: Effect, script: list[Any]) -> None:
    result, sent, pauses = run(effect, *script)
    assert isinstance(result, LoyaltyError)
    in_doubt = any(reply in (LOST, LATE) for reply in script[:sent])
    if effect != "question" and in_doubt and not isinstance(result, InvalidRequest):
        assert isinstance(result, OutcomeUnknown)
    assert sent <= POLICY.attempts_max
    assert len(pauses) == sent - 1


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_are_bounded_and_never_nothing(failures: int, fraction: float) -> None:
    assert POLICY.pause_first_s / 2 <= POLICY.pause_s(failures, fraction) <= POLICY.pause_max_s


def busy(retry_after_s: float) -> Answer:
    found = problem(Busy)
    return replace(found, head=replace(found.head, retry_after_s=retry_after_s))


def test_a_pause_that_the_peer_asks_for_is_kept_up_to_a_limit() -> None:
    assert run("keyed", busy(3), answer(DONE)) == (DONE, 2, [3.075])
    result, sent, pauses = run("keyed", busy(POLICY.retry_after_max_s + 1), answer(DONE))
    assert (type(result), sent, pauses) == (Busy, 1, [])
    assert isinstance(result, Busy)
    assert result.retry_after_s == 11


def test_a_page_of_a_gateway_is_no_answer_of_an_agent() -> None:
    page = Answer(head=AnswerHead(status=502, media_type="text/html"), body=b"Bad Gateway")
    result, sent, _ = run("keyed", page)
    assert (type(result), sent) == (AgentFailure, 1)
