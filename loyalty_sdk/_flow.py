"""One call as a generator: it yields what to send and how long to pause, and receives what came of it.

No I/O. `_blocking` and `_awaiting` drive a flow with httpx; a test drives it by hand. The peer is the agent or central.

    Send ──► Answer   final: it is read, and is the call's result or its error
         ├─► Answer   the peer says busy or outcome-unknown: pause, send the same again
         └─► Failure  nothing was sent, or the answer was lost: pause, send the same again
    Attempts are bounded, and so is a pause that the peer asks for: a longer one ends the call with its error.
    What was possibly recorded ends as OutcomeUnknown, what was not as the peer's `unreachable`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from loyalty_sdk._answers import Answer, is_transient, is_unknown, problem_of, read_answer
from loyalty_sdk._peer import Peer
from loyalty_sdk.errors import LoyaltyError, OutcomeUnknown

__all__ = ["Call", "Effect", "Failure", "Flow", "Pause", "RetryPolicy", "Send", "exchange"]

T = TypeVar("T")

Effect = Literal["question", "keyed", "every_time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A question to a peer and the class of its answer.

    `effect` says what a repetition does: a `question` changes nothing, a `keyed` call is recorded once under its key,
    `every_time` happens again and is therefore never repeated once it may have arrived. `idempotency_key` is that key
    where it travels as a header; an empty one is made when the call begins, None says that the body holds the key.

    `known` is what the caller has of the answer already: `not modified` gives it back.
    """

    name: str
    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    answer: type[T]
    effect: Effect
    body: bytes = b""
    media_type: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    known: T | None = None
    public: bool = False


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
    """No answer: `sent` says whether the peer may have received the call, `text` what went wrong."""

    sent: bool
    text: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a call is sent in all, and the pauses between: doubled up to a limit, each cut down by chance.

    Where the peer says how long it wants to be left alone, the pause is that long, and above `retry_after_max_s` the
    call ends.
    """

    attempts_max: int = 4
    question_attempts_max: int = 2
    pause_first_s: float = 0.1
    pause_max_s: float = 2.0
    retry_after_max_s: float = 10.0

    def pause_s(self, failures: int, fraction: float) -> float:
        """Return the pause after so many failures in a row, from 1; `fraction` is from 0 up to 1."""
        limit = min(self.pause_max_s, self.pause_first_s * float(1 << min(failures - 1, 30)))
        return limit * (0.5 + fraction / 2)


Flow = Generator[Send | Pause, Answer | Failure | None, T]


def exchange(call: Call[T], peer: Peer, policy: RetryPolicy, fraction: Callable[[], float]) -> Flow[T]:
    """Ask until there is a final answer or the attempts are used up. Raises the errors of `loyalty_sdk.errors`."""
    attempts = policy.question_attempts_max if call.effect == "question" else policy.attempts_max
    perhaps_recorded = False
    failures = 0
    while True:
        reply = yield Send(call)
        assert reply is not None  # a Send is answered, a Pause is not
        if isinstance(reply, Answer) and not is_transient(reply, peer):
            return read_answer(call.answer, reply, peer, known=call.known)
        failures += 1
        perhaps_recorded = perhaps_recorded or _perhaps_recorded(call, reply, peer)
        wanted_s = (reply.head.retry_after_s or 0.0) if isinstance(reply, Answer) else 0.0
        if failures >= attempts or wanted_s > policy.retry_after_max_s or _must_stop(call, reply):
            break
        yield Pause(wanted_s + policy.pause_s(failures, fraction()))
    raise _final_error(call, reply, peer, perhaps_recorded)


def _perhaps_recorded(call: Call[T], reply: Answer | Failure, peer: Peer) -> bool:
    lost = reply.sent if isinstance(reply, Failure) else is_unknown(reply, peer)
    return lost and call.effect != "question"


def _must_stop(call: Call[T], reply: Answer | Failure) -> bool:
    """A question that timed out is not asked again, since the customer waits; what happens every time never is."""
    if isinstance(reply, Answer):
        return False
    return (call.effect == "question" and reply.timed_out) or (call.effect == "every_time" and reply.sent)


def _final_error(call: Call[T], reply: Answer | Failure, peer: Peer, perhaps_recorded: bool) -> LoyaltyError:
    if perhaps_recorded:
        return OutcomeUnknown(_outcome_text(call, peer), idempotency_key=call.idempotency_key)
    if isinstance(reply, Answer):
        error = problem_of(reply, peer)
        error.idempotency_key = call.idempotency_key
        return error
    if reply.sent:
        return peer.unreachable(
            f"{peer.name} at {peer.address} gave no answer to {call.name} ({reply.text}); {peer.remedy}"
        )
    return peer.unreachable(f"no {peer.noun} at {peer.address} ({reply.text}); nothing was recorded; {peer.remedy}")


def _outcome_text(call: Call[T], peer: Peer) -> str:
    if call.effect == "every_time":
        return (
            f"{peer.name} at {peer.address} took {call.name} and did not answer; look at the printer before "
            "repeating it"
        )
    again = f"with idempotency_key={call.idempotency_key!r} and the same content"
    return (
        f"the answer of {peer.name} at {peer.address} was lost: {call.name} may or may not be recorded; repeat it "
        f"{'with the same content' if call.idempotency_key is None else again}, which is never counted twice"
    )
