from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from loyalty_sdk.basket import LINES_MAX, TENDERS_MAX, Basket, Line, Tender, check_tenders
from loyalty_sdk.errors import BasketInvalid
from tests.unit.loyalty_sdk.strategies import baskets, lines


def line(**fields: Any) -> Line:
    given_fields: dict[str, Any] = {"sku": "A", "quantity": Decimal(2), "unit_price_minor": Decimal(100)}
    return Line(**given_fields | {"amount_minor": 200} | fields)


def basket(**fields: Any) -> Basket:
    given_fields: dict[str, Any] = {"currency": "EUR", "lines": (line(),), "total_minor": 200}
    return Basket(**given_fields | fields)


def test_a_line_is_made_from_a_price() -> None:
    made = Line.of("FUEL", 166, "10.005", category="fuel")
    assert (made.amount_minor, made.quantity, made.category) == (1661, Decimal("10.005"), "fuel")


def test_a_line_is_rounded_half_up() -> None:
    assert Line.of("A", 1, "0.5").amount_minor == 1
    assert Line.of("A", 1, "-0.5").amount_minor == -1


@pytest.mark.parametrize("amount_minor", [199, 200, 201])
def test_a_line_may_differ_by_one_minor_unit(amount_minor: int) -> None:
    assert line(amount_minor=amount_minor).amount_minor == amount_minor


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"sku": ""}, "no sku"),
        ({"quantity": Decimal(0)}, "quantity 0"),
        ({"unit_price_minor": Decimal(-100)}, "negative price"),
        ({"discount_minor": -1}, "sign of the quantity"),
        ({"amount_minor": 202}, "2 × 100 - 0 is 200, but amount_minor says 202"),
        ({"discount_minor": 300, "amount_minor": -100}, "discount exceeds the price"),
        ({"quantity": Decimal("NaN")}, "quantity"),
        ({"quantity": Decimal("Infinity")}, "quantity"),
        ({"unit_price_minor": Decimal("NaN")}, "unit_price_minor"),
    ],
)
def test_a_line_that_does_not_add_up_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(BasketInvalid, match=says):
        line(**fields)


@pytest.mark.parametrize("quantity", ["two", "NaN", "Infinity", ""])
def test_a_quantity_that_is_no_number_is_refused(quantity: str) -> None:
    with pytest.raises(BasketInvalid, match="quantity"):
        Line.of("A", 100, quantity)


def test_a_basket_sums_its_lines() -> None:
    assert Basket.of("EUR", Line.of("A", 100), Line.of("B", 50, -1)).total_minor == 50


def test_taxes_are_added_where_prices_are_without() -> None:
    made = Basket(currency="BRL", lines=(line(tax_minor=20),), total_minor=220, prices_include_tax=False)
    assert made.total_minor == 220


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"currency": "eur"}, "ISO 4217"),
        ({"currency": "ÉUR"}, "ISO 4217"),
        ({"lines": ()}, "1 to 2000 lines"),
        ({"lines": (line(),) * (LINES_MAX + 1)}, "not 2001"),
        ({"total_minor": 199}, "add up to 200, but total_minor says 199"),
        ({"lines": (Line.of("A", 100, -1),), "total_minor": -100}, "reverse_sale"),
    ],
)
def test_a_basket_that_does_not_add_up_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(BasketInvalid, match=says):
        basket(**fields)


def test_tenders_pay_exactly_what_is_due() -> None:
    check_tenders([Tender(kind="card", amount_minor=150), Tender(kind="cash", amount_minor=50)], 200)
    with pytest.raises(BasketInvalid, match="pay 150, but 200 is due"):
        check_tenders([Tender(kind="card", amount_minor=150)], 200)


def test_tenders_are_limited_in_number() -> None:
    with pytest.raises(BasketInvalid, match="at most 50"):
        check_tenders([Tender(kind="cash", amount_minor=0)] * (TENDERS_MAX + 1), 0)


@given(lines())
def test_amount_and_quantity_have_one_sign(made: Line) -> None:
    assert made.amount_minor * made.quantity >= 0


@given(baskets())
def test_no_basket_has_a_negative_total(made: Basket) -> None:
    assert made.total_minor >= 0
