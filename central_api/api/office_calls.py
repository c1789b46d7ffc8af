"""How every call of the back office goes: key and scope are proved, the write is done once, the answer has its ETag.

The proof stands in the same transaction as the work, so that a key that was revoked meanwhile does nothing more. What
the work is, and what it may do, is for the modules `office_*`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Set
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from sqlalchemy import Connection

from central_api.api.http import JSON_BODY_BYTES_MAX, bearer_token, decoded, read_body
from central_api.capabilities import Capabilities
from central_api.etags import names_etag
from central_api.judging.setting_aside import write_setting_aside
from central_api.ledger.records import Place
from central_api.office.api_keys import ApiKey, authenticate_key, check_scope
from central_api.office.idempotency import Kept, Repeatable, answered_once, read_idempotency_key
from central_api.problems import refuse
from central_api.storage.audit import Act, note_act
from central_api.storage.database import Database
from loyalty_sdk.codec import dumps
from loyalty_sdk.office import Scope

__all__ = ["Asked", "Office", "check_if_match"]

# Nobody but the caller keeps an answer, and the caller asks whether it still holds.
CACHING = {"Cache-Control": "private, no-cache"}

Q = TypeVar("Q")
T = TypeVar("T")
Work = Callable[[Connection, ApiKey], object]
JudgingWork = Callable[[Connection, ApiKey, Set[Place]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[Q]):
    """A question whose key and scope were proved once; `repeatable` where it names an Idempotency-Key."""

    token: str
    scope: Scope
    question: Q
    repeatable: Repeatable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The back office's way to the database."""

    database: Database
    capabilities: Capabilities

    async def read(self, request: Request, work: Work, scope: Scope = "read-only") -> Response:
        """Answer with what `work` returns, or with 304 where If-None-Match names it."""
        token = bearer_token(request)
        value = await self.database.read(lambda connection: work(connection, self._proved(connection, token, scope)))
        return _answer(_kept(value), request.headers.get("If-None-Match"))

    async def asked(
        self, request: Request, scope: Scope, cls: type[Q], bytes_max: int = JSON_BODY_BYTES_MAX
    ) -> Asked[Q]:
        """Prove key and scope, and only then read the body. Raises Refused."""
        token = await self._proved_early(request, scope)
        body = await read_body(request, bytes_max, "application/json")
        return Asked(token=token, scope=scope, question=decoded(cls, body), repeatable=_repeatable(request, body))

    async def asked_nothing(self, request: Request, scope: Scope) -> Asked[None]:
        """Prove key and scope for a call without a body. Raises Refused."""
        token = await self._proved_early(request, scope)
        return Asked(token=token, scope=scope, question=None, repeatable=_repeatable(request, b""))

    async def look(self, asked: Asked[Any], work: Work) -> Response:
        """Answer a question that changes nothing."""
        value = await self.database.read(
            lambda connection: work(connection, self._proved(connection, asked.token, asked.scope))
        )
        return _answer(_kept(value))

    async def write(self, asked: Asked[Any], work: Work) -> Response:
        """Do the work in one transaction, once for its Idempotency-Key, and answer with what it returns."""
        return await self.judge(asked, lambda connection, key, set_aside: work(connection, key))

    async def act(
        self, asked: Asked[Any], work: Callable[[Connection, ApiKey], T], told: Callable[[T], Act]
    ) -> Response:
        """Write what the audit trail tells: `told` says of the answer what was done."""

        def audited(connection: Connection, key: ApiKey) -> T:
            answer = work(connection, key)
            note_act(connection, self.capabilities, key.tenant, key.actor, told(answer))
            return answer

        return await self.write(asked, audited)

    async def judge(self, asked: Asked[Any], work: JudgingWork) -> Response:
        """Do work that judges entries again; `work` gets those whose judge breaks, to set them aside."""

        def run(connection: Connection, set_aside: Set[Place]) -> tuple[Kept, bool]:
            key = self._proved(connection, asked.token, asked.scope)
            if asked.repeatable is None:
                return _kept(work(connection, key, set_aside)), False
            return answered_once(
                connection, self.capabilities, key, asked.repeatable, lambda: _kept(work(connection, key, set_aside))
            )

        kept, again = await write_setting_aside(self.database, run)
        response = _answer(kept)
        if again:
            response.headers["Idempotency-Replayed"] = "true"
        return response

    async def _proved_early(self, request: Request, scope: Scope) -> str:
        """Nobody without a key gets central to read a body."""
        token = bearer_token(request)
        await self.database.read(lambda connection: self._proved(connection, token, scope))
        return token

    def _proved(self, connection: Connection, token: str, scope: Scope) -> ApiKey:
        key = authenticate_key(connection, token, self.capabilities.now())
        check_scope(key, scope)
        return key


def check_if_match(request: Request) -> Callable[[str], None]:
    """Return the check of the request's If-Match against an etag.

    Raises Refused `precondition-required` where the header is missing; the check raises `precondition-failed`.
    """
    header = request.headers.get("If-Match")
    if header is None:
        raise refuse("precondition-required", "send the header If-Match with the ETag of what is to be changed")

    def check(etag: str) -> None:
        if not names_etag(header, etag):
            raise refuse("precondition-failed", "it was changed meanwhile; read it again and repeat what still fits")

    return check


def _kept(value: object) -> Kept:
    etag = getattr(value, "etag", "")
    return Kept(status=HTTPStatus.OK, body=dumps(value), headers={"ETag": f'"{etag}"'} if etag else {})


def _answer(kept: Kept, if_none_match: str | None = None) -> Response:
    headers = {**CACHING, **kept.headers}
    etag = kept.headers.get("ETag", "").strip('"')
    if etag and if_none_match is not None and names_etag(if_none_match, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(kept.body, kept.status, headers, media_type="application/json")


def _repeatable(request: Request, body: bytes) -> Repeatable | None:
    """The digest has a place of its own for each part, so that no two requests look alike."""
    name = read_idempotency_key(request.headers.get("Idempotency-Key"))
    if name is None:
        return None
    parts = (request.method.encode(), request.url.path.encode(), request.url.query.encode(), body)
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    return Repeatable(idempotency_key=name, digest=digest)
