"""The lots and debits that one transaction makes or changes, and all of a member where they are to be folded.

Knows the tables; what a lot or a debit means is the fold's (`central_api.ledger.fold`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, bindparam, select, tuple_, update

from central_api.ledger.fold import Debit, Folded, Lot, fold
from central_api.storage.schema_ledger import debits, lots
from central_api.storage.shelf import KEYS_PER_QUERY_MAX, Shelf
from central_api.storage.statements import among, given, insert_rows

__all__ = ["DebitKind", "Facts", "LotKind", "MemberFacts", "folded_members", "load_facts"]

LotKind = Literal["sale", "adjustment"]
DebitKind = Literal["grant", "unlinked_return", "adjustment", "write_off"]

_LOT = (lots.c.lot_id, lots.c.points, lots.c.available_at, lots.c.expires_at)
_LOTS = select(lots.c.member_id, lots.c.earned_at, *_LOT).where(
    given(lots.c.tenant), among(lots.c.member_id), lots.c.points > 0
)
_SOME_LOTS = select(lots.c.member_id, *_LOT).where(
    given(lots.c.tenant), tuple_(lots.c.member_id, lots.c.lot_id).in_(bindparam("keys", expanding=True))
)
_DEBITS = select(debits.c.member_id, debits.c.debit_id, debits.c.points, debits.c.effective_at, debits.c.kind).where(
    given(debits.c.tenant), among(debits.c.member_id), debits.c.points > 0
)
_THIS_LOT = (
    (lots.c.tenant == bindparam("of_tenant"))
    & (lots.c.member_id == bindparam("of_member"))
    & (lots.c.lot_id == bindparam("of_lot"))
)
_SET_LOT = update(lots).where(_THIS_LOT).values(points=bindparam("left"))
_THIS_DEBIT = (
    (debits.c.tenant == bindparam("of_tenant"))
    & (debits.c.member_id == bindparam("of_member"))
    & (debits.c.debit_id == bindparam("of_debit"))
)
_LOWER_DEBIT = update(debits).where(_THIS_DEBIT).values(points=debits.c.points - bindparam("back"))


class MemberFacts(NamedTuple):
    """All that a fold of one member needs, in no order."""

    lots: list[Lot]
    debits: list[Debit]
    times: list[datetime]

    def folded(self, at: datetime) -> Folded:
        """Fold up to an instant, but never to before anything that is known: central's clock may have gone back."""
        return fold(self.lots, self.debits, self.known_at(at))

    def known_at(self, at: datetime) -> datetime:
        """The later of an instant and the last fact."""
        return max([at, *self.times])


class Facts:
    """What one transaction of one tenant gives and takes. Nothing is sent before `write`."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant
        self._new_lots: list[dict[str, Any]] = []
        self._new_debits: list[dict[str, Any]] = []
        self._left: dict[tuple[str, str], int] = {}
        self._back: dict[tuple[str, str], int] = {}
        self.lots: Shelf[tuple[str, str], Lot] = Shelf(self._load_lots)

    def give(self, member_id: str, lot: Lot, *, kind: LotKind, earned_at: datetime) -> None:
        """Keep a new lot."""
        self.lots.put((member_id, lot.lot_id), lot)
        self._new_lots.append(
            {
                "tenant": self._tenant,
                "member_id": member_id,
                "lot_id": lot.lot_id,
                "kind": kind,
                "points": lot.points,
                "earned_at": earned_at,
                "available_at": lot.available_at,
                "expires_at": lot.expires_at,
            }
        )

    def leave(self, member_id: str, lot: Lot, points: int) -> None:
        """Set what a lot gave after something came back of it."""
        self.lots.put((member_id, lot.lot_id), lot._replace(points=points))
        self._left[member_id, lot.lot_id] = points

    def take(self, member_id: str, debit: Debit, *, kind: DebitKind) -> None:
        """Keep a new debit."""
        self._new_debits.append(
            {
                "tenant": self._tenant,
                "member_id": member_id,
                "debit_id": debit.debit_id,
                "kind": kind,
                "points": debit.points,
                "effective_at": debit.effective_at,
            }
        )

    def give_back(self, member_id: str, debit_id: str, points: int) -> None:
        """Take points off a debit; below 0 they are put on it again."""
        key = (member_id, debit_id)
        self._back[key] = self._back.get(key, 0) + points

    def write(self) -> None:
        """Send everything to the database."""
        insert_rows(self._connection, lots, self._new_lots)
        insert_rows(self._connection, debits, self._new_debits)
        if self._left:
            rows = [self._place("of_lot", key) | {"left": points} for key, points in sorted(self._left.items())]
            self._connection.execute(_SET_LOT, rows)
        if back := {key: points for key, points in sorted(self._back.items()) if points}:
            rows = [self._place("of_debit", key) | {"back": points} for key, points in back.items()]
            self._connection.execute(_LOWER_DEBIT, rows)

    def _place(self, name: str, key: tuple[str, str]) -> dict[str, Any]:
        return {"of_tenant": self._tenant, "of_member": key[0], name: key[1]}

    def _load_lots(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Lot]:
        rows = self._connection.execute(_SOME_LOTS, {"tenant": self._tenant, "keys": list(keys)})
        return {(row.member_id, row.lot_id): _lot(row) for row in rows}


def load_facts(connection: Connection, tenant: str, member_ids: Iterable[str]) -> dict[str, MemberFacts]:
    """Return the facts of members as they are stored; what came back whole is left out."""
    wanted = sorted(set(member_ids))
    found = {member_id: MemberFacts([], [], []) for member_id in wanted}
    for start in range(0, len(wanted), KEYS_PER_QUERY_MAX):
        these = {"tenant": tenant, "member_id": wanted[start : start + KEYS_PER_QUERY_MAX]}
        for lot in connection.execute(_LOTS, these):
            found[lot.member_id].lots.append(_lot(lot))
            found[lot.member_id].times.append(lot.earned_at)
        for row in connection.execute(_DEBITS, these):
            debit = Debit(row.debit_id, row.points, row.effective_at, row.kind == "write_off")
            found[row.member_id].debits.append(debit)
            found[row.member_id].times.append(row.effective_at)
    return found


def folded_members(connection: Connection, tenant: str, member_ids: Iterable[str], now: datetime) -> dict[str, Folded]:
    """Return what members have now, also where what time did is not booked yet. Writes nothing."""
    facts = load_facts(connection, tenant, member_ids)
    return {member_id: found.folded(now) for member_id, found in facts.items()}


def _lot(row: Any) -> Lot:
    return Lot(row.lot_id, row.points, row.available_at, row.expires_at)
