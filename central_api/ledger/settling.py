"""Brings one account to what the fold of its facts gives, as movements that can be booked. No tables.

What time did (points matured, points expired) is booked at its own time. Where a late entry or a return changes what
was booked, the difference is booked as a correction: transfers are never taken away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from central_api.ledger.accounts import Account, Movement
from central_api.ledger.fold import Folded

__all__ = ["Booking", "Settlement", "corrected", "settled"]


@dataclass(slots=True)
class Settlement:
    """How far an account is booked.

    `again` names the entry or decision for which it is to be folded again; `since` is the first instant that is then
    otherwise than it was, None where nothing before is.
    """

    next_due_at: datetime | None = None
    settled_at: datetime | None = None
    again: str = ""
    since: datetime | None = None

    def at(self, now: datetime) -> datetime:
        """The instant to which the account is brought: central's clock going back brings nothing back."""
        return now if self.settled_at is None else max(now, self.settled_at)

    def is_due(self, now: datetime) -> bool:
        """Whether time did something to the account that is not booked."""
        return self.next_due_at is not None and self.next_due_at <= now

    def concerned_by(self, instant: datetime, cause: str) -> None:
        """Note that a fact of an instant is new or changed: what was booked after it may be otherwise."""
        if self.settled_at is not None and instant <= self.settled_at:
            self.again = self.again or cause
            self.since = instant if self.since is None else min(self.since, instant)

    def falls_due(self, instant: datetime) -> bool:
        """Note a date in the future. Returns whether it is the next."""
        is_next = self.next_due_at is None or instant < self.next_due_at
        if is_next:
            self.next_due_at = instant
        return is_next


class Booking(NamedTuple):
    """Movements with the time and reason of their transfers; `cause` is what no other booking has."""

    movements: Sequence[Movement]
    effective_at: datetime
    reason: str
    cause: str


def settled(account: Account, folded: Folded, since: datetime, member_id: str) -> Iterator[Booking]:
    """Book what passed from `since` on, where nothing else changed since the account was folded."""
    for passing in folded.passed:
        if passing.at < since:
            continue
        if passing.what == "matured":
            movements, cause = account.mature(passing.points), f"{passing.lot_id}/available"
        else:
            movements, cause = account.expire(passing.points), f"{member_id}/{passing.at.isoformat()}/expired"
        yield Booking(movements, passing.at, passing.what, cause)


def corrected(account: Account, folded: Folded, cause: str, effective_at: datetime) -> Booking:
    """Book the difference to what the fold gives."""
    return Booking(account.correct(folded.figures), effective_at, "correction", f"{cause}/correction")
