"""The same sale comes back in two shops at once: real terminals and the real ledger, which hear of each other late."""

from __future__ import annotations

from decimal import Decimal

import pytest

from loyalty_sdk.model import ReturnLine, Sale
from tests.integration.exchange.conftest import MakeTill
from tests.integration.exchange.site import CARD, CentralSite
from tests.integration.exchange.test_recovery import BIG, check_law_8, loss
from tests.integration.exchange.tills import Till
from tests.support.terminal_memory import basket_of

FIRST = ReturnLine(line=1, quantity=Decimal(1))


@pytest.fixture
def shops(make_till: MakeTill) -> tuple[Till, Till]:
    till, other = make_till("till-1"), make_till("till-2")
    till.start()
    other.start()
    return till, other


def redeemed(till: Till, member: str) -> Sale:
    """A sale of two articles that redeems 100 of the member's 500 points and earns 45."""
    till.sell(BIG, member_id=member)
    till.drain()
    till.identify(CARD)
    hold = till.hold(member_id=member)
    sale = till.sell(
        basket_of(2_500, 2_500), discount_minor=hold.discount_minor, hold_id=hold.hold_id, member_id=member
    )
    till.drain()
    return sale


def last_outcome(site: CentralSite, till: Till) -> tuple[str, str]:
    query = "SELECT outcome, reason FROM entries WHERE journal = ? ORDER BY seq DESC LIMIT 1"
    ((outcome, reason),) = site.rows(query, till.journal)
    return outcome, reason


def test_law_9_all_that_is_left_after_a_part_came_back_elsewhere(
    shops: tuple[Till, Till], site: CentralSite, member: str
) -> None:
    till, other = shops
    sale = redeemed(till, member)
    other.reverse("return", sale.receipt, FIRST)
    other.drain()
    till.reverse("return", sale.receipt)  # It names both articles: it knows of no other shop.
    till.drain()
    assert last_outcome(site, till) == ("applied", "returned-before")
    available, reserved, owed = site.figures()
    assert (available + reserved, owed, loss(site)) == (500, 0, 0)
    check_law_8(site)


def test_law_9_a_void_after_a_part_came_back_elsewhere(
    shops: tuple[Till, Till], site: CentralSite, member: str
) -> None:
    till, other = shops
    sale = redeemed(till, member)
    other.reverse("return", sale.receipt, FIRST)
    other.drain()
    till.reverse("void", sale.receipt)
    till.drain()
    assert last_outcome(site, till) == ("applied", "returned-before")
    available, reserved, owed = site.figures()
    assert (available + reserved, owed) == (500, 0)
    # The till spends what its void gave back to the grant, and central had set it aside.
    till.redeem(till.hold(member_id=member), member_id=member)
    till.drain()
    assert last_outcome(site, till) == ("applied", "")
    assert loss(site) == 0
    check_law_8(site)
