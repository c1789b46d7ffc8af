"""The lots and debits that one transaction makes or changes, and those of a member that are to be folded.

A fold begins at the last standing, so what a member had before costs nothing. Lots that are still to come are summed by
the database and given as one: nothing is done with them but to say how many points they are, and when the first comes.

Knows the tables; what a lot or a debit means is the fold's (`central_api.ledger.fold`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Select, bindparam, func, select, update

from central_api.ledger.fold import Debit, Folded, Lot, Standing, fold
from central_api.ledger.standings import last_standings
from central_api.storage.schema_ledger import debits, lots
from central_api.storage.shelf import KEYS_PER_QUERY_MAX, Shelf
from central_api.storage.statements import among, among_keys, given, insert_rows, select_rows, total

__all__ = ["DebitKind", "Facts", "LotKind", "MemberFacts", "all_facts", "folded_members", "load_facts"]

LotKind = Literal["sale", "adjustment"]
DebitKind = Literal["grant", "unlinked_return", "adjustment", "write_off"]

_LOT = (lots.c.lot_id, lots.c.points, lots.c.available_at, lots.c.expires_at)
_DEBIT = (debits.c.debit_id, debits.c.points, debits.c.effective_at, debits.c.kind)
_MANY = given(lots.c.tenant) & among(lots.c.member_id) & (lots.c.points > 0)
_ONE = given(lots.c.tenant, lots.c.member_id) & (lots.c.points > 0)
_UNTIL = lots.c.available_at <= bindparam("until", type_=lots.c.available_at.type)
_SINCE = bindparam("since", type_=lots.c.available_at.type)
_ALL_LOTS = select(lots.c.member_id, lots.c.earned_at, *_LOT).where(_MANY)
_LOTS = _ALL_LOTS.where(_UNTIL)
_LOTS_SINCE = select(lots.c.member_id, lots.c.earned_at, *_LOT).where(_ONE, lots.c.available_at > _SINCE, _UNTIL)
_LATER_LOTS = (
    select(
        lots.c.member_id,
        total(lots.c.points).label("points"),
        func.min(lots.c.available_at).label("available_at"),
        func.max(lots.c.earned_at).label("earned_at"),
    )
    .where(_MANY, ~_UNTIL)
    .group_by(lots.c.member_id)
)
_SOME_LOTS = select(lots.c.member_id, *_LOT).where(
    given(lots.c.tenant), among_keys("lots", lots.c.member_id, lots.c.lot_id)
)
_DEBITS = select(debits.c.member_id, *_DEBIT).where(
    given(debits.c.tenant), among(debits.c.member_id), debits.c.points > 0
)
_DEBITS_SINCE = select(debits.c.member_id, *_DEBIT).where(
    given(debits.c.tenant, debits.c.member_id), debits.c.points > 0, debits.c.effective_at > _SINCE
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


@dataclass(slots=True)
class MemberFacts:
    """What a fold of one member needs, in no order: all that there is, or what is later than `since`."""

    lots: list[Lot] = field(default_factory=list)
    debits: list[Debit] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    since: Standing | None = None

    def folded(self, at: datetime) -> Folded:
        """Fold up to an instant, but never to before anything that is known: central's clock may have gone back."""
        return fold(self.lots, self.debits, self.known_at(at), self.since)

    def known_at(self, at: datetime) -> datetime:
        """The later of an instant and the last fact."""
        return max([at, *self.times])

    def add_lot(self, row: Any) -> None:
        """Take in a row of a lot."""
        self.lots.append(_lot(row))
        self.times.append(row.earned_at)

    def add_debit(self, row: Any) -> None:
        """Take in a row of a debit."""
        self.debits.append(Debit(row.debit_id, row.points, row.effective_at, row.kind == "write_off"))
        self.times.append(row.effective_at)


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
        rows = select_rows(self._connection, _SOME_LOTS, {"tenant": self._tenant, "lots": list(keys)})
        return {(row.member_id, row.lot_id): _lot(row) for row in rows}


def all_facts(connection: Connection, tenant: str, member_id: str) -> MemberFacts:
    """Return every fact of a member as it is stored, whatever the number; what came back whole is left out."""
    found, this = MemberFacts(), {"tenant": tenant, "member_id": [member_id]}
    for lot in connection.execute(_ALL_LOTS, this):
        found.add_lot(lot)
    for debit in connection.execute(_DEBITS, this):
        found.add_debit(debit)
    return found


def load_facts(connection: Connection, tenant: str, member_ids: Iterable[str], at: datetime) -> dict[str, MemberFacts]:
    """Return what is needed to fold members up to an instant: what is later than their last standings."""
    wanted = sorted(set(member_ids))
    found: dict[str, MemberFacts] = {}
    for start in range(0, len(wanted), KEYS_PER_QUERY_MAX):
        found |= _Loading(connection, tenant, wanted[start : start + KEYS_PER_QUERY_MAX]).load(at)
    return found


def folded_members(connection: Connection, tenant: str, member_ids: Iterable[str], now: datetime) -> dict[str, Folded]:
    """Return what members have now, also where what time did is not booked yet. Writes nothing."""
    facts = load_facts(connection, tenant, member_ids, now)
    return {member_id: found.folded(now) for member_id, found in facts.items()}


class _Loading:
    """Loads the facts of at most KEYS_PER_QUERY_MAX members; those with a standing, who are few, one by one."""

    def __init__(self, connection: Connection, tenant: str, member_ids: Sequence[str]) -> None:
        self._connection = connection
        self._tenant = tenant
        self._standings = last_standings(connection, tenant, member_ids)
        self._others = [member_id for member_id in member_ids if member_id not in self._standings]
        self._found = {name: MemberFacts(since=self._standings.get(name)) for name in member_ids}

    def load(self, at: datetime) -> dict[str, MemberFacts]:
        for debit in self._rows(_DEBITS, _DEBITS_SINCE):
            self._found[debit.member_id].add_debit(debit)
        for member_id, standing in self._standings.items():
            self._found[member_id].times.append(standing.at)
        until = max([at, *(instant for facts in self._found.values() for instant in facts.times)])
        # All that is known by then; where central's clock went back, also what is known of later.
        later = self._later(until)
        while (known := max((row.earned_at for row in later), default=until)) > until:
            later = self._later(until := known)
        for row in later:
            self._found[row.member_id].lots.append(Lot("later", row.points, row.available_at))
            self._found[row.member_id].times.append(row.earned_at)
        for lot in self._rows(_LOTS, _LOTS_SINCE, until=until):
            self._found[lot.member_id].add_lot(lot)
        return self._found

    def _later(self, until: datetime) -> Sequence[Any]:
        these = {"tenant": self._tenant, "member_id": list(self._found), "until": until}
        return self._connection.execute(_LATER_LOTS, these).all()

    def _rows(self, of_many: Select[Any], of_one: Select[Any], **values: Any) -> Iterator[Any]:
        if self._others:
            these = {"tenant": self._tenant, "member_id": self._others, **values}
            yield from self._connection.execute(of_many, these)
        for member_id, standing in self._standings.items():
            this = {"tenant": self._tenant, "member_id": member_id, "since": standing.at, **values}
            yield from self._connection.execute(of_one, this)


def _lot(row: Any) -> Lot:
    return Lot(row.lot_id, row.points, row.available_at, row.expires_at)
