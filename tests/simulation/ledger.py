"""Central's ledger as the laws read it: plain SQL into plain rows, none of central's own reading code."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

__all__ = ["Ledger", "read_ledger"]

# What expired counts: that the date of a sale's points came is no booking of the sale.
_NET = dict.fromkeys(("available", "pending", "reserved", "owed", "expired"), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the tables hold after a simulation.

    `without_card` are the entries whose sealed card number central no longer has, nor the till: it deletes it when
    acknowledged. `members_told` are those members, as (terminal, member), of whom a terminal's entries or its feed say
    something: of the others that it wants to hear of it has only asked who they are.
    """

    epoch: str
    balances: Mapping[str, Any]
    reserved: Mapping[str, int]
    sums: Mapping[str, Mapping[str, int]]
    net_of_entry: Mapping[str, int]
    entries: Sequence[Any]
    receipts: Mapping[str, str]
    grants: Sequence[Any]
    watermarks: Mapping[tuple[str, str], Any]
    snapshots_wanted: Mapping[str, Sequence[str]]
    members_told: Set[tuple[str, str]]
    without_card: Set[str]

    def net(self, member_id: str) -> int:
        """Available, reserved and owed of a member together: what a snapshot shows."""
        row = self.balances.get(member_id)
        return (0 if row is None else row.available - row.owed) + self.reserved.get(member_id, 0)


def read_ledger(connection: Connection) -> Ledger:
    """Read everything in one transaction."""
    with connection.begin():

        def rows(statement: str) -> Sequence[Any]:
            return connection.exec_driver_sql(statement).all()

        sums: dict[str, Counter[str]] = defaultdict(Counter)
        net_of_entry: Counter[str] = Counter()
        for row in rows("SELECT member_id, from_account, to_account, points, entry_id FROM transfers"):
            sums[row.member_id][row.from_account] -= row.points
            sums[row.member_id][row.to_account] += row.points
            if row.entry_id is not None:
                net_of_entry[row.entry_id] += row.points * (_NET.get(row.to_account, 0) - _NET.get(row.from_account, 0))
        wanted: dict[str, list[str]] = defaultdict(list)
        for row in rows("SELECT terminal, member_id FROM interest ORDER BY terminal, member_id"):
            wanted[row.terminal].append(row.member_id)
        entries = rows("SELECT * FROM entries ORDER BY terminal, journal, seq")
        fed = rows("SELECT terminal, key AS member_id FROM changes WHERE what = 'snapshot'")
        return Ledger(
            epoch=rows("SELECT value FROM meta WHERE name = 'epoch'")[0].value,
            balances={row.member_id: row for row in rows("SELECT member_id, available, pending, owed FROM balances")},
            reserved=dict(rows("SELECT member_id, sum(points) FROM reservations GROUP BY member_id")),
            sums=sums,
            net_of_entry=net_of_entry,
            entries=entries,
            receipts={
                f"{row.store}/{row.register} {row.business_date} {row.series}{row.number}": row.entry_id
                for row in rows("SELECT * FROM receipts")
            },
            grants=rows("SELECT * FROM grants ORDER BY grant_id"),
            watermarks={(row.terminal, row.journal): row for row in rows("SELECT * FROM journals")},
            snapshots_wanted=wanted,
            members_told={(row.terminal, row.member_id) for row in (*fed, *entries)},
            without_card={entry.id for entry in entries if entry.reason.startswith("attachment-unreadable")},
        )
