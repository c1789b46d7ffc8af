"""Order independence: everything that central stored, delivered to a central of its own in another order.

Central's decisions are part of the story, so they are made again beforehand: members, programmes, and the grants that
were issued. What these set aside is owed until the points arrive that they were issued from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from central_api.exchange.upload import receive_upload
from central_api.storage.installation import epoch_of
from central_api.terminals.terminals import authenticate
from loyalty_sdk.envelope import upload_signing_input
from loyalty_sdk.protocol import UploadHeaders, join_upload
from sync.identity import Identity
from tests.simulation.ledger import Ledger, read_ledger
from tests.simulation.witness import Noted

if TYPE_CHECKING:
    from tests.simulation.run import Simulation

__all__ = ["net_in_another_order"]

FORGOTTEN = (
    "waiting",
    "attachments",
    "receipts",
    "returned_lines",
    "grant_uses",
    "sales",
    "transfers",
    "changes",
    "reservations",
    "lots",
    "debits",
    "total_parts",
    "settlements",
    "standings",
    "balances",
    "entries",
    "journals",
)


def net_in_another_order(simulation: Simulation, ledger: Ledger) -> Mapping[str, int]:
    """Return each member's points after the replay. The database is put back as it was."""
    site = simulation.server.site
    image = site.image()
    try:
        sealed = _sealed(simulation)
        with site.connection.begin():
            _forget(site.connection, ledger)
        _deliver(simulation, sealed)
        again = read_ledger(site.connection)
        return {member_id: again.net(member_id) for member_id, _ in simulation.members()}
    finally:
        site.restore(image)


def _sealed(simulation: Simulation) -> Mapping[str, tuple[str, bytes]]:
    """The attachments as the terminals sealed them: central keeps most of them under another key."""
    return {name: pair for shop in simulation.shops for name, pair in shop.witness.attachments.items()}


def _forget(connection: Connection, ledger: Ledger) -> None:
    """Go back to before the first entry; what operators and grants decided stays."""
    for table in FORGOTTEN:
        connection.exec_driver_sql(f"DELETE FROM {table}")
    connection.exec_driver_sql("UPDATE grants SET spent = 0, released = 0, overdrawn = 0, state = 'open'")
    connection.exec_driver_sql(
        "INSERT INTO debits (tenant, member_id, debit_id, kind, points, effective_at)"
        " SELECT tenant, member_id, grant_id, 'grant', points, issued_at FROM grants"
    )
    reserved: Counter[tuple[str, str, str]] = Counter()
    granted: Counter[str] = Counter()
    for grant in ledger.grants:
        reserved[grant.tenant, grant.member_id, grant.terminal] += grant.points
        granted[grant.member_id] += grant.points
    for key, points in reserved.items():
        connection.exec_driver_sql("INSERT INTO reservations VALUES (?, ?, ?, ?)", (*key, points))
    for row in connection.exec_driver_sql("SELECT tenant, member_id FROM members").all():
        connection.exec_driver_sql(
            "INSERT INTO balances (tenant, member_id, available, pending, owed) VALUES (?, ?, 0, 0, ?)",
            (row.tenant, row.member_id, granted[row.member_id]),
        )


def _deliver(simulation: Simulation, sealed: Mapping[str, tuple[str, bytes]]) -> None:
    """Upload the journals in turns that have nothing to do with those in which they came."""
    random = Random(f"order {simulation.seed}")
    site = simulation.server.site
    left = {
        (shop, journal): list(noted) for shop in simulation.shops for journal, noted in shop.witness.journals.items()
    }
    while left:
        (shop, journal) = place = random.choice(list(left))
        count = random.randint(1, 100)
        part, left[place] = left[place][:count], left[place][count:]
        if not left[place]:
            del left[place]
        with site.connection.begin():
            terminal = authenticate(site.connection, shop.identity.token)
            headers, body = _upload(shop.identity, epoch_of(site.connection), journal, part, sealed)
            receive_upload(site.connection, site.capabilities, terminal, journal, headers, body)


def _upload(
    identity: Identity, epoch: str, journal: str, part: Sequence[Noted], sealed: Mapping[str, tuple[str, bytes]]
) -> tuple[UploadHeaders, bytes]:
    body = join_upload((noted.data, *sealed.get(noted.entry_id, (None, None))) for noted in part)
    first, head = part[0], part[-1]
    values: dict[str, Any] = {
        "epoch": epoch,
        "first_seq": first.seq,
        "head_seq": head.seq,
        "head_hash": head.hash,
    }
    message = upload_signing_input(terminal=identity.terminal, journal=journal, body=body, **values)
    return UploadHeaders(signature=identity.sign(message), **values), body
