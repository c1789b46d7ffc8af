"""Makes right what the local API's document cannot say: sums, what depends on the kind, the devices of a register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from loyalty_sdk.codec import encode
from tests.contract.examiner import AnyCase
from tests.unit.terminal_agent.rig import ANA, BASKET, hold_request

__all__ = ["DEVICE", "mended"]

DEVICE = "front"
CURRENCY = "EUR"
PRICE_MAX = 100_000
DISCOUNT = 500
PLACE = ("store", "register", "business_date")

Body = dict[str, Any]


def mended(case: AnyCase) -> AnyCase:
    """Return a case that is meant to be right, with what depends on something else put right."""
    body: Any = case.body
    if isinstance(body, dict) and isinstance(body.get("basket"), dict):
        _add_up(body["basket"])
    mend = BODIES.get(case.operation.label)
    if mend is not None and isinstance(body, dict):
        mend(body)
    return case


def _add_up(basket: Body) -> None:
    """Whole prices without discount, of articles that are sold; one alone reaches the reward."""
    for line in basket["lines"]:
        price = DISCOUNT + abs(line["amount_minor"]) % PRICE_MAX
        line |= {"amount_minor": price, "quantity": "1", "unit_price_minor": str(price), "discount_minor": 0}
        line["tax_minor"] = abs(line.get("tax_minor", 0)) % PRICE_MAX
    basket["currency"] = CURRENCY
    basket["total_minor"] = _sum(basket, "amount_minor")
    if not basket.get("prices_include_tax", True):
        basket["total_minor"] += _sum(basket, "tax_minor")


def _sum(basket: Body, name: str) -> int:
    return sum(line[name] for line in basket["lines"])


def _sold(body: Body) -> None:
    """The one hold that is known takes its discount; the tenders pay what is left."""
    total = body["basket"]["total_minor"]
    discount = 0
    if body.get("hold_id") == hold_request().redemption_id:
        discount, body["member_id"] = DISCOUNT, ANA
    body["rounding_minor"] = 0
    body["tenders"] = [{"kind": "cash", "amount_minor": total - discount}]


def _reversed(body: Body) -> None:
    """A void or a return names its original, an unlinked return brings a basket; only a return names lines."""
    linked = body["kind"] != "unlinked_return"
    body["basket" if linked else "original"] = None
    if linked and body.get("original") is None:
        body["original"] = {**{name: body["context"][name] for name in PLACE}, "number": "unknown"}
    if not linked and body.get("basket") is None:
        body["basket"] = encode(BASKET)
    if body["kind"] != "return" or not body.get("lines"):
        body["lines"] = None
    if linked:
        body["member_id"] = body["alias"] = None
    for line in body["lines"] or ():
        line["quantity"] = str(abs(Decimal(line["quantity"])) or 1)
    for tender in body.get("tenders", ()):
        tender["amount_minor"] = 1 + abs(tender["amount_minor"]) % PRICE_MAX


def _held(body: Body) -> None:
    body["count"] = 1


def _commanded(body: Body) -> None:
    body["scanner"] = body.get("scanner") and DEVICE


def _tested(body: Body) -> None:
    body["printer"] = None if body.get("printer") is None else DEVICE


def _reported(body: Body) -> None:
    body["context"]["training"] = False
    if body["kind"] == "x":
        body["number"] = None


BODIES: Mapping[str, Callable[[Body], None]] = {
    "POST /v1/holds": _held,
    "POST /v1/sales": _sold,
    "POST /v1/reversals": _reversed,
    "POST /v1/scanners/command": _commanded,
    "POST /v1/print-jobs/test": _tested,
    "POST /v1/reports": _reported,
}
