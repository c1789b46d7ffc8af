"""The programme's rules: pure functions of programme, basket and points. The same code runs at terminal and central.

No I/O, no clock, no randomness, no floats: the same arguments give the same points everywhere (Law 7).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.model import RewardOffer
from loyalty_sdk.programme import EarningRule, Programme, Reward, Rounding, Selection

__all__ = ["ReturnedPoints", "points_earned", "points_returned", "reward_offers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedPoints:
    """What the returned part of a sale is worth: earned points to take back, redeemed points to give back."""

    debited: int
    credited: int


@dataclass(frozen=True, slots=True)
class _EarningLine:
    sku: str
    category: str
    quantity: Decimal
    amount_minor: int


def points_earned(programme: Programme, basket: Basket, discount_minor: int = 0) -> int:
    """Return the points that a basket earns when a reward takes `discount_minor` off it."""
    return _earned(programme, _earning_lines(programme, basket, discount_minor, {}))


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
        left = line.quantity - returned.get(number, Decimal(0))
        amount = _part(line.amount_minor - share, left, line.quantity)
        lines.append(_EarningLine(line.sku, line.category, left, amount))
    return lines


def _discount_shares(basket: Basket, discount_minor: int) -> list[int]:
    """Spread a discount over the lines with a positive amount, in proportion; the shares sum to the discount."""
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


def _earned(programme: Programme, lines: Iterable[_EarningLine]) -> int:
    lines = list(lines)
    return sum(_earned_by_rule(rule, lines) for rule in programme.earning)


def _earned_by_rule(rule: EarningRule, lines: list[_EarningLine]) -> int:
    counting = [line for line in lines if _counts(rule, line)]
    if sum(line.amount_minor for line in counting) < rule.minimum_spend_minor:
        return 0
    steps = [_steps(rule, line) for line in counting]
    if rule.rounding.scope == "basket":
        steps = [sum(steps, Fraction(0))]
    return max(0, sum(_points(rule, step) for step in steps))


def _counts(rule: EarningRule, line: _EarningLine) -> bool:
    included = rule.included is None or _selects(rule.included, line)
    return included and not _selects(rule.excluded, line)


def _selects(selection: Selection, line: _EarningLine) -> bool:
    return line.sku in selection.skus or line.category in selection.categories


def _steps(rule: EarningRule, line: _EarningLine) -> Fraction:
    return Fraction(line.amount_minor, rule.per_minor) if rule.kind == "amount" else Fraction(line.quantity)


def _points(rule: EarningRule, steps: Fraction) -> int:
    if rule.rounding.unit == "step":
        return _rounded(rule.rounding, steps) * rule.points
    return _rounded(rule.rounding, steps * rule.points)


def _rounded(rounding: Rounding, value: Fraction) -> int:
    if rounding.mode == "floor":
        return math.floor(value)
    if rounding.mode == "ceiling":
        return math.ceil(value)
    if rounding.mode == "half_even":
        return round(value)
    return math.floor(value + Fraction(1, 2))


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
