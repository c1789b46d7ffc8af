"""What the tills know by themselves: every receipt that was acknowledged, and what customers still have of each sale.

The list is the POS's own, made from what was asked and not from what was answered, so that the oracle can reckon from
it what every member must have. An article that a customer brought back cannot come back a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from loyalty_sdk.local import ReversalRequest, SaleRequest
from loyalty_sdk.model import ReceiptKey, ReturnLine, Reversal, Sale

__all__ = ["Book", "Receipt"]

Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Receipt:
    """One acknowledged receipt. `left` is what the customer of a sale still has, by line from 1."""

    key: ReceiptKey
    terminal: str
    entry_ids: set[str]
    request: SaleRequest | ReversalRequest
    member: str | None
    reward: tuple[str, int] | None = None
    left: dict[int, Decimal] = field(default_factory=dict)
    returned_at: set[str] = field(default_factory=set)
    moved: bool = False


class Book:
    """The receipts of all shops."""

    def __init__(self) -> None:
        self.receipts: dict[str, Receipt] = {}
        self.faults: list[str] = []

    @property
    def sales(self) -> list[Receipt]:
        """The sales, in the order in which they were acknowledged."""
        return [receipt for receipt in self.receipts.values() if isinstance(receipt.request, SaleRequest)]

    def keep(
        self, terminal: str, request: SaleRequest | ReversalRequest, answer: Sale | Reversal, *, moved: bool
    ) -> Receipt:
        """Keep what was acknowledged; the same receipt at the same terminal must be the same entry."""
        receipt = Receipt(
            key=answer.receipt,
            terminal=terminal,
            entry_ids={answer.entry_id},
            request=request,
            member=request.member_id or request.alias,
            moved=moved,
        )
        return self.receipts.setdefault(str(answer.receipt), receipt)

    def check_same(self, terminal: str, answer: Sale | Reversal, lost: Set[str]) -> None:
        """Check what a retry was answered; what a restored disk has `lost` is recorded anew."""
        known = self.receipts.get(str(answer.receipt))
        if known is None:
            self.faults.append(
                f"a retry at {terminal} was answered as receipt {answer.receipt}, which nobody asked for"
            )
            return
        if known.terminal == terminal and known.entry_ids & lost:
            known.entry_ids.add(answer.entry_id)
        elif known.terminal == terminal and answer.entry_id not in known.entry_ids:
            self.faults.append(
                f"receipt {answer.receipt}: a retry at {terminal} was recorded as {answer.entry_id}, "
                f"the receipt is {sorted(known.entry_ids)}"
            )
        elif known.terminal != terminal:
            known.moved = True

    def lines(self, version_of: dict[str, int], counted: Sequence[Receipt]) -> Iterator[tuple[int, Json]]:
        """The list for the oracle: each line with the programme version that counts for it, by receipt."""
        left: dict[str, dict[int, Decimal]] = {}
        for receipt in counted:
            name, request = str(receipt.key), receipt.request
            if isinstance(request, SaleRequest):
                left[name] = dict(_sold(request))
                yield version_of.get(name, 0), self._sale(receipt)
                continue
            original = None if request.original is None else str(request.original)
            line = self._reversal(name, receipt)
            if original is not None:
                line["lines"] = _come_back(left[original], request.lines)
            yield version_of.get(original or name, 0), line

    def is_beyond(self, receipt: Receipt, gone_back: Set[str]) -> bool:
        """Whether a return may find nothing left: a till named all that it knew to be left of the sale.

        It came back in several shops, or at a till whose disk has `gone_back`, which does not know of each other's.
        """
        original = getattr(receipt.request, "original", None)
        if original is None:
            return False
        returned_at = self.receipts[str(original)].returned_at
        return len(returned_at) > 1 or bool(returned_at & gone_back)

    def _sale(self, receipt: Receipt) -> Json:
        assert isinstance(receipt.request, SaleRequest)
        reward = None if receipt.reward is None else {"id": receipt.reward[0], "count": receipt.reward[1]}
        return {
            "kind": "sale",
            "receipt": str(receipt.key),
            "member": receipt.member,
            "basket": _basket(receipt.request.basket),
            "reward": reward,
        }

    def _reversal(self, name: str, receipt: Receipt) -> Json:
        request = receipt.request
        assert isinstance(request, ReversalRequest)
        return {
            "kind": "reversal",
            "reversal": request.kind,
            "receipt": name,
            "member": receipt.member,
            "original": None if request.original is None else str(request.original),
            "lines": None,
            "basket": None if request.basket is None else _basket(request.basket),
        }


def _basket(basket: Any) -> Json:
    lines = [
        {
            "sku": line.sku,
            "category": line.category,
            "quantity": str(line.quantity),
            "amount_minor": line.amount_minor,
        }
        for line in basket.lines
    ]
    return {"lines": lines}


def _sold(request: SaleRequest) -> Iterator[tuple[int, Decimal]]:
    return ((number, line.quantity) for number, line in enumerate(request.basket.lines, start=1))


def _come_back(left: dict[int, Decimal], lines: tuple[ReturnLine, ...] | None) -> list[Json]:
    """What these lines bring back: what was named, as far as it is left; without lines all of it."""
    named = dict(left) if lines is None else {line.line: line.quantity for line in lines}
    back = {number: min(quantity, left[number]) for number, quantity in named.items()}
    left.update({number: left[number] - quantity for number, quantity in back.items()})
    return [{"line": number, "quantity": str(quantity)} for number, quantity in back.items() if quantity > 0]
