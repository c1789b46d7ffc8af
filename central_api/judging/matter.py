"""The matter that is judged: an entry, the books, and the questions that every judge asks. Decides no kind of entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from central_api.keys import KeyRing
from central_api.ledger.accounts import Account, Movement
from central_api.ledger.awaited import waits_for_alias
from central_api.ledger.books import Books
from central_api.ledger.fold import Debit, Lot
from central_api.ledger.records import Grant, Unfit
from loyalty_sdk.basket import Basket
from loyalty_sdk.envelope import Entry
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import points_available_at, points_expire_at

__all__ = ["POINTS_MAX", "Matter"]

# No shop gives more for one sale; without a limit, a hostile terminal could make the sums too large to store.
POINTS_MAX = 1_000_000_000
NUMBER_LOST = (
    "attachment-unreadable: the card's number does not open, or went with a restored database (the till deletes it "
    "when it is acknowledged): ask the customer for the receipt, and record it again under a new number with the card"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One entry before its judge."""

    books: Books
    keys: KeyRing
    entry: Entry
    effective_at: datetime
    alias_digest: str | None

    def member(self, named: str | None) -> str | None:
        """Return the member of a sale or return: the one named, or the alias' owner; None for nobody.

        For one who was merged into another, that is the other.

        Raises Unfit: held while nobody has registered the alias, quarantined for a member that central never had.
        """
        member_id = named or self._member_of_alias()
        if member_id is None:
            return None
        if self.books.accounts.get(member_id) is None:
            raise Unfit("quarantined", "member-unknown")
        self.books.wants(member_id, self.entry.terminal)
        return self.books.accounts.member_of(member_id)

    def account(self, member_id: str) -> Account:
        """Return the account of a member that exists."""
        account = self.books.accounts.get(member_id)
        if account is None:
            raise Unfit("quarantined", "member-unknown")
        return account

    def programme(self, basket: Basket) -> Programme | None:
        """Return the programme that the entry names, None where it names none. Raises Unfit."""
        version = self.entry.programme_version
        if version is None:
            return None
        programme = self.books.programmes.get(version)
        if programme is None:
            raise Unfit("quarantined", "programme-unknown")
        if programme.currency != basket.currency:
            raise Unfit("quarantined", "currency-differs")
        return programme

    def earn(self, member_id: str, programme: Programme, points: int) -> None:
        """Give a sale's points, by its own programme: at once, or pending; with the date at which they expire."""
        at = self.effective_at
        lot = Lot(self.entry.id, points, points_available_at(programme, at), points_expire_at(programme, at))
        account, accounts = self.account(member_id), self.books.accounts
        is_pending = accounts.give(member_id, lot, "sale", at)
        self.book(member_id, account.earn_pending(points) if is_pending else account.earn(points), "sale")

    def take_back(self, member_id: str, sale_id: str, points: int) -> None:
        """Take back what a sale gave; below 0, where the rest of a basket earns more than the whole, give it."""
        account, accounts = self.account(member_id), self.books.accounts
        lot = accounts.facts.lots.get((member_id, sale_id))
        if lot is None or not points:
            return
        accounts.leave(member_id, lot, lot.points - points, self.entry.id)
        pending = min(points, account.pending) if accounts.is_pending(member_id, lot) else 0
        self.book(member_id, [*account.take_back_pending(pending), *account.take_back(points - pending)], "return")

    def take(self, member_id: str, points: int, reason: str) -> None:
        """Take points for this entry itself."""
        if not points:
            return
        self.book(member_id, self.account(member_id).take_back(points), reason)
        self.books.accounts.take(member_id, Debit(self.entry.id, points, self.effective_at), "unlinked_return")

    def release(self, grant: Grant, points: int, reason: str) -> None:
        """Give back to the member what was set aside by a grant."""
        grant.released += points
        self.books.grant_changed(grant)
        movements = self.account(grant.member_id).release(grant.terminal, points)
        self.books.accounts.give_back(grant, points, self.entry.id)
        self.book(grant.member_id, movements, reason, grant.grant_id)

    def book(self, member_id: str, movements: Iterable[Movement], reason: str, grant_id: str | None = None) -> None:
        """Keep the movements as transfers of this entry."""
        self.books.book(
            member_id,
            movements,
            terminal=self.entry.terminal,
            effective_at=self.effective_at,
            reason=reason,
            entry_id=self.entry.id,
            grant_id=grant_id,
        )

    def _member_of_alias(self) -> str | None:
        if self.entry.attachment_hash is None:
            return None
        if self.alias_digest is None:
            raise Unfit("quarantined", NUMBER_LOST)
        member_id = self.books.aliases.get(self.alias_digest)
        if member_id is None:
            raise Unfit("held", "alias-unknown", waits_for_alias(self.alias_digest))
        return member_id
