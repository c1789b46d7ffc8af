"""The programme's rules: pure functions of programme, basket and points. The same code runs at terminal and central.

No I/O, no clock, no randomness, no floats: the same arguments give the same points everywhere (Law 7).
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.model import RewardOffer
from loyalty_sdk.programme import EarningRule, Expiry, Programme, Reward, Rounding, Selection

__all__ = [
    "ReturnedPoints",
    "points_available_at",
    "points_by_rule",
    "points_earned",
    "points_expire_at",
    "points_returned",
    "reward_offers",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedPoints:
    """What the returned part of a sale is worth: earned points to take back, redeemed points to give back."""

    debited: int
    credited: int


class _EarningLine(NamedTuple):
    line: Line
    quantity: Decimal
    amount_minor: int


def points_earned(programme: Programme, basket: Basket, discount_minor: int = 0) -> int:
    """Return the points that a basket earns when a reward takes `discount_minor` off it."""
    return _earned(programme, _earning_lines(programme, basket, discount_minor, {}))


def points_by_rule(programme: Programme, basket: Basket, discount_minor: int = 0) -> Mapping[str, int]:
    """Return what each rule gives, by its id; the sum is what `points_earned` returns."""
    lines = _earning_lines(programme, basket, discount_minor, {})
    return {rule.id: _earned_by_rule(rule, lines) for rule in programme.earning}


def points_returned(
    programme: Programme,
    basket: Basket,
    discount_minor: int,
    points_redeemed: int,
    returned: Mapping[int, Decimal],
) -> ReturnedPoints:
    """Return what has come back in all when `returned` (line number from 1 → quantity so far) has come back of a sale.

    Points taken back are those that the rest of the basket no longer earns; points given back follow the returned
    share of the amount. Both are cumulative: one return is the difference of two calls, so that the parts of a full
    return sum to exactly what the sale earned and redeemed (Law 9).
    """
    before = points_earned(programme, basket, discount_minor)
    after = _earned(programme, _earning_lines(programme, basket, discount_minor, returned))
    return ReturnedPoints(debited=before - after, credited=_credited(basket, points_redeemed, returned))


def reward_offers(programme: Programme, basket: Basket, balance: int | None) -> tuple[RewardOffer, ...]:
    """Return every reward of the programme, each with how often this basket and balance reach it."""
    return tuple(_offer(reward, basket, balance) for reward in programme.rewards)


def points_available_at(programme: Programme, earned_at: datetime) -> datetime:
    """Return when points that are earned at a time can be spent: at once, or when they are no longer pending."""
    return earned_at if programme.pending is None else earned_at + timedelta(hours=programme.pending.hours)


def points_expire_at(programme: Programme, earned_at: datetime) -> datetime | None:
    """Return the first instant, in UTC, at which points that are earned at a time are no longer there; None: never."""
    expiry = programme.expiry
    if expiry is None:
        return None
    clock = _clock(expiry)
    earned_on = earned_at.astimezone(clock).date()
    if expiry.months_after_earning is not None:
        last = _months_after(earned_on, expiry.months_after_earning)
    else:
        last = _day_of_year(expiry.on or "", _months_after(earned_on, expiry.months_min))
    return datetime.combine(last + timedelta(days=1), time(), clock).astimezone(UTC)


def _clock(expiry: Expiry) -> timezone:
    hours, minutes = expiry.utc_offset[1:].split(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if expiry.utc_offset[0] == "-" else offset)


def _months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _day_of_year(on: str, earliest: date) -> date:
    """The first day named as `12-31` that is not before another."""
    month, day = map(int, on.split("-"))
    found = date(earliest.year, month, day)
    return found if found >= earliest else date(earliest.year + 1, month, day)


def _offer(reward: Reward, basket: Basket, balance: int | None) -> RewardOffer:
    count, reason = 0, ""
    if balance is None:
        reason = "the member's balance is not known here"
    elif basket.total_minor < reward.minimum_spend_minor:
        reason = f"the basket is below {reward.minimum_spend_minor}"
    elif balance < reward.points:
        reason = f"{reward.points} points are needed, {balance} are there"
    elif basket.total_minor < reward.discount_minor:
        reason = f"the basket is smaller than the discount of {reward.discount_minor}"
    else:
        count = min(reward.count_per_sale_max, balance // reward.points, basket.total_minor // reward.discount_minor)
    return RewardOffer(
        reward_id=reward.id,
        points=reward.points,
        discount_minor=reward.discount_minor,
        count_max=count,
        reason=reason,
    )


def _earning_lines(
    programme: Programme, basket: Basket, discount_minor: int, returned: Mapping[int, Decimal]
) -> list[_EarningLine]:
    """The lines that are left after `returned`, each with the amount that earns."""
    shares = _discount_shares(basket, discount_minor if programme.earning_basis == "paid" else 0)
    lines = []
    for number, (line, share) in enumerate(zip(basket.lines, shares, strict=True), start=1):
        left = line.quantity - returned[number] if number in returned else line.quantity
        amount = _part(line.amount_minor - share, left, line.quantity)
        lines.append(_EarningLine(line, left, amount))
    return lines


def _discount_shares(basket: Basket, discount_minor: int) -> list[int]:
    """Spread a discount over the lines with a positive amount, in proportion; the shares sum to the discount."""
    if not discount_minor:
        return [0] * len(basket.lines)
    positive = [max(line.amount_minor, 0) for line in basket.lines]
    total = sum(positive)
    shares, seen = [], 0
    for amount in positive:
        before = discount_minor * seen // total if total else 0
        seen += amount
        shares.append((discount_minor * seen // total if total else 0) - before)
    return shares


def _part(amount_minor: int, left: Decimal, quantity: Decimal) -> int:
    return amount_minor if left == quantity else math.floor(amount_minor * Fraction(left) / Fraction(quantity))


def _earned(programme: Programme, lines: Sequence[_EarningLine]) -> int:
    return sum(_earned_by_rule(rule, lines) for rule in programme.earning)


def _earned_by_rule(rule: EarningRule, lines: Sequence[_EarningLine]) -> int:
    counting = [part for part in lines if _counts(rule, part.line)]
    if sum(part.amount_minor for part in counting) < rule.minimum_spend_minor:
        return 0
    spent = [part.amount_minor if rule.kind == "amount" else Fraction(part.quantity) for part in counting]
    if rule.rounding.scope == "basket":
        spent = [sum(spent)]
    return max(0, sum(_points(rule, one) for one in spent))


def _counts(rule: EarningRule, line: Line) -> bool:
    included = rule.included is None or _selects(rule.included, line)
    return included and not _selects(rule.excluded, line)


def _selects(selection: Selection, line: Line) -> bool:
    return line.sku in selection.skus or line.category in selection.categories


def _points(rule: EarningRule, spent: int | Fraction) -> int:
    step = rule.per_minor if rule.kind == "amount" else 1
    if rule.rounding.unit == "step":
        return _rounded_quotient(rule.rounding, spent, step) * rule.points
    return _rounded_quotient(rule.rounding, spent * rule.points, step)


def _rounded_quotient(rounding: Rounding, dividend: int | Fraction, divisor: int) -> int:
    """Exact, and in whole numbers where both are: a fraction costs several times as much."""
    if rounding.mode == "floor":
        return dividend // divisor
    if rounding.mode == "ceiling":
        return -(-dividend // divisor)
    if rounding.mode == "half_even":
        return round(Fraction(dividend, divisor))
    return (2 * dividend + divisor) // (2 * divisor)


def _credited(basket: Basket, points_redeemed: int, returned: Mapping[int, Decimal]) -> int:
    """The redeemed points that follow the returned share of the positive lines' amount, rounded down."""
    total = sum(max(line.amount_minor, 0) for line in basket.lines)
    if not points_redeemed or not total:
        return 0
    amount = sum(_returned_amount(line, returned.get(number)) for number, line in enumerate(basket.lines, start=1))
    return points_redeemed * amount // total


def _returned_amount(line: Line, quantity: Decimal | None) -> int:
    """What came back of a line's amount; lines without a positive amount carry no redeemed points."""
    if quantity is None or line.amount_minor <= 0:
        return 0
    return line.amount_minor - _part(line.amount_minor, line.quantity - quantity, line.quantity)
