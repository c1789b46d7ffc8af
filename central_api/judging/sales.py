"""Judges sales: the points by the entry's own programme version, the redemption against its grants."""

from __future__ import annotations

from central_api.judging.grant_checks import checked_grant
from central_api.judging.matter import POINTS_MAX, Matter
from central_api.ledger.accounts import loss
from central_api.ledger.records import Grant, GrantUsed, Sale, Unfit, Verdict
from loyalty_sdk.basket import Basket
from loyalty_sdk.envelope import GrantUse, Redemption, SaleBody
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import points_earned

__all__ = ["give_back_of_rejected", "judge_sale"]


def judge_sale(matter: Matter) -> Verdict:
    """Apply a sale, or raise Unfit."""
    body = _body(matter)
    member_id = matter.member(body.member_id)
    programme = matter.programme(body.basket)
    _check_points(programme, body, member_id)
    grants = _checked_redemption(matter, programme, body, member_id)
    used = _spend(matter, grants)
    earned = body.points_earned if member_id is not None else 0
    if member_id is not None and programme is not None:
        matter.earn(member_id, programme, earned)
    _keep(matter, body, member_id, earned, used)
    spent = sum(use.points for use in used)
    reason = "grant-overdrawn" if any(use.overdrawn for use in used) else ""
    points = earned - spent if member_id is not None else None
    return Verdict(outcome="applied", reason=reason, points=points, member_id=member_id)


def give_back_of_rejected(matter: Matter, earlier_id: str) -> None:
    """Give the member what a rejected sale took of its grants, unless the earlier receipt spent the same hold."""
    body = matter.entry.body
    if not isinstance(body, SaleBody) or body.redemption is None:
        return
    earlier = matter.books.entries.get(earlier_id)
    if earlier is not None and _hold_id(earlier.body) == body.redemption.hold_id:
        return
    for use in matter.entry.grants:
        _give_back(matter, use, body)


def _give_back(matter: Matter, use: GrantUse, body: SaleBody) -> None:
    grant = matter.books.grants.get(use.grant_id)
    if grant is None or grant.terminal != matter.entry.terminal or body.member_id is None:
        return
    if grant.member_id == matter.books.accounts.member_of(body.member_id):
        matter.release(grant, max(0, min(use.points, grant.reserved)), "sale-rejected")


def _hold_id(body: object) -> str | None:
    return body.redemption.hold_id if isinstance(body, SaleBody) and body.redemption is not None else None


def _body(matter: Matter) -> SaleBody:
    body = matter.entry.body
    if not isinstance(body, SaleBody) or matter.entry.receipt_key is None:
        raise Unfit("quarantined", "receipt-key-missing")
    return body


def _check_points(programme: Programme | None, body: SaleBody, member_id: str | None) -> None:
    """An anonymous sale earns nothing, whether or not the terminal says what it would have earned."""
    discount_minor = body.redemption.discount_minor if body.redemption is not None else 0
    expected = 0 if programme is None else points_earned(programme, body.basket, discount_minor)
    if body.points_earned != expected and not (member_id is None and body.points_earned == 0):
        raise Unfit("quarantined", f"points-differ: {body.points_earned}, but the rules give {expected}")
    if expected > POINTS_MAX:
        raise Unfit("quarantined", "points-implausible")


def _checked_redemption(
    matter: Matter, programme: Programme | None, body: SaleBody, member_id: str | None
) -> list[tuple[Grant, int]]:
    """Return the grants with what is taken of each, after everything about the redemption was checked."""
    uses = matter.entry.grants
    if body.redemption is None:
        if uses:
            raise Unfit("quarantined", "grants-without-redemption")
        return []
    if programme is None or member_id is None or not _is_reward(programme, body.redemption, body.basket):
        raise Unfit("quarantined", "redemption-differs")
    if sum(use.points for use in uses) != body.redemption.points or len({use.grant_id for use in uses}) != len(uses):
        raise Unfit("quarantined", "grants-differ")
    return [(checked_grant(matter, use, member_id), use.points) for use in uses]


def _is_reward(programme: Programme, redemption: Redemption, basket: Basket) -> bool:
    reward = programme.reward(redemption.reward_id)
    return (
        reward is not None
        and 1 <= redemption.count <= reward.count_per_sale_max
        and redemption.points == reward.points * redemption.count
        and redemption.discount_minor == reward.discount_minor * redemption.count
        and basket.total_minor >= max(reward.minimum_spend_minor, redemption.discount_minor)
    )


def _spend(matter: Matter, grants: list[tuple[Grant, int]]) -> tuple[GrantUsed, ...]:
    """Settle from what is reserved, also of a grant that was closed: a hold outlives it. The rest is central's loss."""
    used = []
    for grant, points in grants:
        inside = min(points, grant.reserved)
        grant.spent += inside
        grant.overdrawn += points - inside
        matter.books.grant_changed(grant)
        movements = matter.account(grant.member_id).spend(grant.terminal, inside) + loss(points - inside)
        matter.book(grant.member_id, movements, "redemption", grant.grant_id)
        used.append(GrantUsed(grant_id=grant.grant_id, points=inside, overdrawn=points - inside))
    return tuple(used)


def _keep(matter: Matter, body: SaleBody, member_id: str | None, earned: int, used: tuple[GrantUsed, ...]) -> None:
    redemption = body.redemption
    sale = Sale(
        entry_id=matter.entry.id,
        terminal=matter.entry.terminal,
        journal=matter.entry.journal,
        member_id=member_id,
        programme_version=matter.entry.programme_version,
        points_earned=earned,
        points_redeemed=redemption.points if redemption is not None else 0,
        discount_minor=redemption.discount_minor if redemption is not None else 0,
        points_overdrawn=sum(use.overdrawn for use in used),
    )
    matter.books.sale_changed(sale)
    matter.books.grants_used(sale.entry_id, used)
