"""The demo's shop: what it sells, who its members are, and its programme. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CURRENCY", "GOODS", "MEMBERS", "PROGRAMME", "REWARD_ID", "STRANGER", "Good", "Person"]

CURRENCY = "EUR"
REWARD_ID = "dois-e-meio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """An article: price in cents for a piece, or for a kilogram where it is `weighed`."""

    sku: str
    description: str
    category: str
    price_minor: int
    weighed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A customer with a card: the code on it, and the AIM identifier that a scanner puts in front of it."""

    alias: str
    name: str
    aim: str


def _good(sku: str, description: str, category: str, price_minor: int, weighed: bool = False) -> Good:
    return Good(sku=sku, description=description, category=category, price_minor=price_minor, weighed=weighed)


GOODS = (
    _good("CAFE", "Café expresso", "cafetaria", 90),
    _good("GALAO", "Galão", "cafetaria", 160),
    _good("CHA", "Chá de hortelã", "cafetaria", 140),
    _good("SUMO", "Sumo de laranja natural", "cafetaria", 280),
    _good("PASTEL", "Pastel de nata", "padaria", 130),
    _good("PAO-LO", "Pão de Ló de Ovar", "padaria", 1250),
    _good("BROA", "Broa de milho", "padaria", 240),
    _good("CARCACA", "Carcaça", "padaria", 22),
    _good("FOLAR", "Folar da Páscoa", "padaria", 890),
    _good("PAO-QUEIJO", "Pão de queijo", "padaria", 150),
    _good("BRIGADEIRO", "Brigadeiro", "padaria", 180),
    _good("ENSAIMADA", "Ensaïmada mallorquina", "padaria", 320),
    _good("BACALHAU", "Bacalhau da Noruega", "mercearia", 1590, weighed=True),
    _good("QUEIJO", "Queijo da Serra", "mercearia", 2190, weighed=True),
    _good("PRESUNTO", "Jamón serrano", "mercearia", 2690, weighed=True),
    _good("LARANJA", "Laranja do Algarve", "mercearia", 189, weighed=True),
    _good("BANANA", "Banana da Madeira", "mercearia", 215, weighed=True),
    _good("AZEITE", "Azeite virgem extra 75 cl", "mercearia", 899),
    _good("ARROZ", "Arroz carolino 1 kg", "mercearia", 149),
    _good("FEIJAO", "Feijão preto 500 g", "mercearia", 199),
    _good("LEITE", "Leite meio-gordo 1 l", "mercearia", 95),
    _good("MARMELADA", "Marmelada de Odivelas", "mercearia", 349),
    _good("VINHO", "Vinho do Douro", "bebidas", 749),
    _good("GINJA", "Ginjinha de Óbidos", "bebidas", 1190),
    _good("AGUA", "Água das Pedras", "bebidas", 110),
    _good("GUARANA", "Guaraná", "bebidas", 145),
    _good("JORNAL", "Jornal", "imprensa", 200),
    _good("TABACO", "Cigarros", "tabaco", 560),
    _good("VALE", "Cartão-presente 20 €", "vales", 2000),
    _good("AMOSTRA", "Amostra grátis", "padaria", 0),
)

_NAMES = (
    "João Gonçalves", "Inês Conceição", "Álvaro Magalhães", "Graça Simões", "Luís Estêvão", "Mónica Araújo",
    "Sebastião Falcão", "Catarina Brandão", "Antônio Guimarães", "Luíza Assunção", "Flávia Damião", "Cauã Sampaio",
    "Verônica Leão", "Éder Paixão", "Thaís Galvão", "José Peña", "Íñigo Ibáñez", "Begoña Núñez", "Andrés Güell",
    "Sofía Muñoz", "Raúl Cañizares", "Lucía Ordóñez", "Nuria Étxebarria", "Óscar Saldaña", "Zoë d'Orléans-Bragança",
    "Maria do Céu", "Vítor Romão", "Júlia Patrão", "Simão Ourém", "Aida Müller-Brás",
)  # fmt: skip


def _check_digit(digits: str) -> str:
    """The last digit of an EAN-13 (GS1 General Specifications, section 7.9)."""
    weighted = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return str(-weighted % 10)


def _person(number: int, name: str) -> Person:
    """Every third member has the QR code of an app, the others a card with an EAN-13."""
    if number % 3 == 2:
        return Person(alias=f"AURORA-{number * 7919 % 100_000:05d}-{number:02d}", name=name, aim="]Q1")
    digits = f"2900{number:08d}"
    return Person(alias=digits + _check_digit(digits), name=name, aim="]E0")


MEMBERS = tuple(_person(number, name) for number, name in enumerate(_NAMES, start=1))
# A card that belongs to nobody here.
STRANGER = Person(alias="299999999999" + _check_digit("299999999999"), name="", aim="]E0")

PROGRAMME: dict[str, Any] = {
    "format": "loyalty-programme-1",
    "name": "Clube Aurora",
    "version": 1,
    "currency": CURRENCY,
    "earning_basis": "paid",
    "earning": [
        {
            "id": "base",
            "kind": "amount",
            "points": 2,
            "per_minor": 100,
            "excluded": {"categories": ["tabaco", "imprensa"], "skus": ["VALE"]},
        },
        {
            "id": "padaria",
            "kind": "amount",
            "points": 1,
            "per_minor": 50,
            "included": {"categories": ["padaria"]},
            "rounding": {"mode": "half_up", "scope": "line"},
        },
        {"id": "cafe", "kind": "item", "points": 5, "included": {"skus": ["CAFE", "GALAO"]}},
        {
            "id": "cabaz",
            "kind": "amount",
            "points": 10,
            "per_minor": 1000,
            "minimum_spend_minor": 3000,
            "included": {"categories": ["mercearia", "bebidas"]},
            "rounding": {"mode": "half_even", "unit": "step"},
        },
    ],
    "rewards": [
        {
            "id": REWARD_ID,
            "name": "2,50 € de desconto",
            "points": 50,
            "discount_minor": 250,
            "count_per_sale_max": 2,
            "minimum_spend_minor": 500,
        }
    ],
    "offline": {
        "points_per_sale_max": 100,
        "points_per_member_max": 200,
        "redemptions_per_member_max": 4,
        "hours_since_contact_max": 72,
        "grant_ahead_points_max": 100,
        "grant_hours": 96,
    },
    "receipt": {
        "locale": "pt_PT",
        "header": ["Padaria e Mercearia Aurora", "Rua da Conceição 12, Lisboa"],
        "qr": "https://aurora.example/clube/{receipt}",
        "footer": ["Veja os seus pontos com este código", "Obrigado pela sua visita!"],
    },
}
