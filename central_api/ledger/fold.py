"""The fold: from what a member was given and what was taken to what is left, at any instant (Laws 7 and 8). Pure.

It sees *lots*, what each earning gave, and *debits*, what was taken: each with its own time, in whatever order they
became known. What came back of a sale is not among them: it makes the sale's lot smaller, as if it never was, and
points that come back of a grant make the grant's debit smaller. So the same facts give the same figures.

At each instant, in this order:

1. lots whose `expires_at` has come lose what is left of them;
2. lots whose `available_at` has come are there to be spent; until then they are pending;
3. debits of that instant are owed;
4. what is owed is taken from the lots that are there, those that expire first first;
5. a write-off ends what is still owed, up to its points.

So nothing is left of any lot while something is owed. It keeps no account: see `central_api.ledger.settling`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import groupby
from typing import Literal, NamedTuple

__all__ = ["NEVER", "Debit", "Figures", "Folded", "Lot", "Passing", "fold"]

# Later than any date that a programme gives.
NEVER = datetime.max.replace(tzinfo=UTC)


class Lot(NamedTuple):
    """What one earning gave, net of what came back: `available_at <= expires_at`."""

    lot_id: str
    points: int
    available_at: datetime
    expires_at: datetime | None = None


class Debit(NamedTuple):
    """What was taken at an instant, net of what came back; a write-off gives up to its points instead."""

    debit_id: str
    points: int
    effective_at: datetime
    is_write_off: bool = False


class Figures(NamedTuple):
    """A member's points. `expired` and `written_off` are what did so in all; reserved points are a debit's."""

    available: int = 0
    pending: int = 0
    owed: int = 0
    expired: int = 0
    written_off: int = 0


class Passing(NamedTuple):
    """What time alone did to a lot: it matured, or what was left of it expired."""

    at: datetime
    what: Literal["matured", "expired"]
    lot_id: str
    points: int


@dataclass(slots=True)
class Folded:
    """The fold up to an instant: figures, what is left by lot, what passed, and when time does something next."""

    expired: int = 0
    written_off: int = 0
    owed: int = 0
    pending: int = 0
    remaining: dict[str, int] = field(default_factory=dict)
    passed: list[Passing] = field(default_factory=list)
    next_due_at: datetime | None = None

    @property
    def figures(self) -> Figures:
        """The member's figures at the instant."""
        available = sum(self.remaining.values()) - self.pending
        return Figures(available, self.pending, self.owed, self.expired, self.written_off)


class _Event(NamedTuple):
    """Sorts in the order of the steps above."""

    at: datetime
    step: int
    number: int


_EXPIRES, _ARRIVES, _DEBITED, _FORGIVEN = range(4)


def fold(lots: Sequence[Lot], debits: Sequence[Debit], at: datetime) -> Folded:
    """Fold all that is known of a member up to an instant, which is included."""
    folded = Folded(remaining={lot.lot_id: lot.points for lot in lots})
    there: list[tuple[datetime, datetime, str]] = []
    events = sorted(_events(lots, debits))
    past = [event for event in events if event.at <= at]
    for _, found in groupby(past, key=lambda event: event.at):
        forgiven = 0
        for event in found:
            if event.step == _EXPIRES:
                _expire(folded, lots[event.number], event.at)
            elif event.step == _ARRIVES:
                _arrive(folded, lots[event.number], there)
            elif event.step == _DEBITED:
                folded.owed += debits[event.number].points
            else:
                forgiven += debits[event.number].points
        _pay(folded, there)
        written_off = min(folded.owed, forgiven)
        folded.owed -= written_off
        folded.written_off += written_off
    folded.pending = sum(lot.points for lot in lots if lot.available_at > at)
    folded.next_due_at = _next_due(lots, folded.remaining, at)
    return folded


def _events(lots: Sequence[Lot], debits: Sequence[Debit]) -> Iterator[_Event]:
    for number, lot in enumerate(lots):
        if lot.points:
            yield _Event(lot.available_at, _ARRIVES, number)
            if lot.expires_at is not None:
                yield _Event(lot.expires_at, _EXPIRES, number)
    for number, debit in enumerate(debits):
        yield _Event(debit.effective_at, _FORGIVEN if debit.is_write_off else _DEBITED, number)


def _expire(folded: Folded, lot: Lot, at: datetime) -> None:
    left = folded.remaining[lot.lot_id]
    if left:
        folded.remaining[lot.lot_id] = 0
        folded.expired += left
        folded.passed.append(Passing(at, "expired", lot.lot_id, left))


def _arrive(folded: Folded, lot: Lot, there: list[tuple[datetime, datetime, str]]) -> None:
    heappush(there, (lot.expires_at or NEVER, lot.available_at, lot.lot_id))
    folded.passed.append(Passing(lot.available_at, "matured", lot.lot_id, lot.points))


def _pay(folded: Folded, there: list[tuple[datetime, datetime, str]]) -> None:
    while folded.owed and there:
        lot_id = there[0][2]
        taken = min(folded.owed, folded.remaining[lot_id])
        folded.owed -= taken
        folded.remaining[lot_id] -= taken
        if not folded.remaining[lot_id]:
            heappop(there)


def _next_due(lots: Iterable[Lot], remaining: dict[str, int], at: datetime) -> datetime | None:
    """The next date of a lot with something left; a pending one has all its points left."""
    dates = (lot.available_at if lot.available_at > at else lot.expires_at for lot in lots if remaining[lot.lot_id])
    return min((date for date in dates if date is not None), default=None)
