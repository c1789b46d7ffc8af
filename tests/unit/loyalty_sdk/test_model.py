from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from loyalty_sdk.model import Context, ReceiptKey, ReturnLine

DAY = date(2026, 5, 1)


def context(**fields: Any) -> Context:
    given: dict[str, Any] = {"store": "12", "register": "3", "cashier": "77", "business_date": DAY}
    return Context(**given | fields)


@pytest.mark.parametrize("field", ["store", "register", "cashier"])
@pytest.mark.parametrize(("value", "says"), [("", "is empty"), ("x" * 65, "at most 64"), ("a\nb", "printable")])
def test_a_context_has_printable_names(field: str, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"{field} .*{says}"):
        context(**{field: value})


def test_only_the_series_of_a_receipt_may_be_empty() -> None:
    key = ReceiptKey(store="12", register="3", business_date=DAY, number="7")
    assert str(key) == "12/3 2026-05-01 7"
    with pytest.raises(ValueError, match="number is empty"):
        ReceiptKey(store="12", register="3", business_date=DAY, number="")
    with pytest.raises(ValueError, match="series must be"):
        ReceiptKey(store="12", register="3", business_date=DAY, number="7", series="\t")


def test_a_receipt_key_reads_with_its_series() -> None:
    assert str(ReceiptKey(store="12", register="3", business_date=DAY, number="7", series="A")) == "12/3 2026-05-01 A-7"


@pytest.mark.parametrize(("line", "quantity"), [(0, Decimal(1)), (1, Decimal(0)), (1, Decimal(-1))])
def test_a_returned_line_is_positive(line: int, quantity: Decimal) -> None:
    with pytest.raises(ValueError, match="counts from 1"):
        ReturnLine(line=line, quantity=quantity)
