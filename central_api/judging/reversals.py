"""Judges reversals: voids, linked returns and unlinked returns (Law 9).

A linked return counts cumulatively: its points are what has come back in all after it, less what had come back before.
So the parts of a full return sum to exactly what the sale earned and redeemed, whichever terminal took them.

The money was paid out before central hears of it. A reversal that names more than is left, because a part came back in
another shop meanwhile, counts for what is left and is flagged `returned-before`; one that finds nothing is rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from central_api.judging.matter import POINTS_MAX, Matter
from central_api.ledger.accounts import loss, loss_undone
from central_api.ledger.awaited import waits_for_receipt
from central_api.ledger.records import GrantUsed, Sale, Unfit, Verdict
from loyalty_sdk.basket import Basket
from loyalty_sdk.envelope import ReversalBody, SaleBody
from loyalty_sdk.model import ReceiptKey, ReturnLine
from loyalty_sdk.rules import ReturnedPoints, points_earned, points_returned

__all__ = ["judge_reversal"]

NOTHING = ReturnedPoints(debited=0, credited=0)


@dataclass(frozen=True, slots=True)
class _Return:
    """What one linked return changes: lines in all after it, and the points of this one."""

    returned: Mapping[int, Decimal]
    points: ReturnedPoints


def judge_reversal(matter: Matter) -> Verdict:
    """Apply a reversal, or raise Unfit."""
    body = matter.entry.body
    if not isinstance(body, ReversalBody) or matter.entry.receipt_key is None:
        raise Unfit("quarantined", "receipt-key-missing")
    if body.kind == "unlinked_return":
        return _judge_unlinked(matter, body)
    return _judge_linked(matter, body)


def _judge_unlinked(matter: Matter, body: ReversalBody) -> Verdict:
    if body.basket is None or body.original is not None:
        raise Unfit("quarantined", "body-differs")
    if any(line.quantity < 0 for line in body.basket.lines):
        raise Unfit("quarantined", "quantity-negative")
    member_id = matter.member(body.member_id)
    programme = matter.programme(body.basket)
    points = 0 if programme is None else points_earned(programme, body.basket)
    if points > POINTS_MAX:
        raise Unfit("quarantined", "points-implausible")
    if body.points_debited not in (None, points) and not (member_id is None and body.points_debited == 0):
        raise Unfit("quarantined", f"points-differ: {body.points_debited}, but the rules give {points}")
    if body.points_credited not in (None, 0):
        raise Unfit("quarantined", "points-differ: an unlinked return gives nothing back")
    if member_id is None:
        return Verdict(outcome="applied")
    matter.take(member_id, points, "unlinked-return")
    return Verdict(outcome="applied", points=-points, member_id=member_id)


def _judge_linked(matter: Matter, body: ReversalBody) -> Verdict:
    if body.original is None or body.basket is not None:
        raise Unfit("quarantined", "body-differs")
    sale, sold = _original(matter, body.original)
    restores = _restores_grants(matter, body, sale)
    change = _change(matter, body, sale, sold, restores=restores)
    points = None if sale.member_id is None else _move(matter, sale, sale.member_id, change.points, restores=restores)
    reason = _flag(body, change, sale.returned)
    sale.returned = dict(change.returned)
    sale.points_debited += change.points.debited
    sale.points_credited += change.points.credited
    matter.books.sale_changed(sale)
    return Verdict(outcome="applied", reason=reason, points=points, member_id=sale.member_id)


def _move(matter: Matter, sale: Sale, member_id: str, points: ReturnedPoints, *, restores: bool) -> int:
    """Book what comes back. Returns what that is to the member, whatever became of the points meanwhile."""
    matter.books.wants(member_id, matter.entry.terminal)
    if restores:
        credited = -_uncredit(matter, sale, member_id)
        credited += _restore(matter, sale, member_id)
    else:
        credited = _credit(matter, sale, member_id, points.credited)
    matter.take_back(member_id, sale.entry_id, points.debited)
    return credited - points.debited


def _original(matter: Matter, key: ReceiptKey) -> tuple[Sale, SaleBody]:
    """Return the sale. Raises Unfit: held until the sale has arrived and is applied."""
    entry_id = matter.books.receipts.get(key)
    entry = matter.books.entries.get(entry_id) if entry_id is not None else None
    if entry is not None and not isinstance(entry.body, SaleBody):
        raise Unfit("rejected", "original-is-no-sale")
    sale = matter.books.sales.get(entry_id) if entry_id is not None else None
    if sale is None or entry is None or not isinstance(entry.body, SaleBody):
        raise Unfit("held", "original-not-arrived", waits_for_receipt(key))
    return sale, entry.body


def _restores_grants(matter: Matter, body: ReversalBody, sale: Sale) -> bool:
    """Whether this is the void that gives the sale's grants their points again; the terminal has done so already."""
    if body.kind != "void" or (matter.entry.terminal, matter.entry.journal) != (sale.terminal, sale.journal):
        return False
    uses = matter.books.grant_uses.get(sale.entry_id) or ()
    return any(use.points or use.overdrawn for use in uses)


def _change(matter: Matter, body: ReversalBody, sale: Sale, sold: SaleBody, *, restores: bool) -> _Return:
    returned = _returned_after(body, sale.returned, sold.basket)
    if returned == sale.returned and (returned or body.lines is not None) and not restores:
        raise Unfit("rejected", "returned-before" if body.kind == "void" else "returned-more-than-sold")
    if sale.programme_version is None or sale.member_id is None:
        return _Return(returned, NOTHING)
    programme = matter.books.programmes.get(sale.programme_version)
    if programme is None:
        raise Unfit("quarantined", "programme-unknown")
    in_all = points_returned(programme, sold.basket, sale.discount_minor, sale.points_redeemed, returned)
    return _Return(
        returned,
        ReturnedPoints(debited=in_all.debited - sale.points_debited, credited=in_all.credited - sale.points_credited),
    )


def _returned_after(body: ReversalBody, before: Mapping[int, Decimal], basket: Basket) -> dict[int, Decimal]:
    """What has come back of each line after this return: never more than was sold.

    Lines with a negative quantity are articles that came back in the sale itself: they do not come back again.
    """
    sold = {number: line.quantity for number, line in enumerate(basket.lines, start=1) if line.quantity > 0}
    if body.kind == "void" or body.lines is None:
        return sold
    after = dict(before)
    for line in body.lines:
        if line.line in sold:
            after[line.line] = min(after.get(line.line, Decimal(0)) + line.quantity, sold[line.line])
    return after


def _uncredit(matter: Matter, sale: Sale, member_id: str) -> int:
    """Take back what parts that came back before had credited: the void gives it all to the grants."""
    to_member = min(sale.points_credited, sale.points_redeemed - sale.points_overdrawn)
    _give_back_to_grants(matter, sale, to_member, 0)
    movements = matter.account(member_id).take_credit_back(to_member) + loss(sale.points_credited - to_member)
    matter.book(member_id, movements, "void")
    return to_member


def _restore(matter: Matter, sale: Sale, member_id: str) -> int:
    """A void in the sale's own journal gives open grants their points again, and the member those of closed ones."""
    account = matter.account(member_id)
    uses = matter.books.grant_uses.get(sale.entry_id) or ()
    for use in uses:
        grant = matter.books.grants.get(use.grant_id)
        if grant is None or grant.state == "closed":
            movements = account.credit(use.points)
            _give_back(matter, use.grant_id, use.points)
        else:
            grant.spent -= use.points
            grant.overdrawn -= use.overdrawn
            matter.books.grant_changed(grant)
            movements = account.restore(grant.terminal, use.points)
        matter.book(member_id, movements + loss_undone(use.overdrawn), "void", use.grant_id)
    # Once: another void of this sale finds nothing to give back.
    matter.books.grants_used(
        sale.entry_id, tuple(GrantUsed(grant_id=use.grant_id, points=0, overdrawn=0) for use in uses)
    )
    return sum(use.points for use in uses)


def _credit(matter: Matter, sale: Sale, member_id: str, points: int) -> int:
    """Give redeemed points back: first those that were the member's, then those that central had lost."""
    own = sale.points_redeemed - sale.points_overdrawn
    before, after = min(sale.points_credited, own), min(sale.points_credited + points, own)
    _give_back_to_grants(matter, sale, before, after)
    movements = matter.account(member_id).credit(after - before) + loss_undone(points - (after - before))
    matter.book(member_id, movements, "return")
    return after - before


def _give_back_to_grants(matter: Matter, sale: Sale, before: int, after: int) -> None:
    """What came back of a sale in all is that of its first grant, then that of the next."""
    for use in matter.books.grant_uses.get(sale.entry_id) or ():
        _give_back(matter, use.grant_id, min(after, use.points) - min(before, use.points))
        before, after = max(0, before - use.points), max(0, after - use.points)


def _give_back(matter: Matter, grant_id: str, points: int) -> None:
    grant = matter.books.grants.get(grant_id)
    if grant is not None and points:
        matter.books.accounts.give_back(grant, points, matter.entry.id)


def _flag(body: ReversalBody, change: _Return, before: Mapping[int, Decimal]) -> str:
    """Another terminal may have taken lines meanwhile: then the cumulative figures are central's, not the till's."""
    asked = {} if body.lines is None else _asked(body.lines, before)
    if any(quantity > change.returned.get(line, 0) for line, quantity in asked.items()) or (
        body.kind == "void" and before
    ):
        return "returned-before"
    said = (body.points_debited, body.points_credited)
    differs = any(
        theirs is not None and theirs != ours for theirs, ours in zip(said, _both(change.points), strict=True)
    )
    return "points-corrected" if differs else ""


def _asked(lines: Iterable[ReturnLine], before: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """What would have come back of the lines that a return names, were there enough of them."""
    asked: dict[int, Decimal] = {}
    for line in lines:
        asked[line.line] = asked.get(line.line, before.get(line.line, Decimal(0))) + line.quantity
    return asked


def _both(points: ReturnedPoints) -> tuple[int, int]:
    return points.debited, points.credited
