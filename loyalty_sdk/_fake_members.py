"""The members of a FakeAgent: what central holds of them, what the terminal has seen, and what was granted ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loyalty_sdk.programme import OfflineCaps

__all__ = ["Account", "Members", "Owner"]


@dataclass(slots=True, kw_only=True)
class Account:
    """One member. `central` is the balance at central, `pending` the points of entries that central has not seen.

    `seen` is the balance that the terminal last got from central, None where it never asked for this member.
    """

    member_id: str
    aliases: set[str]
    name_masked: str
    tier: str
    central: int
    pending: int = 0
    held: int = 0
    seen: int | None = None
    seen_at: datetime | None = None
    revision: int = 0
    granted: int = 0
    granted_until: datetime | None = None
    points_offline: int = 0
    redemptions_offline: int = 0

    def shown(self) -> int | None:
        """Return the balance as the till shows it."""
        return None if self.seen is None else self.seen + self.pending

    def refresh(self, now: datetime) -> None:
        """Take the balance from central, with everything that was pending."""
        self.central += self.pending
        self.pending = self.points_offline = self.redemptions_offline = 0
        self.seen, self.seen_at, self.revision = self.central, now, self.revision + 1
        self.granted = min(self.granted, self.available())

    def available(self) -> int:
        """Return what may be redeemed online."""
        return max(0, self.central - self.held)

    def grant_ahead(self, caps: OfflineCaps, now: datetime) -> None:
        """Set points aside for this terminal, as when the member is identified online."""
        self.granted = min(caps.grant_ahead_points_max, self.available())
        self.granted_until = now + timedelta(hours=caps.grant_hours)

    def granted_at(self, now: datetime) -> int:
        """Return what is left of the grant ahead."""
        in_time = self.granted_until is not None and now < self.granted_until
        return self.granted if in_time else 0


Owner = Account | str | None
"""Whose points an entry moves: a member, an alias that belongs to nobody yet, or nobody."""


@dataclass(slots=True, kw_only=True)
class Members:
    """All accounts, and the points of aliases that belong to nobody yet."""

    _accounts: dict[str, Account] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def add(self, member_id: str, aliases: Iterable[str], *, balance: int, name: str, tier: str) -> Account:
        """Register a member; points that its aliases have earned before are credited."""
        names = set(aliases)
        taken = sorted(alias for alias in names if self.by_alias(alias) is not None)
        if taken or not names:
            raise ValueError(f"aliases taken: {', '.join(taken)}" if taken else "a member needs an alias")
        account = Account(member_id=member_id, aliases=names, name_masked=_masked(name), tier=tier, central=balance)
        self._accounts[member_id] = account
        account.central += sum(self._waiting.pop(alias, 0) for alias in names)
        return account

    def by_alias(self, alias: str) -> Account | None:
        """Return the member of an alias."""
        return next((account for account in self if alias in account.aliases), None)

    def by_id(self, member_id: str) -> Account | None:
        """Return the member of an id."""
        return self._accounts.get(member_id)

    def move(self, owner: Owner, points: int, *, online: bool, now: datetime) -> None:
        """Add points to whom they belong: at once at central when online, else as pending."""
        if isinstance(owner, str) and online:
            owner = self.by_alias(owner) or owner  # Sold while the card was not known here; central knows it now.
        if isinstance(owner, Account):
            owner.pending += points
            if online:
                owner.refresh(now)
        elif owner is not None:
            self._waiting[owner] = self._waiting.get(owner, 0) + points

    def reach_central(self, now: datetime) -> None:
        """Apply everything that was recorded offline; points of aliases that have become known find their member."""
        for account in self:
            account.central += sum(self._waiting.pop(alias, 0) for alias in account.aliases)
            if account.seen is not None or account.pending:
                account.refresh(now)


def _masked(name: str) -> str:
    """Show a first name and an initial, as terminals do: `Ana S.`."""
    first, *others = name.split() or [""]
    return " ".join([first, *(f"{other[0]}." for other in others[-1:])])
