"""The plan of the demo's day: who comes when, with which basket, what comes back, and where the faults strike.

Deterministic from its seed. Eight regulars carry the story (they buy a lot, come again, redeem online and offline);
everybody else fills the day. Nothing is sold here.

    opening     central is there; the regulars fill their pantries
    morning     they come again: four redeem, to four central grants points ahead
    outage      central is dead: those four redeem, one sale is voided, one article comes back without its receipt
    afternoon   central is back: three redeem again, and a sale of the outage comes back whole
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import cycle, pairwise
from random import Random
from typing import Literal

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.model import ReturnLine, ReversalKind
from terminal_agent.demo.shop import CURRENCY, GOODS, MEMBERS, STRANGER, Good, Person

__all__ = ["BASKETS_MIN", "Day", "Fault", "Phase", "TakeBack", "Visit", "plan_day"]

Fault = Literal["hold_open", "before_commit", "after_commit", "any_moment"]
PhaseName = Literal["opening", "morning", "outage", "afternoon"]

PHASES: tuple[PhaseName, ...] = ("opening", "morning", "outage", "afternoon")
REGULARS = 8
NEWCOMERS = 2
# The story of the regulars alone, and a few others between them.
BASKETS_MIN = 36
FILLER_SHARES = (25, 20, 40, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One customer at the till. `redeem` is how many rewards they want, `fault` when the agent is killed meanwhile."""

    customer: Person | None
    basket: Basket
    tender: str
    redeem: int = 0
    fault: Fault | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """A void or return of the visit called `original`, or an unlinked return of `basket` by `customer`."""

    kind: ReversalKind
    original: str = ""
    lines: tuple[ReturnLine, ...] | None = None
    customer: Person | None = None
    basket: Basket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the day, in order."""

    name: PhaseName
    steps: tuple[Visit | TakeBack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The whole plan."""

    phases: tuple[Phase, ...]

    def phase(self, name: str) -> Phase:
        """Return the part of that name."""
        return next(phase for phase in self.phases if phase.name == name)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """Every visit of the day."""
        return tuple(step for phase in self.phases for step in phase.steps if isinstance(step, Visit))

    @property
    def take_backs(self) -> tuple[TakeBack, ...]:
        """Every void and return of the day."""
        return tuple(step for phase in self.phases for step in phase.steps if isinstance(step, TakeBack))


def plan_day(seed: int, baskets: int = 100) -> Day:
    """Plan a day of `baskets` sales. Raises ValueError below BASKETS_MIN, where the story has no room."""
    if baskets < BASKETS_MIN:
        raise ValueError(f"a day has at least {BASKETS_MIN} baskets, not {baskets}; give --baskets {BASKETS_MIN}")
    return _Planner(Random(seed), baskets).day()


class _Planner:
    def __init__(self, random: Random, baskets: int) -> None:
        self._random = random
        people = random.sample(MEMBERS, len(MEMBERS))
        self._regulars = people[:REGULARS]
        # Two come for the first time while central is dead: the till has never seen their cards.
        self._newcomers = people[-NEWCOMERS:]
        self._others = cycle(people[REGULARS:-NEWCOMERS])
        self._baskets = baskets

    def day(self) -> Day:
        story = (self._opening(), self._morning(), self._outage(), self._afternoon())
        told = sum(isinstance(step, Visit) for part in story for step in part)
        fillers = self._shares([self._filler(number) for number in range(self._baskets - told)])
        phases = (
            Phase(name=name, steps=tuple(_spread(part, extra)))
            for name, part, extra in zip(PHASES, story, fillers, strict=True)
        )
        return Day(phases=tuple(phases))

    # --- the story of the regulars ---

    def _opening(self) -> list[Visit | TakeBack]:
        return [self._visit(who, self._pantry(), name=f"pantry-{index}") for index, who in enumerate(self._regulars)]

    def _morning(self) -> list[Visit | TakeBack]:
        redeeming, waiting = self._regulars[:4], self._regulars[4:]
        faults: tuple[Fault | None, ...] = ("after_commit", None, None, None)
        steps: list[Visit | TakeBack] = []
        for who, other, fault in zip(redeeming, waiting, faults, strict=True):
            steps += [self._visit(who, self._snack(), redeem=1, fault=fault), self._visit(other, self._snack())]
        steps.insert(2, self._visit(next(self._others), self._groceries(), fault="before_commit"))
        steps.insert(5, self._visit(STRANGER, self._groceries()))
        steps.append(TakeBack(kind="return", original="pantry-6", lines=(ReturnLine(line=2, quantity=Decimal(1)),)))
        return steps

    def _outage(self) -> list[Visit | TakeBack]:
        first, second, third, fourth = self._regulars[4:]
        newcomer, another = self._newcomers
        returning = next(self._others)
        return [
            self._visit(first, self._snack(), redeem=1, fault="hold_open", name="mistaken"),
            TakeBack(kind="void", original="mistaken"),
            self._visit(second, self._snack(), redeem=2, fault="before_commit"),
            self._visit(newcomer, self._groceries(), fault="after_commit"),
            self._visit(first, self._snack(), redeem=1),
            self._visit(another, self._groceries()),
            self._visit(None, self._groceries()),
            self._visit(third, self._snack(), redeem=1, fault="any_moment"),
            TakeBack(kind="unlinked_return", customer=returning, basket=_basket([_line(_good("ARROZ"), Decimal(2))])),
            self._visit(fourth, self._snack(), redeem=1, name="regretted"),
        ]

    def _afternoon(self) -> list[Visit | TakeBack]:
        steps: list[Visit | TakeBack] = [self._visit(who, self._snack(), redeem=1) for who in self._regulars[:3]]
        steps.insert(1, TakeBack(kind="return", original="regretted"))
        return steps

    # --- everybody else ---

    def _filler(self, number: int) -> Visit:
        # One customer in seven has no card.
        customer = None if number % 7 == 3 else next(self._others)
        return self._visit(customer, self._exchange() if number == 2 else self._groceries())

    def _shares(self, fillers: list[Visit]) -> list[list[Visit]]:
        """Deal the fillers over the parts of the day."""
        ends = [len(fillers) * sum(FILLER_SHARES[:index]) // sum(FILLER_SHARES) for index in range(5)]
        return [fillers[start:end] for start, end in pairwise(ends)]

    def _visit(
        self, customer: Person | None, basket: Basket, *, redeem: int = 0, fault: Fault | None = None, name: str = ""
    ) -> Visit:
        tender = self._random.choice(["numerário", "cartão", "cartão", "MB WAY"])
        return Visit(customer=customer, basket=basket, tender=tender, redeem=redeem, fault=fault, name=name)

    # --- baskets ---

    def _pantry(self) -> Basket:
        """Enough for two rewards: about 39 €."""
        staples = [_line(_good(sku), Decimal(1)) for sku in ("PAO-LO", "FOLAR", "AZEITE", "VINHO", "CAFE")]
        return _basket([*staples, *self._lines(1)])

    def _snack(self) -> Basket:
        """A small basket that a reward of any count fits on: above 8 €."""
        return _basket([_line(_good("FOLAR"), Decimal(1)), *self._lines(2)])

    def _groceries(self) -> Basket:
        return _basket([_line(_good("BROA"), Decimal(1)), *self._lines(self._random.randint(0, 5))])

    def _exchange(self) -> Basket:
        """A bottle of oil is handed back in exchange for wine and more."""
        return _basket([_line(_good("VINHO"), Decimal(2)), _line(_good("AZEITE"), Decimal(-1))])

    def _lines(self, count: int) -> list[Line]:
        return [self._any_line(good) for good in self._random.sample(GOODS, count)]

    def _any_line(self, good: Good) -> Line:
        random = self._random
        quantity = Decimal(random.randint(150, 1_500)) / 1_000 if good.weighed else Decimal(random.randint(1, 3))
        # One line in eight is sold a tenth cheaper.
        return _line(good, quantity, discounted=random.randrange(8) == 0)


def _good(sku: str) -> Good:
    return next(good for good in GOODS if good.sku == sku)


def _line(good: Good, quantity: Decimal, *, discounted: bool = False) -> Line:
    full = int((quantity * good.price_minor).to_integral_value(ROUND_HALF_UP))
    discount = full // 10 if discounted else 0
    return Line(
        sku=good.sku,
        description=good.description,
        category=good.category,
        quantity=quantity,
        unit_price_minor=Decimal(good.price_minor),
        discount_minor=discount,
        amount_minor=full - discount,
        tax_minor=_tax(full - discount),
    )


def _tax(amount_minor: int) -> int:
    """The 6 % of food that an amount contains; here everything counts as food."""
    return int((Decimal(amount_minor) * 6 / 106).to_integral_value(ROUND_HALF_UP))


def _basket(lines: list[Line]) -> Basket:
    return Basket.of(CURRENCY, *lines)


def _spread(story: Sequence[Visit | TakeBack], fillers: Sequence[Visit]) -> Iterator[Visit | TakeBack]:
    """The story in its order with the fillers evenly between."""
    used = 0
    for index, step in enumerate(story, start=1):
        yield step
        until = len(fillers) * index // len(story)
        yield from fillers[used:until]
        used = until
