"""What a transaction locks on PostgreSQL, so that others who work beside it see it whole or not at all.

On SQLite there is one writer, and nothing here does anything. No row is locked that all share: a terminal's own row,
the members that are booked (in sorted order), the sales that come back. Whoever waits for something that has not
arrived, and whoever brings it, meet at a *bell*: one of BELLS advisory locks of a tenant, by the name of what is waited
for. Those who bring share it; who waits has it alone, so that nothing arrives between looking for it and waiting. The
grants of a terminal and its revocation meet there, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select, text

from central_api.storage.schema import members, sales, terminals

__all__ = ["lock_bells", "lock_members", "lock_sales", "lock_terminal", "locks_rows"]

BELLS = 128

_BRING = text("SELECT pg_advisory_xact_lock_shared(bell) FROM unnest(cast(:bells AS bigint[])) AS bell")
_WAIT = text("SELECT pg_advisory_xact_lock(bell) FROM unnest(cast(:bells AS bigint[])) AS bell")


def locks_rows(connection: Connection) -> bool:
    """Whether others write at the same time."""
    return connection.dialect.name == "postgresql"


def lock_terminal(connection: Connection, tenant: str, terminal: str) -> None:
    """Let one upload of a terminal be judged at a time."""
    if locks_rows(connection):
        query = select(terminals.c.terminal).where(terminals.c.tenant == tenant, terminals.c.terminal == terminal)
        connection.execute(query.with_for_update(key_share=True))


def lock_members(connection: Connection, tenant: str, member_ids: Iterable[str]) -> None:
    """Lock members in sorted order. What is read of them from now on is what the last one wrote."""
    wanted = sorted(set(member_ids))
    if wanted and locks_rows(connection):
        query = select(members.c.member_id).where(members.c.tenant == tenant, members.c.member_id.in_(wanted))
        connection.execute(query.order_by(members.c.member_id).with_for_update(key_share=True))


def lock_sales(connection: Connection, tenant: str, entry_ids: Iterable[str]) -> None:
    """Lock sales that come back: those that nobody's card was shown for have no member to lock."""
    wanted = sorted(set(entry_ids))
    if wanted and locks_rows(connection):
        query = select(sales.c.entry_id).where(sales.c.tenant == tenant, sales.c.entry_id.in_(wanted))
        connection.execute(query.order_by(sales.c.entry_id).with_for_update(key_share=True))


def lock_bells(connection: Connection, tenant: str, names: Iterable[str], *, waits: bool) -> None:
    """Lock the bells of names: alone to wait for them, shared to bring them."""
    if not locks_rows(connection):
        return
    bells: Sequence[int] = sorted({_bell(tenant, name) for name in names})
    if bells:
        statement = _WAIT if waits else _BRING
        connection.execute(statement.bindparams(bindparam("bells", value=bells)))


def _bell(tenant: str, name: str) -> int:
    """A key of 64 bits whose high part is the tenant's."""
    high = int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:7], "big", signed=True)
    return high * 256 + hashlib.sha256(name.encode()).digest()[0] % BELLS
