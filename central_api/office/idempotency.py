"""A write that may be repeated: under an Idempotency-Key it is done once, and its answer is given again.

Key, digest of the request and answer are one row, written in the transaction of the write itself: a crash leaves both
or neither. A second request with the same key waits for the first one's end. What was refused has left nothing, and
its key may be used again. Answers hold names and secrets, so they are sealed by the master key; after
IDEMPOTENCY_HOURS they are forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from central_api.capabilities import Capabilities
from central_api.keys import open_sealed, seal
from central_api.office.api_keys import ApiKey
from central_api.problems import refuse
from central_api.storage.columns import Instant
from central_api.storage.schema_office import idempotency_keys
from central_api.storage.statements import given, insert_missing
from loyalty_sdk.codec import dumps, loads
from loyalty_sdk.office import IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_LENGTH_MAX

__all__ = ["Kept", "Repeatable", "answered_once", "read_idempotency_key"]

PENDING = 0

_PLACE = given(idempotency_keys.c.tenant, idempotency_keys.c.actor, idempotency_keys.c.idempotency_key)
_FORGET = delete(idempotency_keys).where(_PLACE, idempotency_keys.c.created_at < bindparam("before", type_=Instant))
_ROW = select(idempotency_keys).where(_PLACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as it is kept: status, headers and the exact body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatable:
    """A write that names its Idempotency-Key, and the SHA-256 of its method, address and body."""

    idempotency_key: str
    digest: bytes


def read_idempotency_key(text: str | None) -> str | None:
    """Check the header, None where it is missing. Raises Refused `invalid-request`."""
    if text is None:
        return None
    if not 0 < len(text) <= IDEMPOTENCY_KEY_LENGTH_MAX or not text.isascii() or not text.isprintable():
        raise refuse(
            "invalid-request", f"Idempotency-Key has 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII characters"
        )
    return text


def answered_once(
    connection: Connection, capabilities: Capabilities, key: ApiKey, asked: Repeatable, work: Callable[[], Kept]
) -> tuple[Kept, bool]:
    """Do the work and keep its answer, or return the answer that was kept. Returns whether it was done before.

    Raises Refused `idempotency-conflict` where the key was used for another request.
    """
    place = {"tenant": key.tenant, "actor": key.line, "idempotency_key": asked.idempotency_key}
    now = capabilities.now()
    connection.execute(_FORGET, place | {"before": _kept_since(now)})
    # Whoever comes second waits here on PostgreSQL until the first has ended; on SQLite one writes at a time.
    claim = {"request_digest": asked.digest, "status": PENDING, "body": b"", "created_at": now}
    insert_missing(connection, idempotency_keys, [place | claim])
    row = connection.execute(_ROW, place).one()
    if bytes(row.request_digest) != asked.digest:
        raise refuse("idempotency-conflict", "this Idempotency-Key was used for another request; make a new one")
    if row.status != PENDING:
        return _opened(capabilities, row), True
    kept = work()
    mine = [idempotency_keys.c[name] == value for name, value in place.items()]
    values = {"status": kept.status, "headers": dumps(dict(kept.headers)).decode()}
    sealed = seal(capabilities.keys.master_key, kept.body, _context(place), capabilities.random_bytes)
    connection.execute(update(idempotency_keys).where(*mine).values(values | {"body": sealed}))
    return kept, False


def _kept_since(now: datetime) -> datetime:
    return now - timedelta(hours=IDEMPOTENCY_HOURS)


def _opened(capabilities: Capabilities, row: Row[Any]) -> Kept:
    place = {name: getattr(row, name) for name in ("tenant", "actor", "idempotency_key")}
    body = open_sealed(capabilities.keys.master_key, bytes(row.body), _context(place))
    return Kept(status=row.status, body=body, headers=loads(row.headers))


def _context(place: Mapping[str, str]) -> str:
    return dumps(["idempotency", *place.values()]).decode()
