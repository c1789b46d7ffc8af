"""Calls to central as data, and reading its answers with suspicion. No connection is made here.

An answer is believed only when it is whole, of the expected type, unencoded and within the cap: a captive portal's
page, a truncated body or a compressed bomb is `AnswerNonsense`, never a fact.
"""

from __future__ import annotations

import email.utils
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from loyalty_sdk.codec import CodecError, decode_tolerant, dumps, loads
from loyalty_sdk.envelope import upload_signing_input
from loyalty_sdk.errors import PROBLEM_PREFIX
from loyalty_sdk.protocol import ANSWER_BYTES_MAX, UploadAnswer, UploadHeaders, join_upload
from sync.identity import Identity
from sync.journal import QueuedEntry, Watermark

__all__ = [
    "Answer",
    "AnswerNonsense",
    "Call",
    "CentralFailure",
    "CentralRefused",
    "CentralUnreachable",
    "json_call",
    "parse",
    "receive",
    "receive_async",
    "upload_call",
]

T = TypeVar("T")
RETRY_AFTER_S_MAX = 3_600
TEXT_LENGTH_MAX = 500


class CentralFailure(Exception):
    """Central did not do what was asked; the text is fit for a status line."""


class CentralUnreachable(CentralFailure):
    """No answer: no route, refused, timed out, a TLS failure. With `sent` central may have done what was asked."""

    def __init__(self, text: str, *, sent: bool = True) -> None:
        super().__init__(text)
        self.sent = sent


class AnswerNonsense(CentralFailure):
    """Something answered that is not central, or central answered what cannot be."""


class CentralRefused(CentralFailure):
    """Central answered with a problem document."""

    def __init__(self, problem: str, detail: str, status: int, retry_after_s: int | None = None) -> None:
        super().__init__(f"{detail} ({problem}, HTTP {status})")
        self.problem = problem
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to central."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def request(self, client: httpx.Client | httpx.AsyncClient, token: str | None) -> httpx.Request:
        """Build the request: identity encoding only, bearer token."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self.headers}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return client.build_request(self.method, self.path, headers=headers, content=self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer: status, media type, `Retry-After` as it came, and the body."""

    status: int
    media_type: str
    retry_after: str | None
    body: bytes


def json_call(method: str, path: str, question: object = None, **query: str | int) -> Call:
    """Return a call with a JSON body (`question`) or a query."""
    text = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
    path = f"{path}?{text}" if text else path
    if question is None:
        return Call(method=method, path=path)
    return Call(method=method, path=path, headers={"Content-Type": "application/json"}, content=dumps(question))


def upload_call(identity: Identity, mark: Watermark, batch: Sequence[QueuedEntry]) -> Call:
    """Return the signed upload of a batch; entry bytes are spliced in as they are stored."""
    body = join_upload((entry.entry_bytes, entry.attachment_hash, entry.sealed) for entry in batch)
    first, head = batch[0], batch[-1]
    message = upload_signing_input(
        terminal=identity.terminal,
        journal=mark.journal,
        epoch=mark.epoch,
        first_seq=first.seq,
        head_seq=head.seq,
        head_hash=head.hash,
        body=body,
    )
    headers = UploadHeaders(
        epoch=mark.epoch,
        first_seq=first.seq,
        head_seq=head.seq,
        head_hash=head.hash,
        signature=identity.sign(message),
    ).to_headers()
    return Call(
        method="POST",
        path=f"/v1/journals/{mark.journal}/entries",
        headers={"Content-Type": "application/x-ndjson", **headers},
        content=body,
    )


def receive(client: httpx.Client, request: httpx.Request) -> Answer:
    """Send and read one answer under the cap. Raises CentralUnreachable, AnswerNonsense."""
    try:
        response = client.send(request, stream=True)
        try:
            return _whole(response, _capped(response.iter_raw()))
        finally:
            response.close()
    except httpx.HTTPError as error:
        raise _unreachable(error) from None


async def receive_async(client: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """Send and read one answer under the cap. Raises CentralUnreachable, AnswerNonsense."""
    try:
        response = await client.send(request, stream=True)
        try:
            return _whole(response, await _capped_async(response.aiter_raw()))
        finally:
            await response.aclose()
    except httpx.HTTPError as error:
        raise _unreachable(error) from None


def parse(cls: type[T], answer: Answer, now: datetime) -> T:
    """Return central's answer as `cls`. Raises CentralRefused for its problems, AnswerNonsense for anything else."""
    if answer.media_type == "application/problem+json":
        raise _refused(answer, now)
    if answer.status != 200 or answer.media_type != "application/json":
        raise AnswerNonsense(
            f"HTTP {answer.status} with {answer.media_type or 'no media type'} is not an answer of central: "
            "is a proxy or a captive portal in between, or is the address in [central] url wrong?"
        )
    try:
        document = loads(answer.body)
        return decode_tolerant(cls, _telling(document) if cls is UploadAnswer else document)
    except CodecError as error:
        raise AnswerNonsense(f"central's answer cannot be read: {_printable(str(error))}") from None


def _telling(document: Any) -> Any:
    """Leave out of an upload's answer that entries were applied: nothing is kept of it, and reading it is most work."""
    outcomes = document.get("outcomes") if isinstance(document, dict) else None
    if not isinstance(outcomes, list):
        return document
    told = [one for one in outcomes if not isinstance(one, dict) or one.get("outcome") != "applied"]
    return {**document, "outcomes": told}


def _refused(answer: Answer, now: datetime) -> CentralFailure:
    try:
        document: Any = loads(answer.body)
        problem, detail = document["type"], document.get("detail", "")
    except (CodecError, KeyError, TypeError, AttributeError):
        return AnswerNonsense(f"HTTP {answer.status} with a problem document that cannot be read")
    name = _printable(str(problem).removeprefix(PROBLEM_PREFIX))
    return CentralRefused(name, _printable(str(detail)), answer.status, _retry_after_s(answer.retry_after, now))


def _printable(text: str) -> str:
    """A text from outside as it may stand in a status and a log: one line, capped, without control characters."""
    text = text[:TEXT_LENGTH_MAX]
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _retry_after_s(text: str | None, now: datetime) -> int | None:
    """Read `Retry-After` (RFC 9110, 10.2.3): seconds or a date; capped, because it comes from outside."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        seconds = int(text[:9])
    else:
        try:
            seconds = int((email.utils.parsedate_to_datetime(text) - now).total_seconds())
        except (ValueError, TypeError):
            return None
    return max(0, min(seconds, RETRY_AFTER_S_MAX))


def _whole(response: httpx.Response, body: bytes) -> Answer:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise AnswerNonsense("the answer is compressed although identity was asked for: switch that off in the proxy")
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Answer(
        status=response.status_code,
        media_type=media_type,
        retry_after=response.headers.get("Retry-After"),
        body=body,
    )


def _capped(chunks: Iterator[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        _extend(body, chunk)
    return bytes(body)


async def _capped_async(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        _extend(body, chunk)
    return bytes(body)


def _extend(body: bytearray, chunk: bytes) -> None:
    body += chunk
    if len(body) > ANSWER_BYTES_MAX:
        raise AnswerNonsense(f"the answer exceeds {ANSWER_BYTES_MAX} bytes")


def _unreachable(error: httpx.HTTPError) -> CentralUnreachable:
    name = type(error).__name__
    text = f"central does not answer ({name}: {_printable(str(error))})" if str(error) else name
    return CentralUnreachable(text, sent=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout))
