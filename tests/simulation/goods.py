"""What the shops sell and what their programme says. Data for the simulation; no decision of its own but by lot."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from loyalty_sdk.basket import Basket, Line

__all__ = ["ALIASES", "REWARDS", "UNREGISTERED", "drawn_basket", "programme_document", "programme_of"]

ALIASES = tuple(f"CARD-{number:02}" for number in range(5))
UNREGISTERED = ("NEW-1", "NEW-2")
REWARDS = ("two-off", "five-off")
ARTICLES = (
    ("BREAD", 199, "bakery", ("1", "2")),
    ("COFFEE", 350, "drinks", ("1", "2", "3")),
    ("CHEESE", 1_899, "dairy", ("0.350", "1.275")),
    ("WINE", 2_490, "drinks", ("1", "6")),
    ("TOBACCO", 550, "tobacco", ("1",)),
    ("BASKET", 9_999, "gifts", ("1",)),
)


# By version, where a simulation has dates: what its programme says of them. The first version is the site's own.
DATES: tuple[dict[str, Any], ...] = (
    {"pending": {"hours": 2}, "expiry": {"on": "06-15", "utc_offset": "-03:00"}},
    {},
    {"pending": {"hours": 1}, "expiry": {"months_after_earning": 2, "utc_offset": "+01:00"}},
    {"expiry": {"months_after_earning": 1}},
)


def programme_of(version: int, *, dated: bool = False) -> dict[str, Any]:
    """The document of a version, as the oracle reads it; version 0 is a sale made without any."""
    document: dict[str, Any] = json.loads(programme_document(version, 1, dated=dated)) if version else {}
    return document


def drawn_basket(random: Random) -> Basket:
    """A basket of one to four lines; now and then one with a line discount."""
    return Basket.of("EUR", *(_line(random) for _ in range(random.choice((1, 1, 2, 3, 4)))))


def _line(random: Random) -> Line:
    sku, price_minor, category, quantities = random.choice(ARTICLES)
    return Line.of(sku, price_minor, random.choice(quantities), category=category)


def programme_document(version: int, grant_hours: int, *, dated: bool = False) -> str:
    """A version of the programme. Versions differ in what they give and how they round, so that mixing them shows.

    `dated` has its points wait and expire, from version 2 on.
    """
    document: dict[str, Any] = {
        "format": "loyalty-programme-1",
        "name": "Simulated",
        "version": version,
        "currency": "EUR",
        "earning_basis": "gross" if version % 3 == 0 else "paid",
        "earning": [
            {
                "id": "base",
                "kind": "amount",
                "points": 3 + version,
                "per_minor": 100,
                "excluded": {"categories": ["tobacco"]},
                "rounding": {
                    "mode": ("floor", "half_up", "ceiling", "half_even")[version % 4],
                    "scope": "basket" if version % 2 else "line",
                    "unit": "point",
                },
            },
            {"id": "coffee", "kind": "item", "points": 5, "included": {"skus": ["COFFEE"]}},
        ],
        "rewards": [
            {"id": "two-off", "points": 40, "discount_minor": 200, "count_per_sale_max": 3},
            {"id": "five-off", "points": 90, "discount_minor": 500, "minimum_spend_minor": 1_000},
        ],
        "offline": {
            "points_per_sale_max": 120,
            "points_per_member_max": 300,
            "redemptions_per_member_max": 4,
            "hours_since_contact_max": 24,
            "grant_ahead_points_max": 200,
            "grant_hours": grant_hours,
        },
    }
    return json.dumps(document | (DATES[version % 4] if dated and version > 1 else {}))
