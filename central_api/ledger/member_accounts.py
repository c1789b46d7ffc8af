"""The members' accounts in one transaction: loaded, brought to now, folded again where what is booked changes, written.

An account is brought to now when it is loaded, so that nobody decides on points whose date has come. Facts that are new
in time change the account as they are booked; only where one concerns what was settled before is the member folded
again, from the last standing before it. Decides about no entry: see `central_api.judging.judgement`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

from central_api.ledger import feed
from central_api.ledger.accounts import Account
from central_api.ledger.facts import DebitKind, Facts, LotKind, load_facts
from central_api.ledger.fold import Debit, Folded, Lot, Standing
from central_api.ledger.records import Grant
from central_api.ledger.settling import Booking, Settlement, corrected, settled
from central_api.ledger.standings import forget_standings, keep_standings
from central_api.storage.schema import balances, members, reservations
from central_api.storage.schema_ledger import settlements
from central_api.storage.schema_office import merges
from central_api.storage.shelf import Shelf
from central_api.storage.statements import among, given, select_rows, upsert_rows

__all__ = ["MemberAccounts"]


def _of_member(table: Table) -> ColumnElement[bool]:
    return (table.c.tenant == members.c.tenant) & (table.c.member_id == members.c.member_id)


_ACCOUNTS = (
    select(
        members.c.member_id,
        balances.c.available,
        balances.c.pending,
        balances.c.owed,
        reservations.c.terminal,
        reservations.c.points,
        settlements.c.next_due_at,
        settlements.c.settled_at,
        settlements.c.expired,
        settlements.c.written_off,
        merges.c.into_member_id,
    )
    .join_from(members, balances, _of_member(balances), isouter=True)
    .join(reservations, _of_member(reservations), isouter=True)
    .join(settlements, _of_member(settlements), isouter=True)
    .join(merges, _of_member(merges), isouter=True)
    .where(given(members.c.tenant), among(members.c.member_id))
)


class MemberAccounts:
    """Accounts of one tenant by member. `lock` locks members before they are read, `book` keeps their movements."""

    def __init__(
        self,
        connection: Connection,
        tenant: str,
        now: datetime,
        *,
        lock: Callable[[Sequence[str]], None],
        book: Callable[[str, Booking], None],
    ) -> None:
        self.facts = Facts(connection, tenant)
        self._connection = connection
        self._tenant = tenant
        self._now = now
        self._lock = lock
        self._book = book
        self._shelf: Shelf[str, Account] = Shelf(self._load)
        self._before: dict[str, int] = {}
        self._merged: dict[str, str] = {}
        self._settlements: dict[str, Settlement] = {}
        self._settled: set[str] = set()
        self._left: dict[str, Sequence[Standing]] = {}

    def fetch(self, member_ids: Iterable[str]) -> None:
        """Lock and load members, and those that they were merged into."""
        wanted = list(member_ids)
        self._shelf.fetch(wanted)
        if self._merged:
            self._shelf.fetch(self._merged[member_id] for member_id in wanted if member_id in self._merged)

    def get(self, member_id: str) -> Account | None:
        """Return the account of a member, or of the one that it was merged into; None where there is no such member."""
        return self._shelf.get(self.member_of(member_id))

    def member_of(self, member_id: str) -> str:
        """Return the member for whom an id counts: itself, or the one that it was merged into."""
        self._shelf.get(member_id)
        return self._merged.get(member_id, member_id)

    def give(self, member_id: str, lot: Lot, kind: LotKind, earned_at: datetime) -> bool:
        """Keep a new lot as a fact; its points are booked apart from that. Returns whether they are pending."""
        self.facts.give(member_id, lot, kind=kind, earned_at=earned_at)
        self._note_lot(member_id, lot, lot.lot_id)
        is_pending = lot.available_at > max(earned_at, self._settlements[member_id].at(self._now))
        dated = lot.available_at if is_pending else lot.expires_at
        if dated is not None and self._settlements[member_id].falls_due(dated):
            self._settled.add(member_id)
        return is_pending

    def leave(self, member_id: str, lot: Lot, points: int, cause: str) -> None:
        """Keep what a lot gave after something came back of it."""
        self.facts.leave(member_id, lot, points)
        self._note_lot(member_id, lot, cause)

    def take(self, member_id: str, debit: Debit, kind: DebitKind) -> None:
        """Keep a new debit as a fact; what a write-off forgives is booked by the fold."""
        self.facts.take(member_id, debit, kind=kind)
        self._settlements[member_id].concerned_by(debit.effective_at, debit.debit_id)
        if debit.is_write_off:
            self.fold_again(member_id, debit.debit_id)

    def give_back(self, grant: Grant, points: int, cause: str) -> None:
        """Keep that points of a grant came back to its member: as if they had not been set aside."""
        self.facts.give_back(grant.member_id, grant.grant_id, points)
        self._settlements[grant.member_id].concerned_by(grant.issued_at, cause)

    def is_pending(self, member_id: str, lot: Lot) -> bool:
        """Whether the points of a lot were booked as pending: then its date is due, which is not so where it passed."""
        settlement = self._settlements[member_id]
        is_due = settlement.next_due_at is not None and settlement.next_due_at <= lot.available_at
        return is_due and lot.available_at > settlement.at(self._now)

    def fold_again(self, member_id: str, cause: str) -> None:
        """Fold a member's facts when they are written, and book what differs under the id of what changed them."""
        self._settlements[member_id].again = self._settlements[member_id].again or cause

    def write_facts(self) -> None:
        """Send lots and debits, and correct what was booked of members for whom something came late, or came back."""
        self.facts.write()
        again = {member_id: found for member_id, found in sorted(self._settlements.items()) if found.again}
        since = {member_id: found.since for member_id, found in again.items() if found.since is not None}
        self._write_standings()
        forget_standings(self._connection, self._tenant, since)
        for member_id, folded, at in self._folded(again):
            self._book(member_id, corrected(self._held(member_id), folded, again[member_id].again, self._now))
            self._keep(member_id, folded, at)
        self._write_standings()

    def write(self, touched: Set[str], wanted: Set[str]) -> None:
        """Send the accounts of members who were booked; tell of those that changed, or that are wanted anew."""
        held = [(member_id, self._held(member_id)) for member_id in sorted(touched) if self._shelf.get(member_id)]
        upsert_rows(self._connection, balances, [self._balance_row(*item) for item in held])
        upsert_rows(self._connection, settlements, [self._settlement_row(name) for name in sorted(self._settled)])
        upsert_rows(
            self._connection,
            reservations,
            [
                self._row(member_id=member_id, terminal=terminal, points=points)
                for member_id, account in held
                for terminal, points in account.reserved.items()
            ],
        )
        # Also where a sale and its return net to nothing: who sold to an unknown card hears of its member this way.
        changed = [name for name, account in held if name in wanted or account.balance != self._before.get(name)]
        feed.members_changed(self._connection, self._tenant, changed, self._now)

    def _held(self, member_id: str) -> Account:
        account = self._shelf.get(member_id)
        if account is None:
            raise ValueError(f"there is no member {member_id}")
        return account

    def _note_lot(self, member_id: str, lot: Lot, cause: str) -> None:
        self._settlements[member_id].concerned_by(lot.available_at, cause)
        if lot.expires_at is not None and lot.expires_at <= self._now:
            self.fold_again(member_id, cause)

    def _folded(self, member_ids: Iterable[str]) -> Iterator[tuple[str, Folded, datetime]]:
        """Fold members up to now, or as far as they are settled; each with the instant that it is folded to."""
        wanted = {member_id: self._settlements[member_id].at(self._now) for member_id in member_ids}
        if not wanted:
            return
        for member_id, found in load_facts(self._connection, self._tenant, wanted, max(wanted.values())).items():
            at = found.known_at(wanted[member_id])
            yield member_id, found.folded(at), at

    def _write_standings(self) -> None:
        """Only with what is settled: a fact that is not later than a standing has to be found late."""
        for member_id, found in sorted(self._left.items()):
            keep_standings(self._connection, self._tenant, member_id, found)
        self._left.clear()

    def _keep(self, member_id: str, folded: Folded, at: datetime) -> None:
        self._left[member_id] = folded.standings
        self._settlements[member_id] = Settlement(next_due_at=folded.next_due_at, settled_at=at)
        self._settled.add(member_id)

    def _load(self, member_ids: Sequence[str]) -> Mapping[str, Account]:
        """A member without a row in `balances` has an account of zeros; one that does not exist has none."""
        self._lock(member_ids)
        found: dict[str, Account] = {}
        for row in select_rows(self._connection, _ACCOUNTS, self._row(member_id=member_ids)):
            if row.member_id not in found:
                found[row.member_id] = self._opened(row)
            if row.terminal is not None:
                found[row.member_id].reserved[row.terminal] = row.points
        self._before |= {member_id: account.balance for member_id, account in found.items()}
        self._settle({name: found[name] for name in found if self._settlements[name].is_due(self._now)})
        return found

    def _opened(self, row: Any) -> Account:
        self._settlements[row.member_id] = Settlement(next_due_at=row.next_due_at, settled_at=row.settled_at)
        if row.into_member_id is not None:
            self._merged[row.member_id] = row.into_member_id
        return Account(
            available=row.available or 0,
            pending=row.pending or 0,
            owed=row.owed or 0,
            expired=row.expired or 0,
            written_off=row.written_off or 0,
        )

    def _settle(self, due: Mapping[str, Account]) -> None:
        """Book what time did to members before anything else is done to them."""
        for member_id, folded, at in self._folded(due):
            since = self._settlements[member_id].next_due_at or at
            for booking in settled(due[member_id], folded, since, member_id):
                self._book(member_id, booking)
                # Snapshots count what time did before it is booked: what tills were told last may be any figure since.
                self._before.pop(member_id, None)
            # Nothing, unless central's clock went to and fro around these dates.
            self._book(member_id, corrected(due[member_id], folded, f"{member_id}/{at.isoformat()}", at))
            self._keep(member_id, folded, at)

    def _row(self, **values: Any) -> dict[str, Any]:
        return {"tenant": self._tenant, **values}

    def _balance_row(self, member_id: str, account: Account) -> dict[str, Any]:
        return self._row(member_id=member_id, available=account.available, pending=account.pending, owed=account.owed)

    def _settlement_row(self, member_id: str) -> dict[str, Any]:
        account, settlement = self._held(member_id), self._settlements[member_id]
        return self._row(
            member_id=member_id,
            next_due_at=settlement.next_due_at,
            settled_at=settlement.settled_at,
            expired=account.expired,
            written_off=account.written_off,
        )
