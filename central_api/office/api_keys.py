"""API keys of the back office: made, proved, rotated, revoked. A secret is kept as its SHA-256 only and told once.

A secret is 256 random bits, so that it needs no salt and no slow hash. Rotation makes a new key beside the old one,
which works until its end: whoever uses it changes over without an interruption. A key and those that it was rotated
into are one *line*; a write that is repeated under another key of the line is the same write.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from central_api.capabilities import Capabilities
from central_api.problems import refuse
from central_api.storage.paging import Paging, rows_after
from central_api.storage.schema_office import API_KEY_SCOPES, api_keys
from central_api.storage.statements import given, insert_rows
from loyalty_sdk.office import KeyList, KeyRequest, KeyRotation, KeySecret, KeyView, Scope

__all__ = [
    "SECRET_PREFIX",
    "ApiKey",
    "add_key",
    "authenticate_key",
    "check_scope",
    "key_list",
    "revoke_key",
    "rotate_key",
]

SECRET_PREFIX = "lk_"
KEY_ID_BYTES = 10
SECRET_BYTES = 32
NAME_LENGTH_MAX = 64

_BY_SECRET = select(api_keys).where(given(api_keys.c.secret_hash))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that has proved its secret. `line` is the first key of those that it was rotated from, or itself."""

    tenant: str
    key_id: str
    scope: Scope
    line: str

    @property
    def actor(self) -> str:
        """Who did it, for the reasons that the ledger keeps."""
        return f"key:{self.key_id}"

    @property
    def is_masked(self) -> bool:
        """Whether names and aliases are shown masked."""
        return self.scope == "read-only"


def authenticate_key(connection: Connection, token: str, now: datetime) -> ApiKey:
    """Return the key of a bearer token. Raises Refused `access-refused`."""
    row = None
    if token.startswith(SECRET_PREFIX):
        row = connection.execute(_BY_SECRET, {"secret_hash": _hash(token)}).first()
    if row is None:
        raise refuse(
            "access-refused", "this call takes an API key that is known here; make one with: loyalty-central key add"
        )
    if _has_ended(row, now):
        raise refuse("access-refused", f"the API key {row.key_id} has ended; use the one that replaces it")
    return ApiKey(tenant=row.tenant, key_id=row.key_id, scope=row.scope, line=row.replaces or row.key_id)


def check_scope(key: ApiKey, scope: Scope) -> None:
    """Raise Refused `scope-missing` for a key that may do less than `scope`."""
    if API_KEY_SCOPES.index(key.scope) < API_KEY_SCOPES.index(scope):
        raise refuse("scope-missing", f"this call takes a key of the scope {scope}; this one's is {key.scope}")


def add_key(connection: Connection, capabilities: Capabilities, tenant: str, request: KeyRequest) -> KeySecret:
    """Make a key. Raises Refused `invalid-request` for a name that cannot be used."""
    name = request.name
    if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable() or name.strip() != name:
        raise refuse("invalid-request", f"a key's name has 1 to {NAME_LENGTH_MAX} printable characters")
    return _made(connection, capabilities, tenant, name, request.scope, replaces="")


def rotate_key(
    connection: Connection, capabilities: Capabilities, tenant: str, key_id: str, rotation: KeyRotation
) -> KeySecret:
    """Make a key of the same name and scope; the old one ends after `hours`, or when it would have ended before that.

    Raises Refused: `not-found`, or `conflict` for a key that has ended.
    """
    row = _existing(connection, tenant, key_id)
    now = capabilities.now()
    if _has_ended(row, now):
        raise refuse("conflict", f"the key {key_id} has ended and cannot be rotated; make a new one")
    ends_at = now + timedelta(hours=rotation.hours)
    if row.expires_at is None or row.expires_at > ends_at:
        _update(connection, tenant, key_id, expires_at=ends_at)
    return _made(connection, capabilities, tenant, row.name, row.scope, replaces=row.replaces or key_id)


def revoke_key(connection: Connection, capabilities: Capabilities, tenant: str, key_id: str) -> KeyView:
    """End a key at once; again changes nothing. Raises Refused `not-found`."""
    if _existing(connection, tenant, key_id).revoked_at is None:
        _update(connection, tenant, key_id, revoked_at=capabilities.now())
    return _view(_existing(connection, tenant, key_id))


def key_list(connection: Connection, tenant: str, paging: Paging) -> KeyList:
    """Return the keys without their secrets, in the order in which they were made."""
    query = select(api_keys).where(api_keys.c.tenant == tenant)
    rows, cursor = rows_after(connection, query, (api_keys.c.created_at, api_keys.c.key_id), paging)
    return KeyList(items=tuple(map(_view, rows)), next_cursor=cursor)


def _made(
    connection: Connection, capabilities: Capabilities, tenant: str, name: str, scope: Scope, replaces: str
) -> KeySecret:
    key_id = _text(capabilities.random_bytes(KEY_ID_BYTES))
    secret = f"{SECRET_PREFIX}{key_id}_{_text(capabilities.random_bytes(SECRET_BYTES))}"
    row = {
        "tenant": tenant,
        "key_id": key_id,
        "name": name,
        "scope": scope,
        "secret_hash": _hash(secret),
        "created_at": capabilities.now(),
        "replaces": replaces,
    }
    insert_rows(connection, api_keys, [row])
    return KeySecret(key=_view(_existing(connection, tenant, key_id)), secret=secret)


def _existing(connection: Connection, tenant: str, key_id: str) -> Row[Any]:
    query = select(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.key_id == key_id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise refuse("not-found", f"there is no key {key_id}; see: loyalty-central key list")
    return row


def _update(connection: Connection, tenant: str, key_id: str, **values: datetime) -> None:
    mine = (api_keys.c.tenant == tenant) & (api_keys.c.key_id == key_id)
    connection.execute(update(api_keys).where(mine).values(values))


def _has_ended(row: Row[Any], now: datetime) -> bool:
    return row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now)


def _view(row: Row[Any]) -> KeyView:
    return KeyView(
        key_id=row.key_id,
        name=row.name,
        scope=row.scope,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        replaces=row.replaces,
    )


def _text(data: bytes) -> str:
    """Letters and digits only, so that a double click takes all of it."""
    return b32encode(data).decode().rstrip("=").lower()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
