"""One receipt of the demo's shop as a picture for the README; `make receipt` draws it into docs/receipt.png.

The shop, the rules and the receipt are those of the demo; only the customer and the moment are made up, so that the
picture is the same every time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from drivers.printer.models import printer_model
from drivers.printer.picture import document_png
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.envelope import Redemption, SaleBody
from loyalty_sdk.model import ReceiptKey, Sale
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.rules import points_earned
from sync.replica import MemberView
from terminal_agent.demo.shop import GOODS, PROGRAMME, REWARD_ID
from terminal_agent.receipts import Receipt, receipt_document

__all__ = ["main", "sample_receipt"]

MODEL = "epson-tm-t88"
BOUGHT = (("CAFE", "2"), ("PASTEL", "4"), ("PAO-LO", "1"), ("QUEIJO", "0.365"), ("LARANJA", "1.240"))
BALANCE_BEFORE = 131
# At the shop, wherever the picture is drawn.
SOLD_AT = datetime(2026, 6, 6, 10, 42)


def sample_receipt() -> Receipt:
    """Return a sale with a redeemed reward, as the till would have recorded it."""
    programme = parse_programme(json.dumps(PROGRAMME))
    sold_at = SOLD_AT.astimezone()
    goods = {good.sku: good for good in GOODS}
    basket = Basket.of("EUR", *(_line(goods[sku].description, sku, goods[sku].price_minor, q) for sku, q in BOUGHT))
    reward = programme.reward(REWARD_ID)
    assert reward is not None, "the demo's programme has its reward"
    earned = points_earned(programme, basket, reward.discount_minor)
    redemption = Redemption(
        hold_id="-", reward_id=reward.id, count=1, points=reward.points, discount_minor=reward.discount_minor
    )
    due = basket.total_minor - reward.discount_minor
    key = ReceiptKey(store="Aurora", register="1", business_date=sold_at.date(), number="0042", series="A")
    member = MemberView(
        member_id="-", name_masked="J*** G.", tier="", balance=BALANCE_BEFORE, revision=1, as_of=sold_at
    )
    sale = Sale(
        entry_id="-",
        receipt=key,
        member_id="-",
        points_earned=earned,
        points_redeemed=reward.points,
        discount_minor=reward.discount_minor,
        balance=BALANCE_BEFORE + earned - reward.points,
        as_of=sold_at,
    )
    body = SaleBody(
        cashier="Célia",
        member_id="-",
        basket=basket,
        tenders=(Tender(kind="mbway", amount_minor=due),),
        points_earned=earned,
        redemption=redemption,
    )
    return Receipt(body=body, key=key, result=sale, programme=programme, member=member, occurred_at=sold_at)


def main(arguments: Sequence[str]) -> int:
    """Write the picture to the file that is named."""
    if len(arguments) != 1:
        print("name one file: python -m terminal_agent.demo.picture docs/receipt.png", file=sys.stderr)
        return 2
    png = document_png(receipt_document(sample_receipt()), printer_model(MODEL).profile())
    Path(arguments[0]).write_bytes(png)
    print(f"{arguments[0]}: {len(png)} bytes")
    return 0


def _line(description: str, sku: str, price_minor: int, quantity: str) -> Line:
    return Line.of(sku, price_minor, quantity, description=description)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
