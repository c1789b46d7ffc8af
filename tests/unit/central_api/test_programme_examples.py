"""The programmes of docs/examples are in order, and give what their page says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from central_api.programmes.validation import validate_document
from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.rules import points_by_rule, reward_offers
from tests.unit.loyalty_sdk.test_programme import document

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
SUPERMARKET = Basket.of(
    "EUR",
    Line.of("MACA", 189, "1.250", category="fruta-legumes"),  # 2.36 €
    Line.of("PESCADA", 1_099, category="peixaria"),
    Line.of("SACO-REUTILIZAVEL", 60, 2, category="sacos"),
    Line.of("CIGARROS", 550, category="tabaco"),
)
PHARMACY = Basket.of(
    "BRL",
    Line.of("PROTETOR", 5_990, category="dermocosmeticos"),
    Line.of("FRALDA-G", 4_250, 2, category="fraldas"),
    Line.of("DIPIRONA", 1_200, category="medicamentos"),
)
PETROL = Basket.of(
    "EUR",
    Line.of("GASOLEO-PREMIUM", 170, "41.37", category="carburante"),
    Line.of("CAFE", 150, category="bar"),
    Line.of("DIARIO", 180, category="prensa"),
)


def text_of(name: str) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.json")))
def test_an_example_is_in_order_and_on_the_page(name: str) -> None:
    assert validate_document(text_of(name)).findings == ()
    assert f"({name})" in text_of("README.md")


def test_the_documented_programme_is_in_order() -> None:
    assert validate_document(json.dumps(document())).findings == ()


@pytest.mark.parametrize(
    ("name", "basket", "points", "offered"),
    [
        # 14.55 € count; fruit and fish are 13.35 €; the basket of 20.05 € bears two vouchers of 5 €.
        ("supermarket-pt.json", SUPERMARKET, {"compras": 14, "frescos": 13, "saco-reutilizavel": 10}, [2, 0]),
        # 59.90 + 85.00 count once, 59.90 twice, and two packs.
        ("pharmacy-br.json", PHARMACY, {"compras": 144, "dermocosmeticos": 59, "fraldas": 20}, [3]),
        # 41.37 litres: 82.74, and 41.37; 1.50 € of coffee is rounded half up.
        ("petrol-station-es.json", PETROL, {"litros": 82, "litros-premium": 41, "tienda": 2}, [1, 5]),
    ],
)
def test_an_example_gives_what_was_computed_by_hand(
    name: str, basket: Basket, points: dict[str, int], offered: list[int]
) -> None:
    programme = parse_programme(text_of(name))
    assert points_by_rule(programme, basket) == points
    assert [offer.count_max for offer in reward_offers(programme, basket, 10_000)] == offered
