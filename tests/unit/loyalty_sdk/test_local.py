from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.local import ReceiptBlockRequest, ReversalRequest
from loyalty_sdk.model import Context, ReceiptKey, ReturnLine

DAY = date(2026, 5, 1)
CONTEXT = Context(store="12", register="3", cashier="77", business_date=DAY)
KEY = ReceiptKey(store="12", register="3", business_date=DAY, number="7")
BASKET = Basket.of("EUR", Line.of("A", 100))
LINES = (ReturnLine(line=1, quantity=Decimal(1)),)


def reversal(**fields: Any) -> ReversalRequest:
    return ReversalRequest(context=CONTEXT, receipt_number="8", **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "void", "original": KEY},
        {"kind": "return", "original": KEY},
        {"kind": "return", "original": KEY, "lines": LINES},
        {"kind": "unlinked_return", "basket": BASKET},
        {"kind": "unlinked_return", "basket": BASKET, "member_id": "m"},
        {"kind": "unlinked_return", "basket": BASKET, "alias": "a"},
    ],
)
def test_each_kind_of_reversal_takes_what_belongs_to_it(fields: dict[str, Any]) -> None:
    assert reversal(**fields).kind == fields["kind"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "void"}, "names its original"),
        ({"kind": "void", "original": KEY, "basket": BASKET}, "names its original"),
        ({"kind": "unlinked_return", "original": KEY}, "brings a basket"),
        ({"kind": "unlinked_return"}, "brings a basket"),
        ({"kind": "void", "original": KEY, "lines": LINES}, "a void reverses the whole sale"),
        ({"kind": "unlinked_return", "basket": BASKET, "lines": LINES}, "only a linked return names lines"),
        ({"kind": "return", "original": KEY, "member_id": "m"}, "from the original sale"),
    ],
)
def test_what_does_not_belong_to_a_kind_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        reversal(**fields)


@pytest.mark.parametrize("columns", [19, 81])
def test_a_receipt_block_is_20_to_80_columns_wide(columns: int) -> None:
    with pytest.raises(ValueError, match="20 to 80"):
        ReceiptBlockRequest(context=CONTEXT, receipt=KEY, columns=columns)
