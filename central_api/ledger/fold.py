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

A fold need not begin at the first fact: each gives *standings*, what was there at instants on its way, and the next
begins at the last of them that is before whatever is new. Lots that expire together are one figure there: which of them
was taken first makes no difference to what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import groupby
from typing import Literal, NamedTuple

__all__ = ["EVENTS_BETWEEN", "NEVER", "Debit", "Figures", "Folded", "Lot", "Passing", "Standing", "fold"]

# After so many arrivals, expiries and debits there is a standing: a fold that begins there has little more to do.
EVENTS_BETWEEN = 250

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
    """What time alone did: a lot matured; or what was left of all lots of a date expired, which names no lot."""

    at: datetime
    what: Literal["matured", "expired"]
    lot_id: str
    points: int


class Standing(NamedTuple):
    """What there was at an instant, when all of that instant had happened; `open` has the points there by their date.

    It says all of what was before: whatever is later than `at` does the same to it as to the facts that made it.
    """

    at: datetime
    owed: int
    expired: int
    written_off: int
    open: tuple[tuple[datetime | None, int], ...]


@dataclass(slots=True)
class Folded:
    """The fold up to an instant: figures, what is left by lot, what passed, and when time does something next."""

    expired: int = 0
    written_off: int = 0
    owed: int = 0
    pending: int = 0
    remaining: dict[str, int] = field(default_factory=dict)
    open: dict[datetime | None, int] = field(default_factory=dict)
    passed: list[Passing] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
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


# Of a lot that is there: when it expires, since when it is there, which it is.
_There = tuple[datetime, datetime, str]

_EXPIRES, _ARRIVES, _DEBITED, _FORGIVEN = range(4)


def fold(lots: Sequence[Lot], debits: Sequence[Debit], at: datetime, since: Standing | None = None) -> Folded:
    """Fold all that is known of a member up to an instant, which is included.

    With `since`, it begins there: lots that were available by then, and debits of then or before, are not given.
    """
    folded, there = Folded(), list[_There]()
    if since is not None:
        lots = [*lots, *_stand(folded, there, since)]
    folded.remaining |= {lot.lot_id: lot.points for lot in lots}
    past = (event for event in sorted(_events(lots, debits, since)) if event.at <= at)
    count = 0
    for instant, found in groupby(past, key=lambda event: event.at):
        expired, forgiven = folded.expired, 0
        for event in found:
            count += 1
            if event.step == _EXPIRES:
                _expire(folded, lots[event.number])
            elif event.step == _ARRIVES:
                _arrive(folded, lots[event.number], there)
            elif event.step == _DEBITED:
                folded.owed += debits[event.number].points
            else:
                forgiven += debits[event.number].points
        if folded.expired > expired:
            folded.passed.append(Passing(instant, "expired", "", folded.expired - expired))
        _pay(folded, there)
        written_off = min(folded.owed, forgiven)
        folded.owed -= written_off
        folded.written_off += written_off
        if count >= EVENTS_BETWEEN:
            folded.standings.append(_standing(folded, instant))
            count = 0
    folded.pending = sum(lot.points for lot in lots if lot.available_at > at)
    folded.next_due_at = _next_due(lots, folded.remaining, at)
    return folded


def _stand(folded: Folded, there: list[_There], since: Standing) -> list[Lot]:
    """Take up a standing: what was there by its date is a lot for each date, which is there already."""
    folded.owed, folded.expired, folded.written_off = since.owed, since.expired, since.written_off
    folded.open.update(since.open)
    lots = [Lot(f"until {expires_at}", points, since.at, expires_at) for expires_at, points in since.open]
    for lot in lots:
        heappush(there, (lot.expires_at or NEVER, lot.available_at, lot.lot_id))
    return lots


def _standing(folded: Folded, at: datetime) -> Standing:
    left = sorted(((date, points) for date, points in folded.open.items() if points), key=lambda one: one[0] or NEVER)
    return Standing(at, folded.owed, folded.expired, folded.written_off, tuple(left))


def _events(lots: Sequence[Lot], debits: Sequence[Debit], since: Standing | None) -> Iterator[_Event]:
    for number, lot in enumerate(lots):
        if lot.points:
            if since is None or lot.available_at > since.at:
                yield _Event(lot.available_at, _ARRIVES, number)
            if lot.expires_at is not None:
                yield _Event(lot.expires_at, _EXPIRES, number)
    for number, debit in enumerate(debits):
        yield _Event(debit.effective_at, _FORGIVEN if debit.is_write_off else _DEBITED, number)


def _expire(folded: Folded, lot: Lot) -> None:
    """Lots that expire together do so at once: the first empties what is open until then."""
    folded.expired += folded.remaining[lot.lot_id]
    folded.remaining[lot.lot_id] = 0
    folded.open.pop(lot.expires_at, None)


def _arrive(folded: Folded, lot: Lot, there: list[_There]) -> None:
    heappush(there, (lot.expires_at or NEVER, lot.available_at, lot.lot_id))
    folded.open[lot.expires_at] = folded.open.get(lot.expires_at, 0) + folded.remaining[lot.lot_id]
    folded.passed.append(Passing(lot.available_at, "matured", lot.lot_id, lot.points))


def _pay(folded: Folded, there: list[_There]) -> None:
    while folded.owed and there:
        expires_at, _, lot_id = there[0]
        taken = min(folded.owed, folded.remaining[lot_id])
        folded.owed -= taken
        folded.remaining[lot_id] -= taken
        if taken:
            folded.open[None if expires_at == NEVER else expires_at] -= taken
        if not folded.remaining[lot_id]:
            heappop(there)


def _next_due(lots: Iterable[Lot], remaining: dict[str, int], at: datetime) -> datetime | None:
    """The next date of a lot with something left; a pending one has all its points left."""
    dates = (lot.available_at if lot.available_at > at else lot.expires_at for lot in lots if remaining[lot.lot_id])
    return min((date for date in dates if date is not None), default=None)
