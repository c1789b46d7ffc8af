"""Counts what recorded sales earned and what they would earn by another programme. Pure: reads no database.

A redemption is taken at the new price, whether or not the member had that many points: what a member would have had by
then depends on every sale before, and the count changes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from typing import Generic, TypeVar

from loyalty_sdk.basket import Basket
from loyalty_sdk.envelope import Redemption, SaleBody
from loyalty_sdk.office import DryRunMember, DryRunRedemption, DryRunReport, DryRunRule, DryRunSale
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import points_by_rule, reward_offers

__all__ = ["SoldSale", "Tally"]

MEMBERS_SHOWN = 10
SALES_SHOWN = 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldSale:
    """A sale as it was sold to a member, and the programme that it names."""

    entry_id: str
    terminal: str
    member_id: str
    effective_at: datetime
    body: SaleBody
    programme: Programme | None


@dataclass(slots=True)
class _Sum:
    """Points before and after."""

    before: int = 0
    after: int = 0

    def add(self, before: int, after: int) -> None:
        self.before += before
        self.after += after


class _Most(Generic[T]):
    """Those with the greatest difference of all that were offered; of equal ones the first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._offered = 0
        self._kept: list[tuple[int, int, T]] = []

    def offer(self, difference: int, item: T) -> None:
        self._offered += 1
        heappush(self._kept, (difference, -self._offered, item))
        if len(self._kept) > self._count:
            heappop(self._kept)

    def found(self) -> tuple[T, ...]:
        return tuple(item for *_, item in sorted(self._kept, key=lambda kept: kept[:2], reverse=True))


class Tally:
    """The sums of one dry run, over sales that come member by member: only the member at hand is kept in memory."""

    def __init__(self, programme: Programme) -> None:
        self._programme = programme
        self._sales = self._skipped = self._changed = 0
        self._points, self._redeemed, self._of_member = _Sum(), _Sum(), _Sum()
        self._rules = {rule.id: _Sum() for rule in programme.earning}
        self._member_id = ""
        self._gaining: _Most[DryRunMember] = _Most(MEMBERS_SHOWN)
        self._losing: _Most[DryRunMember] = _Most(MEMBERS_SHOWN)
        self._examples: _Most[DryRunSale] = _Most(SALES_SHOWN)
        self._redemptions = self._redemptions_lost = 0
        self._lost: list[DryRunRedemption] = []

    def take(self, sale: SoldSale) -> None:
        """Add one sale."""
        if sale.member_id != self._member_id:
            self._close_member()
            self._member_id = sale.member_id
        basket, redemption = sale.body.basket, sale.body.redemption
        if basket.currency != self._programme.currency:
            self._skipped += 1
            return
        self._sales += 1
        before = _by_rule(sale.programme, basket, 0 if redemption is None else redemption.discount_minor)
        after = _by_rule(self._programme, basket, 0 if redemption is None else self._redeem(sale, redemption))
        for name in {**before, **after}:
            self._rules.setdefault(name, _Sum()).add(before.get(name, 0), after.get(name, 0))
        self._add(sale, sum(before.values()), sum(after.values()))

    def report(self, days: int, since: datetime) -> DryRunReport:
        """Return what was found."""
        self._close_member()
        rules = (
            DryRunRule(rule_id=name, points_before=points.before, points_after=points.after)
            for name, points in self._rules.items()
        )
        return DryRunReport(
            version=self._programme.version,
            days=days,
            since=since,
            sales=self._sales,
            skipped=self._skipped,
            changed=self._changed,
            points_before=self._points.before,
            points_after=self._points.after,
            redemptions=self._redemptions,
            redemptions_lost=self._redemptions_lost,
            points_redeemed_before=self._redeemed.before,
            points_redeemed_after=self._redeemed.after,
            rules=tuple(rules),
            members_gaining=self._gaining.found(),
            members_losing=self._losing.found(),
            examples=self._examples.found(),
            lost=tuple(self._lost),
        )

    def _add(self, sale: SoldSale, before: int, after: int) -> None:
        self._points.add(before, after)
        self._of_member.add(before, after)
        if before == after:
            return
        self._changed += 1
        example = DryRunSale(
            entry_id=sale.entry_id,
            terminal=sale.terminal,
            member_id=sale.member_id,
            effective_at=sale.effective_at,
            points_before=before,
            points_after=after,
        )
        self._examples.offer(abs(after - before), example)

    def _close_member(self) -> None:
        before, after = self._of_member.before, self._of_member.after
        if before != after:
            member = DryRunMember(member_id=self._member_id, points_before=before, points_after=after)
            (self._gaining if after > before else self._losing).offer(abs(after - before), member)
        self._of_member = _Sum()

    def _redeem(self, sale: SoldSale, redemption: Redemption) -> int:
        """Take a redemption at the new price. Returns its discount, 0 where it would not be possible."""
        self._redemptions += 1
        reward = self._programme.reward(redemption.reward_id)
        reason = _refusal(self._programme, redemption, sale.body.basket)
        if reward is None or reason:
            self._redeemed.add(redemption.points, 0)
            self._lose(sale, redemption, reason)
            return 0
        self._redeemed.add(redemption.points, reward.points * redemption.count)
        return reward.discount_minor * redemption.count

    def _lose(self, sale: SoldSale, redemption: Redemption, reason: str) -> None:
        self._redemptions_lost += 1
        if len(self._lost) == SALES_SHOWN:
            return
        lost = DryRunRedemption(
            entry_id=sale.entry_id,
            terminal=sale.terminal,
            member_id=sale.member_id,
            effective_at=sale.effective_at,
            reward_id=redemption.reward_id,
            count=redemption.count,
            reason=reason,
        )
        self._lost.append(lost)


def _by_rule(programme: Programme | None, basket: Basket, discount_minor: int) -> Mapping[str, int]:
    return {} if programme is None else points_by_rule(programme, basket, discount_minor)


def _refusal(programme: Programme, redemption: Redemption, basket: Basket) -> str:
    """Why a till would not offer the redemption to a member with enough points; empty where it would."""
    reward = programme.reward(redemption.reward_id)
    if reward is None:
        return f"the programme has no reward {redemption.reward_id}"
    offers = reward_offers(programme, basket, reward.points * redemption.count)
    offer = next(offer for offer in offers if offer.reward_id == reward.id)
    if offer.count_max >= redemption.count:
        return ""
    return offer.reason or f"the basket takes it at most {offer.count_max} times, not {redemption.count}"
