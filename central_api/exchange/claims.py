"""Claims that central once knew more, by a terminal that cannot prove it: one a day is believed, others go to a person.

An acknowledgement is not signed, so a terminal that lies could begin one recovery after the other, and each stops the
granting of every tenant. So where the database holds more than one, no claim is believed: no tenant's terminal stops
the others by its word. A grant that central signed and lacks is proof, and no claim. A claim that is not believed
costs nothing: the terminal is told what central holds, and sends the rest again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from central_api.capabilities import Capabilities
from central_api.storage.epochs import begin_epoch, lock_epoch
from central_api.storage.installation import tenant_names
from central_api.storage.schema import epochs, meta
from central_api.storage.statements import upsert_rows
from central_api.terminals.terminals import Terminal
from loyalty_sdk.codec import decode, dumps, loads

__all__ = ["BELIEVED_EACH", "Claim", "begin_and_settle", "begin_epoch_on_claim", "claims_of"]

BELIEVED_EACH = timedelta(days=1)
PREFIX = "claim/"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The last claim of one terminal that waits for a person."""

    terminal: str
    says: str
    at: datetime


def begin_epoch_on_claim(connection: Connection, capabilities: Capabilities, terminal: Terminal, says: str) -> str:
    """Begin a new epoch, or keep the claim for a person.

    It is kept where it is the second within a day, or a revoked terminal's, or where there are other tenants.

    Returns the epoch in force.
    """
    epoch, now = lock_epoch(connection), capabilities.now()
    lately = select(epochs.c.epoch).where(epochs.c.began_at > now - BELIEVED_EACH).limit(1)
    may_believe = terminal.state != "revoked" and len(tenant_names(connection)) == 1
    if may_believe and connection.execute(lately).first() is None:
        return begin_and_settle(connection, capabilities, f"terminal {terminal.terminal} {says}")
    _log.warning(
        "terminal %s of tenant %s claims that central was restored: it %s; it is not believed by its word. See: "
        "loyalty-central recovery show --tenant %s",
        *(terminal.terminal, terminal.tenant, says, terminal.tenant),
    )
    claim = Claim(terminal=terminal.terminal, says=says, at=now)
    name = f"{PREFIX}{terminal.tenant}/{terminal.terminal}"
    upsert_rows(connection, meta, [{"name": name, "value": dumps(claim).decode()}])
    return epoch


def begin_and_settle(connection: Connection, capabilities: Capabilities, cause: str) -> str:
    """Begin a new epoch, which settles every claim. Returns it."""
    connection.execute(delete(meta).where(meta.c.name.startswith(PREFIX, autoescape=True)))
    return begin_epoch(connection, capabilities, cause)


def claims_of(connection: Connection, tenant: str) -> list[Claim]:
    """Return the claims that wait for a person, by terminal."""
    mine = meta.c.name.startswith(f"{PREFIX}{tenant}/", autoescape=True)
    query = select(meta.c.value).where(mine).order_by(meta.c.name)
    return [decode(Claim, loads(value)) for value in connection.execute(query).scalars()]
