"""What a peer answered, as data, and its reading: a value of the vocabulary or one error of the SDK. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from loyalty_sdk._peer import Peer
from loyalty_sdk.codec import CodecError, decode_tolerant, loads
from loyalty_sdk.errors import Busy, LoyaltyError, OutcomeUnknown, error_class

__all__ = [
    "Answer",
    "AnswerHead",
    "BoundedBody",
    "is_transient",
    "is_unknown",
    "problem_of",
    "read_answer",
    "refuse_head",
]

DETAIL_LENGTH_MAX = 2_000
SECONDS_DIGITS_MAX = 9
_PROBLEM_TYPE = "application/problem+json"
_PROBLEM_MEMBERS = ("type", "title", "status", "detail", "instance")
_GATEWAY_STATUSES = (502, 503, 504)
_NOT_MODIFIED = 304

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """Status and the headers that matter; `media_type` is without parameters and in lower case.

    `retry_after_s` is how long the peer wants to be left alone, where it says so.
    """

    status: int
    media_type: str
    content_encoding: str = "identity"
    request_id: str | None = None
    retry_after_s: float | None = None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], now: datetime) -> AnswerHead:
        """Make a head from a response; `headers` finds names in any case."""
        return cls(
            status=status,
            media_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
            content_encoding=headers.get("content-encoding", "identity").strip().lower(),
            request_id=headers.get("loyalty-request-id"),
            retry_after_s=_seconds_of(headers.get("retry-after"), now),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer; its body is at most the peer's `answer_bytes_max`."""

    head: AnswerHead
    body: bytes


class BoundedBody:
    """Collects a body and refuses more bytes than the peer ever sends, so that none fills the caller's memory."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._chunks: list[bytes] = []
        self._length = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes. Raises the peer's failure above the limit."""
        self._length += len(chunk)
        peer = self._peer
        if self._length > peer.answer_bytes_max:
            raise peer.failure(
                f"the answer exceeds {peer.answer_bytes_max} bytes, which {peer.name} never sends; check "
                f"{peer.name}'s address {peer.address}"
            )
        self._chunks.append(chunk)

    def whole(self) -> bytes:
        """Return what has come."""
        return b"".join(self._chunks)


def refuse_head(head: AnswerHead, peer: Peer) -> None:
    """Refuse an answer whose body must not even be read. Raises the peer's failure."""
    if head.content_encoding != "identity":
        raise _not_the_peer(head, peer, f"it is encoded as {head.content_encoding!r}, which nobody asked for")


def is_transient(answer: Answer, peer: Peer) -> bool:
    """True where the same call may succeed shortly: the peer is busy, or does not know the outcome itself."""
    if answer.head.status < 400:
        return False
    found = _problem_class(answer, peer)
    return _is_gateways(answer, peer) if found is None else issubclass(found, Busy | OutcomeUnknown)


def is_unknown(answer: Answer, peer: Peer) -> bool:
    """True where the peer may or may not have recorded the call, or a gateway lost the peer's answer."""
    if answer.head.status < 400:
        return False
    return _is_gateways(answer, peer) or _problem_class(answer, peer) is OutcomeUnknown


def read_answer(cls: type[T], answer: Answer, peer: Peer, *, known: T | None = None) -> T:
    """Return the answer as `cls`, without what a peer of a later release adds to it; `known` where it is unmodified.

    Raises the error that a problem document names, the peer's failure for anything else.
    """
    head = answer.head
    if head.status == _NOT_MODIFIED and known is not None:
        return known
    if head.status >= 400:
        raise problem_of(answer, peer)
    if head.status != 200 or head.media_type != "application/json":
        raise _not_the_peer(head, peer, _shown(answer))
    try:
        return decode_tolerant(cls, loads(answer.body))
    except (CodecError, LoyaltyError) as error:
        raise _not_the_peer(head, peer, f"it does not read as {cls.__name__}: {error}") from None


def problem_of(answer: Answer, peer: Peer) -> LoyaltyError:
    """Return the error that a problem document names, or the peer's failure where there is no such document."""
    head, document = answer.head, _problem_document(answer)
    if document is None:
        return _not_the_peer(head, peer, _shown(answer))
    detail = document.get("detail") or document.get("title") or f"{peer.name} answered {head.status}"
    found = error_class(str(document["type"]), peer.failure)
    return found(
        str(detail)[:DETAIL_LENGTH_MAX],
        request_id=head.request_id,
        retry_after_s=head.retry_after_s,
        extra={name: value for name, value in document.items() if name not in _PROBLEM_MEMBERS},
    )


def _seconds_of(text: str | None, now: datetime) -> float | None:
    """Read `Retry-After` (RFC 9110, 10.2.3): seconds, or a date."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:SECONDS_DIGITS_MAX])
    # Imported here because few servers send a date.
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _is_gateways(answer: Answer, peer: Peer) -> bool:
    return peer.gateway and answer.head.status in _GATEWAY_STATUSES and _problem_document(answer) is None


def _problem_class(answer: Answer, peer: Peer) -> type[LoyaltyError] | None:
    document = _problem_document(answer)
    return None if document is None else error_class(str(document["type"]), peer.failure)


def _problem_document(answer: Answer) -> Mapping[str, object] | None:
    """Return the RFC 9457 document, or None; members that this release does not know are allowed there."""
    if answer.head.media_type != _PROBLEM_TYPE:
        return None
    try:
        document = loads(answer.body)
    except CodecError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("type"), str) else None


def _not_the_peer(head: AnswerHead, peer: Peer, found: str) -> LoyaltyError:
    return peer.failure(
        f"{peer.address} answered {head.status} in a way that no {peer.noun} of this release does: {found}; check that "
        f"the address is {peer.name}'s and that SDK and {peer.noun} are of the same release",
        request_id=head.request_id,
        retry_after_s=head.retry_after_s,
    )


def _shown(answer: Answer) -> str:
    text = answer.body[:60].decode("utf-8", "replace")
    return f"{answer.head.media_type or 'no content type'} {text!r}"
