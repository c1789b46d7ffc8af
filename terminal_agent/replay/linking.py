"""Which sale a cancellation takes back. Pure.

A cancellation belongs to the latest earlier sale of the same customer in which every one of its lines finds its code
and unit price with enough quantity that has not come back yet. Where there is none, it is an unlinked return.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from loyalty_sdk.basket import Basket
from loyalty_sdk.model import ReturnLine
from terminal_agent.replay.receipts import Receipt

__all__ = ["Step", "link_cancellations"]

Article = tuple[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One receipt to record. A cancellation that was linked names its `original` sale and the lines that come back."""

    receipt: Receipt
    original: Receipt | None = None
    lines: tuple[ReturnLine, ...] | None = None


@dataclass(slots=True)
class _OpenSale:
    """A sale with the quantities of it that have not come back: article → [(line number, quantity left)]."""

    receipt: Receipt
    left: dict[Article, list[tuple[int, Decimal]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, receipt: Receipt) -> _OpenSale:
        sale = cls(receipt)
        for number, line in enumerate(receipt.basket.lines, start=1):
            if line.quantity > 0:
                sale.left[line.sku, line.unit_price_minor].append((number, line.quantity))
        return sale

    def covers(self, wanted: dict[Article, Decimal]) -> bool:
        return all(
            article in self.left and sum(quantity for _, quantity in self.left[article]) >= needed
            for article, needed in wanted.items()
        )

    def take(self, wanted: dict[Article, Decimal]) -> tuple[ReturnLine, ...]:
        """Take the quantities from the sale's lines, the first ones first."""
        taken = []
        for article, needed in wanted.items():
            kept = []
            for number, quantity in self.left[article]:
                part = min(quantity, needed)
                needed -= part
                if part:
                    taken.append(ReturnLine(line=number, quantity=part))
                if quantity > part:
                    kept.append((number, quantity - part))
            self.left[article] = kept
        return tuple(sorted(taken, key=lambda line: line.line))


def link_cancellations(receipts: Iterable[Receipt]) -> Iterator[Step]:
    """Yield a Step for each receipt; the receipts come in order of time."""
    sales: dict[str, list[_OpenSale]] = defaultdict(list)
    for receipt in receipts:
        if not receipt.cancellation:
            if receipt.member is not None:
                sales[receipt.member].append(_OpenSale.of(receipt))
            yield Step(receipt=receipt)
        else:
            yield _linked(receipt, sales[receipt.member] if receipt.member is not None else [])


def _linked(receipt: Receipt, sales: list[_OpenSale]) -> Step:
    wanted = _articles(receipt.basket)
    sale = next((sale for sale in reversed(sales) if sale.covers(wanted)), None)
    if sale is None:
        return Step(receipt=receipt)
    return Step(receipt=receipt, original=sale.receipt, lines=sale.take(wanted))


def _articles(basket: Basket) -> dict[Article, Decimal]:
    wanted: dict[Article, Decimal] = defaultdict(Decimal)
    for line in basket.lines:
        wanted[line.sku, line.unit_price_minor] += line.quantity
    return dict(wanted)
