"""A naive model of points that wait and expire: lots and debits by docs/ledger.md, one instant after the other.

It is made of plain lists and of no code of central's, so that it judges the fold, the transfers and the jobs.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

__all__ = ["Figures", "Lot", "MemberPoints", "lot_of"]

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Lot:
    """What one sale gave: it can be spent from `available_at` until `expires_at`."""

    points: int
    available_at: datetime
    expires_at: datetime


@dataclass(slots=True)
class Figures:
    """A member's points at an instant; `expired` is all that ever did."""

    available: int = 0
    pending: int = 0
    owed: int = 0
    expired: int = 0


@dataclass(slots=True)
class MemberPoints:
    """All that a member was given and all that was taken, in any order."""

    lots: list[Lot] = field(default_factory=list)
    debits: list[tuple[datetime, int]] = field(default_factory=list)

    def at(self, now: datetime) -> Figures:
        """Return the figures once all has happened that has its date by now."""
        figures, left = Figures(), [lot.points for lot in self.lots]
        for instant in self._instants(now):
            for number, lot in enumerate(self.lots):
                if lot.expires_at == instant:
                    figures.expired += left[number]
                    left[number] = 0
            figures.owed += sum(points for at, points in self.debits if at == instant)
            for number in self._there(instant):
                paid = min(figures.owed, left[number])
                figures.owed -= paid
                left[number] -= paid
        waiting = [number for number, lot in enumerate(self.lots) if lot.available_at > now]
        figures.pending = sum(left[number] for number in waiting)
        figures.available = sum(left) - figures.pending
        return figures

    def _instants(self, now: datetime) -> list[datetime]:
        dates = {at for lot in self.lots for at in (lot.available_at, lot.expires_at)} | {at for at, _ in self.debits}
        return sorted(at for at in dates if at <= now)

    def _there(self, instant: datetime) -> Iterator[int]:
        """The lots that can be spent at an instant, those that expire first first."""
        there = [(lot.expires_at, number) for number, lot in enumerate(self.lots) if lot.available_at <= instant]
        return (number for _, number in sorted(there))


def lot_of(points: int, earned_at: datetime, programme: dict[str, Any]) -> Lot:
    """Return what a sale gave, with its dates by docs/programme.md."""
    hours = programme.get("pending", {}).get("hours", 0)
    available_at = earned_at + timedelta(hours=hours)
    expires_at = _end(earned_at, programme["expiry"]) if "expiry" in programme else NEVER
    return Lot(points, available_at, max(available_at, expires_at))


def _end(earned_at: datetime, expiry: dict[str, Any]) -> datetime:
    """The end of the day on which the points of a day expire."""
    zone = datetime.strptime(expiry.get("utc_offset", "+00:00"), "%z").tzinfo
    day = earned_at.astimezone(zone).date()
    if "on" in expiry:
        last = _next(_months_later(day, expiry.get("months_min", 1)), expiry["on"])
    else:
        last = _months_later(day, expiry["months_after_earning"])
    return datetime.combine(last + timedelta(days=1), time(), tzinfo=zone)


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _next(day: date, month_and_day: str) -> date:
    month, number = map(int, month_and_day.split("-"))
    return next(found for year in (day.year, day.year + 1) if (found := date(year, month, number)) >= day)
