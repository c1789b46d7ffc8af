"""The accounts of Law 8 for one member, as pure arithmetic. No tables, no entries.

    issued ──▶ owed ──▶ issued            a shortfall from returns, repaid by later earning
    issued ──▶ available ──▶ issued       earning and its return
    issued ──▶ pending ──▶ issued         the same while the points cannot be spent yet
    pending ──▶ available, owed           they can be spent now
    available ──▶ expired                 their date has come; back, where it turns out that they were spent before
    available ──▶ reserved ──▶ redeemed   a grant and its sale
    owed ──▶ reserved                     a grant of before a restore, whose points are still to be returned
    offline_loss ──▶ owed                 what a person wrote off
    reserved, redeemed ──▶ owed, available   points that come back to the member
    available, owed ──▶ redeemed          points that had come back, and go back to their grant instead
    offline_loss ──▶ redeemed ──▶ offline_loss   what a terminal spent beyond its grant, and its undoing

Laws: every movement has points above 0; `available` is never negative, and never positive while something is owed;
what comes to the member repays what is owed first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from central_api.ledger.fold import Figures

__all__ = ["Account", "AccountName", "Movement", "loss", "loss_undone"]

AccountName = Literal["issued", "available", "pending", "reserved", "redeemed", "expired", "owed", "offline_loss"]


class Movement(NamedTuple):
    """`points` from one account to another."""

    source: AccountName
    target: AccountName
    points: int


@dataclass(slots=True)
class Account:
    """The figures of one member; `owed` is positive while the member owes, `reserved` counts by terminal.

    `expired` and `written_off` are what did so in all. Every method changes the figures and returns the movements that
    did it, for the transfers.
    """

    available: int = 0
    pending: int = 0
    owed: int = 0
    expired: int = 0
    written_off: int = 0
    reserved: dict[str, int] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        """What a snapshot shows: available + reserved - owed, so that granting changes no balance."""
        return self.available + sum(self.reserved.values()) - self.owed

    def earn(self, points: int) -> list[Movement]:
        """Take in newly issued points."""
        return self._receive("issued", points)

    def take_back(self, points: int) -> list[Movement]:
        """Take earned points back: from what is available, the rest becomes owed. Below 0 they are earned."""
        return self._take("issued", points) if points >= 0 else self.earn(-points)

    def earn_pending(self, points: int) -> list[Movement]:
        """Take in newly issued points that cannot be spent yet."""
        self.pending += points
        return _movements(Movement("issued", "pending", points))

    def take_back_pending(self, points: int) -> list[Movement]:
        """Take earned points back that could not be spent yet. Below 0 they are earned."""
        if points > self.pending:
            raise ValueError(f"{points} points cannot be taken back, {self.pending} are pending")
        self.pending -= points
        return _movements(
            Movement("pending", "issued", points) if points >= 0 else Movement("issued", "pending", -points)
        )

    def mature(self, points: int) -> list[Movement]:
        """Let pending points be spent, as far as there are any."""
        points = min(points, self.pending)
        self.pending -= points
        return self._receive("pending", points)

    def expire(self, points: int) -> list[Movement]:
        """Take points whose date has come."""
        self.expired += points
        return self._take("expired", points)

    def correct(self, figures: Figures) -> list[Movement]:
        """Become what the fold gives: what is pending, expired or written off may be other than was booked."""
        movements = self._differ("pending", self.pending - figures.pending)
        movements += self._differ("expired", self.expired - figures.expired)
        movements += self._differ("offline_loss", figures.written_off - self.written_off)
        self.pending, self.expired, self.written_off = figures.pending, figures.expired, figures.written_off
        return movements

    def reserve(self, terminal: str, points: int) -> list[Movement]:
        """Set available points aside for one terminal."""
        if points > self.available:
            raise ValueError(f"{points} points cannot be reserved, {self.available} are available")
        self.available -= points
        self._change_reserved(terminal, points)
        return _movements(Movement("available", "reserved", points))

    def recover(self, terminal: str, points: int) -> list[Movement]:
        """Set aside again what a grant had set aside before central was restored.

        Its points were there when it was issued: what is missing now is still to be returned, or was taken back since.
        So it is owed until then, and the figures come out the same in whatever order the terminals return.
        """
        self._change_reserved(terminal, points)
        return self._take("reserved", points)

    def forgive(self, points: int) -> list[Movement]:
        """Write off what a member owes: central's loss."""
        written_off = min(points, self.owed)
        self.owed -= written_off
        self.written_off += written_off
        return _movements(Movement("offline_loss", "owed", written_off))

    def spend(self, terminal: str, points: int) -> list[Movement]:
        """Redeem points that are reserved for a terminal."""
        self._change_reserved(terminal, -points)
        return _movements(Movement("reserved", "redeemed", points))

    def restore(self, terminal: str, points: int) -> list[Movement]:
        """Undo `spend`: a void in its own journal gives the grant its points again."""
        self._change_reserved(terminal, points)
        return _movements(Movement("redeemed", "reserved", points))

    def release(self, terminal: str, points: int) -> list[Movement]:
        """Give reserved points back to the member."""
        self._change_reserved(terminal, -points)
        return self._receive("reserved", points)

    def credit(self, points: int) -> list[Movement]:
        """Give redeemed points back to the member."""
        return self._receive("redeemed", points)

    def take_credit_back(self, points: int) -> list[Movement]:
        """Undo `credit`: from what is available, the rest becomes owed."""
        return self._take("redeemed", points)

    def _differ(self, account: AccountName, points: int) -> list[Movement]:
        return self._receive(account, points) if points >= 0 else self._take(account, -points)

    def _take(self, target: AccountName, points: int) -> list[Movement]:
        there = min(points, self.available)
        self.available -= there
        self.owed += points - there
        return _movements(Movement("available", target, there), Movement("owed", target, points - there))

    def _receive(self, source: AccountName, points: int) -> list[Movement]:
        repaid = min(points, self.owed)
        self.owed -= repaid
        self.available += points - repaid
        return _movements(Movement(source, "owed", repaid), Movement(source, "available", points - repaid))

    def _change_reserved(self, terminal: str, points: int) -> None:
        left = self.reserved.get(terminal, 0) + points
        if left < 0:
            raise ValueError(f"terminal {terminal} has not enough reserved: {-left} points are missing")
        self.reserved[terminal] = left


def loss(points: int) -> list[Movement]:
    """Book what a terminal spent beyond its grant: central's loss, never the member's."""
    return _movements(Movement("offline_loss", "redeemed", points))


def loss_undone(points: int) -> list[Movement]:
    """Book that a sale which overdrew its grant came back."""
    return _movements(Movement("redeemed", "offline_loss", points))


def _movements(*movements: Movement) -> list[Movement]:
    return list(_above_zero(*movements))


def _above_zero(*movements: Movement) -> Iterator[Movement]:
    for movement in movements:
        if movement.points < 0:
            raise ValueError("points move forward only; book the opposite movement")
        if movement.points:
            yield movement
