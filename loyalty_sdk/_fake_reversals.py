"""Voids and returns at a FakeAgent: cumulative by line and quantity, as docs/programme.md says under Returns."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from loyalty_sdk import rules
from loyalty_sdk._fake_book import ReversalRecord, SaleRecord, digest_of
from loyalty_sdk._fake_counter import Counter, recorded_before
from loyalty_sdk._fake_members import Account, Owner
from loyalty_sdk.basket import Tender
from loyalty_sdk.errors import BasketInvalid, ReversalRefused, TrainingMismatch
from loyalty_sdk.local import ReversalRequest
from loyalty_sdk.model import ReceiptKey, ReturnLine, Reversal

__all__ = ["reverse_sale"]

Points = tuple[int | None, int | None]


def reverse_sale(counter: Counter, request: ReversalRequest) -> Reversal:
    """Record a reversal, or answer with what is recorded under the same receipt key."""
    book, key = counter.book(request.context), counter.key(request)
    known = book.receipts.get(key)
    if known is not None:
        return recorded_before(known, Reversal, digest_of(request), key)
    _check_tenders(request.tenders)
    owner, points = _unlinked(counter, request) if request.original is None else _linked(counter, request)
    reversal = _reversal(counter, request, key, owner, points)
    book.receipts[key] = ReversalRecord(digest=digest_of(request), answer=reversal)
    return reversal


def _check_tenders(tenders: tuple[Tender, ...]) -> None:
    if any(tender.amount_minor <= 0 for tender in tenders):
        raise BasketInvalid("the tenders of a reversal say what is paid back, as amounts above 0")


def _reversal(counter: Counter, request: ReversalRequest, key: ReceiptKey, owner: Owner, points: Points) -> Reversal:
    debited, credited = points
    balance, as_of = counter.record(request.context, owner, (credited or 0) - (debited or 0))
    return Reversal(
        entry_id=counter.new_id(),
        receipt=key,
        kind=request.kind,
        member_id=owner.member_id if isinstance(owner, Account) else request.member_id,
        points_debited=debited,
        points_credited=credited,
        balance=balance,
        as_of=as_of,
        training=request.context.training,
    )


def _unlinked(counter: Counter, request: ReversalRequest) -> tuple[Owner, Points]:
    assert request.basket is not None  # ReversalRequest holds it for an unlinked return
    counter.check_currency(request.basket)
    if any(line.quantity < 0 for line in request.basket.lines):
        raise ReversalRefused("what comes back in an unlinked return has positive quantities")
    owner = counter.owner(request.member_id, request.alias)
    debited = 0 if owner is None else rules.points_earned(counter.programme, request.basket)
    return owner, (debited, 0)


def _linked(counter: Counter, request: ReversalRequest) -> tuple[Owner, Points]:
    assert request.original is not None  # the caller asks only then
    sale = _original(counter, request, request.original)
    if sale is None:
        return None, (None, None)
    before = _returned_points(sale)
    _add(sale, _quantities(sale, request))
    after = _returned_points(sale)
    if sale.owner is None:
        return None, (0, 0)
    credited = after.credited - before.credited
    if request.kind == "void" and isinstance(sale.owner, Account) and not counter.online:
        # A void gives the points back to the grant that they came from, so that they can be redeemed offline again.
        sale.owner.granted += credited
    return sale.owner, (after.debited - before.debited, credited)


def _original(counter: Counter, request: ReversalRequest, key: ReceiptKey) -> SaleRecord | None:
    """Return the sale, or None where this terminal does not know it and central will have to."""
    record = counter.book(request.context).receipts.get(key)
    if isinstance(record, ReversalRecord):
        raise ReversalRefused(f"receipt {key} is a {record.answer.kind}; only sales are reversed")
    other = counter.real if request.context.training else counter.training
    if record is None and key in other.receipts:
        raise TrainingMismatch(f"receipt {key} was made in {'sales' if request.context.training else 'training'}")
    return record


def _quantities(sale: SaleRecord, request: ReversalRequest) -> Mapping[int, Decimal]:
    left = sale.left()
    if request.kind == "void" and sale.returned:
        raise ReversalRefused(f"receipt {request.original} was reversed before in whole or part; return what is left")
    if not left:
        raise ReversalRefused(f"everything of receipt {request.original} was returned before")
    return left if request.lines is None else _chosen(request.lines, left)


def _chosen(lines: tuple[ReturnLine, ...], left: Mapping[int, Decimal]) -> Mapping[int, Decimal]:
    chosen: dict[int, Decimal] = {}
    for line in lines:
        chosen[line.line] = chosen.get(line.line, Decimal(0)) + line.quantity
    for number, quantity in chosen.items():
        if quantity > left.get(number, Decimal(0)):
            raise ReversalRefused(f"line {number}: {quantity} would come back, {left.get(number, 0)} is left")
    if not chosen:
        raise ReversalRefused("a return names at least one line; leave lines out to return all that is left")
    return chosen


def _add(sale: SaleRecord, quantities: Mapping[int, Decimal]) -> None:
    for number, quantity in quantities.items():
        sale.returned[number] = sale.returned.get(number, Decimal(0)) + quantity


def _returned_points(sale: SaleRecord) -> rules.ReturnedPoints:
    answer = sale.answer
    return rules.points_returned(
        sale.programme, sale.basket, answer.discount_minor, answer.points_redeemed, sale.returned
    )
