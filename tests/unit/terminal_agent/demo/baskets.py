"""Random programmes, baskets and returns, as hypothesis strategies for the oracle's tests."""

from decimal import Decimal
from typing import Literal

from hypothesis import strategies as st

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.programme import EarningRule, Programme, Reward, Rounding, Selection

__all__ = ["baskets", "discounts", "programmes", "returned_quantities"]

SKUS = ("COFFEE", "BREAD", "MILK", "GIFT-CARD")
CATEGORIES = ("bakery", "drinks", "tobacco", "")

quantities = st.integers(1, 4).map(Decimal) | st.integers(1, 4_000).map(lambda grams: Decimal(grams) / 1_000)
selections = st.builds(
    Selection,
    categories=st.lists(st.sampled_from(CATEGORIES), max_size=2, unique=True).map(tuple),
    skus=st.lists(st.sampled_from(SKUS), max_size=2, unique=True).map(tuple),
)
roundings = st.builds(
    Rounding,
    mode=st.sampled_from(["floor", "ceiling", "half_up", "half_even"]),
    scope=st.sampled_from(["basket", "line"]),
    unit=st.sampled_from(["point", "step"]),
)


@st.composite
def earning_rules(draw: st.DrawFn, number: int) -> EarningRule:
    kind: Literal["amount", "item"] = draw(st.sampled_from(["amount", "item"]))
    return EarningRule(
        id=f"rule-{number}",
        kind=kind,
        points=draw(st.integers(1, 7)),
        per_minor=draw(st.sampled_from([1, 3, 50, 100])) if kind == "amount" else 0,
        minimum_spend_minor=draw(st.sampled_from([0, 0, 200, 1_000])),
        included=draw(st.none() | selections),
        excluded=draw(selections),
        rounding=draw(roundings),
    )


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    count = draw(st.integers(0, 3))
    return Programme(
        format="loyalty-programme-1",
        name="Clube",
        version=1,
        currency="EUR",
        earning_basis=draw(st.sampled_from(["paid", "gross"])),
        earning=tuple(draw(earning_rules(number)) for number in range(count)),
        rewards=(Reward(id="off", points=draw(st.integers(1, 60)), discount_minor=100, count_per_sale_max=9),),
    )


@st.composite
def sold_lines(draw: st.DrawFn) -> Line:
    quantity, price = draw(quantities), draw(st.integers(0, 900))
    discount = draw(st.integers(0, max(0, int(quantity * price) - 1)) | st.just(0))
    return Line(
        sku=draw(st.sampled_from(SKUS)),
        category=draw(st.sampled_from(CATEGORIES)),
        quantity=quantity,
        unit_price_minor=Decimal(price),
        discount_minor=discount,
        amount_minor=int(quantity * price - discount),
    )


@st.composite
def exchanged_lines(draw: st.DrawFn, worth_max: int) -> Line:
    """An article handed back in exchange: a negative quantity whose amount the rest of the basket covers."""
    price = draw(st.integers(0, worth_max))
    return Line(
        sku=draw(st.sampled_from(SKUS)),
        category=draw(st.sampled_from(CATEGORIES)),
        quantity=Decimal(-1),
        unit_price_minor=Decimal(price),
        amount_minor=-price,
    )


@st.composite
def baskets(draw: st.DrawFn) -> Basket:
    lines = draw(st.lists(sold_lines(), min_size=1, max_size=5))
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, 1)), draw(exchanged_lines(sum(line.amount_minor for line in lines))))
    return Basket.of("EUR", *lines)


def discounts(basket: Basket) -> st.SearchStrategy[int]:
    """How often a reward of 100 minor units is redeemed on the basket."""
    return st.integers(0, min(9, basket.total_minor // 100))


@st.composite
def returned_quantities(draw: st.DrawFn, basket: Basket) -> dict[int, Decimal]:
    """A part of every line, at most all of it; lines that were handed back themselves cannot come back by quantity."""
    parts = {}
    for number, line in enumerate(basket.lines, start=1):
        if line.quantity > 0 and draw(st.booleans()):
            whole = int(line.quantity * 1_000)
            parts[number] = Decimal(draw(st.integers(1, whole) | st.just(whole))) / 1_000
    return parts
