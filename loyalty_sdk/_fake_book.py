"""What a FakeAgent has recorded: holds and receipts, in one book for real sales and another for training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from loyalty_sdk._fake_members import Owner
from loyalty_sdk.basket import Basket
from loyalty_sdk.codec import dumps
from loyalty_sdk.local import HoldRequest, ReversalRequest, SaleRequest
from loyalty_sdk.model import Context, Hold, ReceiptKey, Reversal, Sale
from loyalty_sdk.programme import Programme

__all__ = ["Book", "HoldRecord", "ReversalRecord", "SaleRecord", "digest_of", "key_of"]


@dataclass(slots=True, kw_only=True)
class HoldRecord:
    """A hold, the digest of its request, and what became of it."""

    hold: Hold
    digest: str
    state: Literal["open", "spent", "released"] = "open"
    offline_since: datetime | None = None


@dataclass(slots=True, kw_only=True)
class SaleRecord:
    """A sale with what its returns are counted from."""

    digest: str
    answer: Sale
    owner: Owner
    programme: Programme
    basket: Basket
    returned: dict[int, Decimal] = field(default_factory=dict)

    def left(self) -> dict[int, Decimal]:
        """Return the quantity of each line that has not come back; lines that have come back whole are left out."""
        lines = enumerate(self.basket.lines, start=1)
        left = {number: line.quantity - self.returned.get(number, Decimal(0)) for number, line in lines}
        return {number: quantity for number, quantity in left.items() if quantity}


@dataclass(slots=True, kw_only=True)
class ReversalRecord:
    """A reversal; its own receipt can be printed, too."""

    digest: str
    answer: Reversal


@dataclass(slots=True, kw_only=True)
class Book:
    """Holds by id, receipts by key, each in the order of recording."""

    holds: dict[str, HoldRecord] = field(default_factory=dict)
    receipts: dict[ReceiptKey, SaleRecord | ReversalRecord] = field(default_factory=dict)

    def open_holds(self) -> list[Hold]:
        """Return the holds that are neither spent nor released."""
        return [record.hold for record in self.holds.values() if record.state == "open"]


def digest_of(request: HoldRequest | SaleRequest | ReversalRequest) -> str:
    """Return what tells a repeated request from another under its key; after a change of shift it is the same one."""
    plain = replace(request, context=replace(request.context, cashier="-"))
    return hashlib.sha256(dumps(plain)).hexdigest()


def key_of(context: Context, series: str, number: str) -> ReceiptKey:
    """Return the receipt key that context, series and number make."""
    return ReceiptKey(
        store=context.store,
        register=context.register,
        business_date=context.business_date,
        number=number,
        series=series,
    )
