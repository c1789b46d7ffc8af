"""Personal fields at rest: every member has a key of its own, wrapped by the master key.

Erasing a member deletes the key; what was sealed under it is then noise, and chain and ledger stay whole (Law 12).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from central_api.capabilities import Capabilities
from central_api.keys import KEY_BYTES, SealBroken, open_sealed, seal
from central_api.storage.schema import member_keys
from central_api.storage.shelf import KEYS_PER_QUERY_MAX
from central_api.storage.statements import among, given, select_rows

__all__ = ["MemberKey", "mask_name", "member_keys_of", "new_member_key", "opened_member_key"]

WRAP_CONTEXT = "member-key"

_KEYS = select(member_keys.c.member_id, member_keys.c.wrapped).where(
    given(member_keys.c.tenant), among(member_keys.c.member_id)
)


class MemberKey:
    """One member's own key, opened. It never leaves the process."""

    def __init__(self, tenant: str, member_id: str, key: bytes) -> None:
        self._context = f"{tenant}\n{member_id}\n"
        self._key = key

    def seal(self, capabilities: Capabilities, purpose: str, plain: bytes) -> bytes:
        """Seal a field; it opens only as the same purpose of the same member."""
        return seal(self._key, plain, self._context + purpose, capabilities.random_bytes)

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Open what `seal` made. Raises SealBroken."""
        return open_sealed(self._key, sealed, self._context + purpose)


def new_member_key(capabilities: Capabilities, tenant: str, member_id: str) -> tuple[MemberKey, bytes]:
    """Return a new key, and the key wrapped for its row."""
    key = capabilities.random_bytes(KEY_BYTES)
    context = f"{tenant}\n{member_id}\n{WRAP_CONTEXT}"
    return MemberKey(tenant, member_id, key), seal(
        capabilities.keys.master_key, key, context, capabilities.random_bytes
    )


def member_keys_of(
    connection: Connection, capabilities: Capabilities, tenant: str, member_ids: Sequence[str]
) -> dict[str, MemberKey]:
    """Return the keys of those members who have one: not of those who were erased."""
    found = {}
    for start in range(0, len(member_ids), KEYS_PER_QUERY_MAX):
        part = member_ids[start : start + KEYS_PER_QUERY_MAX]
        for row in select_rows(connection, _KEYS, {"tenant": tenant, "member_id": part}):
            found[row.member_id] = opened_member_key(capabilities, tenant, row.member_id, row.wrapped)
    return found


def opened_member_key(capabilities: Capabilities, tenant: str, member_id: str, wrapped: bytes) -> MemberKey:
    """Return the key of a member's row. Raises SealBroken."""
    context = f"{tenant}\n{member_id}\n{WRAP_CONTEXT}"
    try:
        key = open_sealed(capabilities.keys.master_key, wrapped, context)
    except SealBroken as error:
        raise SealBroken("the key file does not belong to this database; give the right one with --keys") from error
    return MemberKey(tenant, member_id, key)


def mask_name(name: str) -> str:
    """Return what a till may show of a name: `Maria da Silva` is `M*** S.`, `Maria` is `M***`."""
    words = name.split()
    if not words:
        return ""
    return f"{words[0][0]}***" if len(words) == 1 else f"{words[0][0]}*** {words[-1][0]}."
