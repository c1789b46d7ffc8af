"""The matter that is judged: an entry, the books, and the questions that every judge asks. Decides no kind of entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from central_api.accounts import Account, Movement
from central_api.awaited import waits_for_alias
from central_api.books import Books
from central_api.keys import KeyRing
from central_api.records import Unfit
from loyalty_sdk.basket import Basket
from loyalty_sdk.envelope import Entry
from loyalty_sdk.programme import Programme

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

        Raises Unfit: held while nobody has registered the alias, quarantined for a member that central never had.
        """
        member_id = named or self._member_of_alias()
        if member_id is None:
            return None
        if self.books.accounts.get(member_id) is None:
            raise Unfit("quarantined", "member-unknown")
        self.books.wants(member_id, self.entry.terminal)
        return member_id

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
