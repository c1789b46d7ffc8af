"""Epochs: the lives of central's database, and whom a restored one waits for. Judges nothing, grants nothing.

A terminal knows up to which entry central acknowledged its journal, and in which epoch. Where central holds less than
it acknowledged, or never heard of that epoch, its database is a backup that was restored: a new epoch begins, and no
points are granted until every terminal has reported and returned what it holds, or a person overrides.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from central_api.capabilities import Capabilities
from central_api.storage.installation import epoch_of
from central_api.storage.schema import epochs, meta, recoveries, terminals
from central_api.storage.statements import given, insert_missing, insert_rows, select_row

__all__ = [
    "begin_epoch",
    "is_known_epoch",
    "is_overridden",
    "is_recovering",
    "lock_epoch",
    "note_report",
    "note_returned",
    "recovery_row",
    "recovery_rows",
]

# A terminal that was revoked may deliver, but nobody waits for it.
AWAITED = "enrolled"

_AWAITED = (
    select(recoveries.c.terminal)
    .where(given(recoveries.c.tenant), (recoveries.c.state == "waiting") | (recoveries.c.state == "returning"))
    .limit(1)
)
_COMPLETE = (
    update(recoveries)
    .where(recoveries.c.tenant == bindparam("of_tenant"), recoveries.c.terminal == bindparam("of_terminal"))
    .where(recoveries.c.journal == bindparam("of_journal"), recoveries.c.needed_seq <= bindparam("watermark"))
    .where(recoveries.c.state == "returning")
    .values(state="complete")
)


def begin_epoch(connection: Connection, capabilities: Capabilities, cause: str) -> str:
    """Begin a new epoch, in which every enrolled terminal of every tenant is waited for. Returns it."""
    now, before, epoch = capabilities.now(), lock_epoch(connection), capabilities.new_random_id()
    insert_missing(connection, epochs, [{"epoch": before, "began_at": now, "cause": "before the first restore"}])
    insert_rows(connection, epochs, [{"epoch": epoch, "began_at": now, "cause": cause}])
    connection.execute(update(meta).where(meta.c.name == "epoch").values(value=epoch))
    connection.execute(delete(recoveries))
    awaited = connection.execute(
        select(terminals.c.tenant, terminals.c.terminal).where(terminals.c.state == AWAITED)
    ).all()
    rows = [{"tenant": row.tenant, "terminal": row.terminal, "epoch": epoch} for row in awaited]
    insert_rows(connection, recoveries, rows)
    return epoch


def lock_epoch(connection: Connection) -> str:
    """Return the epoch as the last writer left it; nobody begins another until this transaction is over."""
    query = select(meta.c.value).where(meta.c.name == "epoch").with_for_update()
    epoch: str = connection.execute(query).scalar_one()
    return epoch


def is_known_epoch(connection: Connection, epoch: str) -> bool:
    """Say whether this database lived in that epoch, now or before."""
    if epoch == epoch_of(connection):
        return True
    return connection.execute(select(epochs.c.epoch).where(epochs.c.epoch == epoch)).first() is not None


def is_recovering(connection: Connection, tenant: str) -> bool:
    """Say whether a tenant's terminals are still waited for."""
    return select_row(connection, _AWAITED, {"tenant": tenant}) is not None


def is_overridden(connection: Connection, tenant: str, terminal: str) -> bool:
    """Say whether a person decided not to wait for this terminal: what it returns late may have been granted anew."""
    row = recovery_row(connection, tenant, terminal)
    return row is not None and row.state == "overridden"


def note_report(
    connection: Connection, capabilities: Capabilities, tenant: str, terminal: str, journal: str, needed_seq: int
) -> None:
    """Note that a terminal reported; it is complete once central holds that journal up to `needed_seq` again."""
    changes = {
        "state": "returning",
        "journal": journal,
        "needed_seq": needed_seq,
        "reported_at": capabilities.now(),
    }
    connection.execute(_of(tenant, terminal).where(recoveries.c.state == "waiting").values(changes))


def note_returned(connection: Connection, tenant: str, terminal: str, journal: str, watermark: int) -> None:
    """Note up to which entry central holds a terminal's journal."""
    values = {"of_tenant": tenant, "of_terminal": terminal, "of_journal": journal, "watermark": watermark}
    connection.execute(_COMPLETE, values)


def recovery_row(connection: Connection, tenant: str, terminal: str) -> Row[Any] | None:
    """Return how far a terminal is with its return, None where nobody waits or waited for it."""
    query = select(recoveries).where(recoveries.c.tenant == tenant, recoveries.c.terminal == terminal)
    return connection.execute(query).first()


def recovery_rows(connection: Connection, tenant: str) -> list[Row[Any]]:
    """Return how far each terminal is with its return, by name."""
    query = select(recoveries).where(recoveries.c.tenant == tenant).order_by(recoveries.c.terminal)
    return list(connection.execute(query))


def _of(tenant: str, terminal: str) -> Any:
    return update(recoveries).where(recoveries.c.tenant == tenant, recoveries.c.terminal == terminal)
