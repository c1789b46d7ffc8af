"""The basket as data: lines, tenders and the checks that they add up. No rules, no I/O.

Money is an integer in minor units of the basket's ISO 4217 currency; quantities and unit prices are decimals (a unit
price may be finer than a minor unit, as fuel at 165.9 cents a litre is).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from loyalty_sdk.errors import BasketInvalid

__all__ = ["LINES_MAX", "Basket", "Line", "Tender", "check_tenders"]

LINES_MAX = 2_000
TENDERS_MAX = 50
LINE_TOLERANCE_MINOR = (
    1  # POS systems round a line half up, half even or by truncation; one minor unit covers all three.
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a basket.

    `amount_minor` is what the customer pays for the line before any loyalty reward: quantity × unit price - discount,
    within one minor unit. It contains `tax_minor` unless the basket says that its prices are without tax.
    A negative quantity is an item handed back in exchange; its amount is then negative or zero.
    """

    sku: str
    amount_minor: int
    quantity: Decimal = Decimal(1)
    unit_price_minor: Decimal = Decimal(0)
    description: str = ""
    category: str = ""
    discount_minor: int = 0
    tax_minor: int = 0

    @classmethod
    def of(
        cls, sku: str, price_minor: int, quantity: int | str = 1, *, description: str = "", category: str = ""
    ) -> Line:
        """Make a line without discount from a price in minor units; the amount is rounded half up."""
        try:
            exact = Decimal(quantity)
            amount_minor = int((exact * price_minor).to_integral_value(ROUND_HALF_UP))
        except (ArithmeticError, ValueError):
            raise BasketInvalid(f'line {sku}: quantity {quantity!r} is no number; write it as "1.250"') from None
        return cls(
            sku=sku,
            amount_minor=amount_minor,
            quantity=exact,
            unit_price_minor=Decimal(price_minor),
            description=description,
            category=category,
        )

    def __post_init__(self) -> None:
        if not self.sku:
            raise BasketInvalid("a line has no sku; every line names the article it sells")
        if not (self.quantity.is_finite() and self.unit_price_minor.is_finite()):
            raise BasketInvalid(f"line {self.sku}: quantity and unit_price_minor are finite decimals")
        if self.quantity == 0:
            raise BasketInvalid(f"line {self.sku} has quantity 0; leave the line out")
        if self.unit_price_minor < 0:
            raise BasketInvalid(f"line {self.sku} has a negative price; write returned articles as negative quantities")
        if self.discount_minor * self.quantity < 0:
            raise BasketInvalid(f"line {self.sku}: the discount must have the sign of the quantity")
        self._check_amount()

    def _check_amount(self) -> None:
        expected = self.quantity * self.unit_price_minor - self.discount_minor
        if abs(expected - self.amount_minor) > LINE_TOLERANCE_MINOR:
            raise BasketInvalid(
                f"line {self.sku}: {self.quantity} × {self.unit_price_minor} - {self.discount_minor} is "
                f"{expected}, but amount_minor says {self.amount_minor}"
            )
        if self.amount_minor * self.quantity < 0:
            raise BasketInvalid(f"line {self.sku}: the discount exceeds the price")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """What is sold: the lines and their total in minor units, before any loyalty reward and cash rounding."""

    currency: str
    lines: tuple[Line, ...]
    total_minor: int
    prices_include_tax: bool = True

    @classmethod
    def of(cls, currency: str, *lines: Line) -> Basket:
        """Make a basket whose prices include tax; the total is the sum of the lines."""
        return cls(currency=currency, lines=lines, total_minor=sum(line.amount_minor for line in lines))

    def __post_init__(self) -> None:
        if len(self.currency) != 3 or not (self.currency.isascii() and self.currency.isupper()):
            raise BasketInvalid(f"currency {self.currency!r} is not an ISO 4217 code as EUR or BRL")
        if not 1 <= len(self.lines) <= LINES_MAX:
            raise BasketInvalid(f"a basket has 1 to {LINES_MAX} lines, not {len(self.lines)}")
        expected = sum(line.amount_minor for line in self.lines)
        if not self.prices_include_tax:
            expected += sum(line.tax_minor for line in self.lines)
        if expected != self.total_minor:
            raise BasketInvalid(f"the lines add up to {expected}, but total_minor says {self.total_minor}")
        if self.total_minor < 0:
            raise BasketInvalid("the total is negative; record more returned than sold with reverse_sale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tender:
    """One means of payment: `kind` as the POS calls it (cash, card, pix, mbway, …) and its amount in minor units."""

    kind: str
    amount_minor: int


def check_tenders(tenders: Sequence[Tender], due_minor: int) -> None:
    """Check that the tenders pay exactly `due_minor` (total - discount + cash rounding). Raises BasketInvalid."""
    if len(tenders) > TENDERS_MAX:
        raise BasketInvalid(f"a sale has at most {TENDERS_MAX} tenders, not {len(tenders)}")
    paid = sum(tender.amount_minor for tender in tenders)
    if paid != due_minor:
        raise BasketInvalid(
            f"the tenders pay {paid}, but {due_minor} is due (total - reward discount + rounding_minor); "
            "give change as a smaller cash tender"
        )
