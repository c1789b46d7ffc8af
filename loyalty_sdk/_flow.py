"""One call to the agent as a generator: it yields what to send and how long to pause, and receives what came of it.

No I/O. `_blocking` and `_awaiting` drive a flow with httpx; a test drives it by hand.

    Send ──► Answer   final: it is read, and is the call's result or its error
         ├─► Answer   the agent says busy or outcome-unknown: pause, send the same again
         └─► Failure  nothing was sent, or the answer was lost: pause, send the same again
    Attempts are bounded. What was possibly recorded ends as OutcomeUnknown, what was not as AgentUnreachable.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from loyalty_sdk._answers import Answer, is_transient, is_unknown, read_answer
from loyalty_sdk.errors import AgentUnreachable, LoyaltyError, OutcomeUnknown

__all__ = ["Call", "Failure", "Flow", "Pause", "RetryPolicy", "Send", "exchange"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A question to the agent and the class of its answer.

    `effect` says what a repetition does: a `question` changes nothing, a `keyed` call is recorded once under its key,
    `every_time` happens again and is therefore never repeated once it may have arrived.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    answer: type[T]
    effect: Literal["question", "keyed", "every_time"]
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Send:
    """Send the call and reply with its Answer or Failure."""

    call: Call[Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds and reply with None."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """No answer: `sent` says whether the agent may have received the call, `text` what went wrong."""

    sent: bool
    text: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a call is sent in all, and the pauses between: doubled up to a limit, each cut down by chance."""

    attempts_max: int = 4
    question_attempts_max: int = 2
    pause_first_s: float = 0.1
    pause_max_s: float = 2.0

    def pause_s(self, failures: int, fraction: float) -> float:
        """Return the pause after so many failures in a row, from 1; `fraction` is from 0 up to 1."""
        limit = min(self.pause_max_s, self.pause_first_s * float(1 << min(failures - 1, 30)))
        return limit * (0.5 + fraction / 2)


Flow = Generator[Send | Pause, Answer | Failure | None, T]


def exchange(call: Call[T], address: str, remedy: str, policy: RetryPolicy, fraction: Callable[[], float]) -> Flow[T]:
    """Ask until there is a final answer or the attempts are used up. Raises the errors of `loyalty_sdk.errors`."""
    attempts = policy.question_attempts_max if call.effect == "question" else policy.attempts_max
    perhaps_recorded = False
    failures = 0
    while True:
        reply = yield Send(call)
        assert reply is not None  # a Send is answered, a Pause is not
        if isinstance(reply, Answer) and not is_transient(reply):
            return read_answer(call.answer, reply, address)
        failures += 1
        perhaps_recorded = perhaps_recorded or _perhaps_recorded(call, reply)
        if failures >= attempts or _must_stop(call, reply):
            break
        yield Pause(policy.pause_s(failures, fraction()))
    raise _final_error(call, reply, address, remedy, perhaps_recorded)


def _perhaps_recorded(call: Call[T], reply: Answer | Failure) -> bool:
    lost = reply.sent if isinstance(reply, Failure) else is_unknown(reply)
    return lost and call.effect != "question"


def _must_stop(call: Call[T], reply: Answer | Failure) -> bool:
    """A question that timed out is not asked again, since the customer waits; what happens every time never is."""
    if isinstance(reply, Answer):
        return False
    return (call.effect == "question" and reply.timed_out) or (call.effect == "every_time" and reply.sent)


def _final_error(
    call: Call[T], reply: Answer | Failure, address: str, remedy: str, perhaps_recorded: bool
) -> LoyaltyError:
    if perhaps_recorded:
        return OutcomeUnknown(_outcome_text(call, address))
    if isinstance(reply, Answer):
        return _error_of(call, reply, address)
    if reply.sent:
        return AgentUnreachable(f"the agent at {address} gave no answer to {call.name} ({reply.text}); {remedy}")
    return AgentUnreachable(f"no agent at {address} ({reply.text}); nothing was recorded; {remedy}")


def _outcome_text(call: Call[T], address: str) -> str:
    if call.effect == "every_time":
        return f"the agent at {address} took {call.name} and did not answer; look at the printer before repeating it"
    return (
        f"the answer of the agent at {address} was lost: {call.name} may or may not be recorded; repeat it with the "
        "same content, which is never counted twice"
    )


def _error_of(call: Call[T], answer: Answer, address: str) -> LoyaltyError:
    try:
        read_answer(call.answer, answer, address)
    except LoyaltyError as error:
        return error
    raise AssertionError("a transient answer is a problem document")
