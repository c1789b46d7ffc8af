"""What the agent answered, as data, and its reading: a value of the vocabulary or one error of the SDK. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from loyalty_sdk.codec import CodecError, decode_tolerant, loads
from loyalty_sdk.errors import AgentFailure, Busy, LoyaltyError, OutcomeUnknown, error_class

__all__ = [
    "ANSWER_BYTES_MAX",
    "Answer",
    "AnswerHead",
    "BoundedBody",
    "is_transient",
    "is_unknown",
    "read_answer",
    "refuse_head",
]

# A quote holds the basket that was asked about, which is at most BODY_BYTES_MAX.
ANSWER_BYTES_MAX = 4_000_000
DETAIL_LENGTH_MAX = 2_000
_PROBLEM_TYPE = "application/problem+json"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """Status and the headers that matter; `media_type` is without parameters and in lower case."""

    status: int
    media_type: str
    content_encoding: str = "identity"
    request_id: str | None = None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str]) -> AnswerHead:
        """Make a head from a response; `headers` finds names in any case."""
        return cls(
            status=status,
            media_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
            content_encoding=headers.get("content-encoding", "identity").strip().lower(),
            request_id=headers.get("loyalty-request-id"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer; its body is at most ANSWER_BYTES_MAX."""

    head: AnswerHead
    body: bytes


class BoundedBody:
    """Collects a body and refuses more than `limit` bytes, so that no peer fills the till's memory."""

    def __init__(self, limit: int = ANSWER_BYTES_MAX) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self._length = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes. Raises AgentFailure above the limit."""
        self._length += len(chunk)
        if self._length > self._limit:
            raise AgentFailure(f"the answer exceeds {self._limit} bytes and is no agent's; check the agent's address")
        self._chunks.append(chunk)

    def whole(self) -> bytes:
        """Return what has come."""
        return b"".join(self._chunks)


def refuse_head(head: AnswerHead, address: str) -> None:
    """Refuse an answer whose body must not even be read. Raises AgentFailure."""
    if head.content_encoding != "identity":
        raise _not_an_agent(head, address, f"it is encoded as {head.content_encoding!r}, which nobody asked for")


def is_transient(answer: Answer) -> bool:
    """True where the same call may succeed shortly: the agent is busy, or does not know the outcome itself."""
    return answer.head.status >= 400 and _problem_class(answer) in (Busy, OutcomeUnknown)


def is_unknown(answer: Answer) -> bool:
    """True where the agent says that it may or may not have recorded the call."""
    return answer.head.status >= 400 and _problem_class(answer) is OutcomeUnknown


def read_answer(cls: type[T], answer: Answer, address: str) -> T:
    """Return the answer as `cls`, without what an agent of a later release adds to it.

    Raises the error that a problem document names, AgentFailure for anything else.
    """
    if answer.head.status >= 400:
        raise _problem(answer, address)
    if answer.head.status != 200 or answer.head.media_type != "application/json":
        raise _not_an_agent(answer.head, address, _shown(answer))
    try:
        return decode_tolerant(cls, loads(answer.body))
    except (CodecError, LoyaltyError) as error:
        text = f"it does not read as {cls.__name__}: {error}"
        raise _not_an_agent(answer.head, address, text) from None


def _problem(answer: Answer, address: str) -> LoyaltyError:
    document = _problem_document(answer)
    if document is None:
        return _not_an_agent(answer.head, address, _shown(answer))
    detail = document.get("detail") or document.get("title") or f"the agent answered {answer.head.status}"
    return error_class(str(document["type"]))(str(detail)[:DETAIL_LENGTH_MAX], request_id=answer.head.request_id)


def _problem_class(answer: Answer) -> type[LoyaltyError] | None:
    document = _problem_document(answer)
    return None if document is None else error_class(str(document["type"]))


def _problem_document(answer: Answer) -> Mapping[str, object] | None:
    """Return the RFC 9457 document, or None; members that this release does not know are allowed there."""
    if answer.head.media_type != _PROBLEM_TYPE:
        return None
    try:
        document = loads(answer.body)
    except CodecError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("type"), str) else None


def _not_an_agent(head: AnswerHead, address: str, found: str) -> AgentFailure:
    return AgentFailure(
        f"{address} answered {head.status} in a way that no agent of this release does: {found}; check that the "
        "address is the agent's and that SDK and agent are of the same release",
        request_id=head.request_id,
    )


def _shown(answer: Answer) -> str:
    text = answer.body[:60].decode("utf-8", "replace")
    return f"{answer.head.media_type or 'no content type'} {text!r}"
