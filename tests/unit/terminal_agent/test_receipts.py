"""Receipts as documents: every kind, in every language, as the lines that a customer reads."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from drivers.printer.document import Cut
from drivers.printer.layout import plain_lines
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.envelope import Redemption, ReversalBody, SaleBody
from loyalty_sdk.model import ReceiptKey, Reversal, Sale
from sync.replica import MemberView
from terminal_agent.receipts import Receipt, loyalty_document, receipt_document
from tests.unit.terminal_agent.rig import NOW, programme

KEY = ReceiptKey(store="12", register="3", business_date=date(2026, 5, 1), number="0042", series="A")
ORIGINAL = replace(KEY, number="0007")
BASKET = Basket.of(
    "EUR",
    Line.of("PAO", 15, 10, description="Pão de forma"),
    Line.of("CAFE", 12_345, description="Máquina de café"),
)
MEMBER = MemberView(member_id="m", name_masked="João S.", tier="", balance=1_250, revision=7, as_of=NOW)
REDEMPTION = Redemption(hold_id="h", reward_id="five-off", count=1, points=100, discount_minor=500)
SALE = Sale(
    entry_id="e",
    receipt=KEY,
    member_id="m",
    points_earned=124,
    points_redeemed=0,
    discount_minor=0,
    balance=1_250,
    as_of=NOW,
)
BODY = SaleBody(
    cashier="77",
    member_id="m",
    basket=BASKET,
    tenders=(Tender(kind="cash", amount_minor=12_495),),
    points_earned=124,
)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def receipt(locale: str = "pt_PT", *, body: SaleBody | ReversalBody = BODY, **changes: Any) -> Receipt:
    texts = {"locale": locale, "header": ["Clube Aurora"], "footer": ["Até já!"]}
    values: dict[str, Any] = {
        "body": body,
        "key": KEY,
        "result": SALE,
        "programme": programme(receipt=texts),
        "member": MEMBER,
    }
    return Receipt(**values | changes)


def lines(made: Receipt, *, copy: bool = False) -> list[str]:
    return [line.rstrip() for line in plain_lines(receipt_document(made, copy=copy), 42)]


def test_a_sale_in_european_portuguese() -> None:
    assert lines(receipt()) == [
        "               Clube Aurora",
        "Talão A-0042                      01/05/26",
        "12/3                           Operador 77",
        "------------------------------------------",
        "10 x Pão de forma                     1,50",
        "Máquina de café                     123,45",
        "------------------------------------------",
        "TOTAL                             124,95 €",
        "cash                                124,95",
        "------------------------------------------",
        "Cliente                            João S.",
        "Pontos ganhos                          124",
        "Saldo de pontos                      1 250",
        "                      (em 01/05/26, 09:30)",
        "                 Até já!",
        "",
    ]


@pytest.mark.parametrize(
    ("locale", "currency", "total", "balance", "earned"),
    [
        ("pt_BR", "BRL", "R$ 124,95", "1.250", "Pontos ganhos"),
        ("es", "EUR", "124,95 €", "1.250", "Puntos ganados"),
        ("es-MX", "MXN", "$124.95", "1,250", "Puntos ganados"),
        ("en", "EUR", "EUR124.95", "1,250", "Points earned"),
        ("pt_AO", "AOA", "124,95 Kz", "1 250", "Pontos ganhos"),
        ("de", "EUR", "124,95 €", "1.250", "Points earned"),
        ("zz-nowhere", "EUR", "124.95", "1,250", "Points earned"),
        ("", "EUR", "124.95", "1,250", "Points earned"),
    ],
)
def test_words_and_numbers_follow_the_locale(locale: str, currency: str, total: str, balance: str, earned: str) -> None:
    body = replace(BODY, basket=replace(BASKET, currency=currency))
    made = receipt(locale, body=body)
    assert made.programme is not None
    made = replace(made, programme=replace(made.programme, currency=currency))
    text = "\n".join(lines(made))
    assert total.replace("EUR", "") in text
    assert balance in text
    assert earned in text


def test_a_redemption_shows_its_discount_and_its_points() -> None:
    body = replace(BODY, redemption=REDEMPTION, rounding_minor=-5, tenders=(Tender(kind="card", amount_minor=11_990),))
    result = replace(SALE, points_redeemed=100, discount_minor=500)
    found = lines(receipt(body=body, result=result))
    assert "Prémio de fidelização                -5,00" in found
    assert "Arredondamento                       -0,05" in found
    assert "TOTAL                             119,90 €" in found
    assert "Pontos descontados                     100" in found


REVERSAL = Reversal(
    entry_id="r",
    receipt=KEY,
    kind="return",
    member_id="m",
    points_debited=24,
    points_credited=10,
    balance=1_236,
    as_of=NOW,
)
REVERSAL_BODY = ReversalBody(
    kind="return", cashier="77", member_id="m", tenders=(Tender(kind="cash", amount_minor=2_400),), original=ORIGINAL
)


@pytest.mark.parametrize(
    ("locale", "void", "returned", "taken", "given"),
    [
        ("pt_PT", "ANULAÇÃO", "DEVOLUÇÃO", "Pontos retirados", "Pontos devolvidos"),
        ("pt_BR", "CANCELAMENTO", "DEVOLUÇÃO", "Pontos estornados", "Pontos devolvidos"),
        ("es", "ANULACIÓN", "DEVOLUCIÓN", "Puntos retirados", "Puntos devueltos"),
        ("en", "VOID", "RETURN", "Points taken back", "Points given back"),
    ],
)
def test_a_reversal_names_its_kind_and_its_sale(locale: str, void: str, returned: str, taken: str, given: str) -> None:
    found = lines(receipt(locale, body=REVERSAL_BODY, result=REVERSAL))
    assert returned in [line.strip() for line in found]
    assert any("2026-05-01 A-0007" in line for line in found)
    assert any(line.startswith(taken) and line.endswith("24") for line in found)
    assert any(line.startswith(given) and line.endswith("10") for line in found)
    assert any(line.startswith("cash") for line in found), "what is paid back"
    found = lines(receipt(locale, body=replace(REVERSAL_BODY, kind="void"), result=replace(REVERSAL, kind="void")))
    assert void in [line.strip() for line in found]


def test_a_reversal_of_an_unknown_sale_leaves_the_points_out() -> None:
    found = lines(receipt(body=REVERSAL_BODY, result=replace(REVERSAL, points_debited=None, points_credited=None)))
    assert not any("retirados" in line for line in found)


@pytest.mark.parametrize(
    ("locale", "later"),
    [("pt_PT", "a creditar"), ("pt_BR", "serão creditados"), ("es", "se abonarán"), ("en", "follow")],
)
def test_an_unknown_card_is_told_that_the_points_follow(locale: str, later: str) -> None:
    made = receipt(locale, result=replace(SALE, member_id=None, balance=None), member=None, alias_pending=True)
    block = "\n".join(plain_lines(loyalty_document(made), 60))
    assert later in block
    assert "124" in block


def test_an_anonymous_sale_has_no_loyalty_part() -> None:
    made = receipt(result=replace(SALE, member_id=None, points_earned=0, balance=None), member=None)
    assert loyalty_document(made).elements == ()
    assert not any("ontos" in line for line in lines(made))


@pytest.mark.parametrize(
    ("locale", "training", "copy"),
    [
        ("pt_PT", "FORMAÇÃO - SEM VALIDADE", "2.ª VIA"),
        ("pt_BR", "TREINAMENTO - SEM VALOR", "2ª VIA"),
        ("es", "FORMACIÓN - SIN VALIDEZ", "COPIA"),
        ("en", "TRAINING - NOT A RECEIPT", "COPY"),
    ],
)
def test_training_and_copies_say_so_first(locale: str, training: str, copy: str) -> None:
    made = receipt(locale, result=replace(SALE, training=True))
    assert [line.strip() for line in lines(made, copy=True)[:2]] == [training, copy]
    assert plain_lines(loyalty_document(made), 42)[0].strip() == training
    assert copy in [line.strip() for line in lines(receipt(locale), copy=True)]


def test_without_a_programme_there_is_still_a_receipt() -> None:
    found = lines(receipt(programme=None, member=None))
    assert found[0].startswith("Receipt A-0042")
    assert any(line.startswith("TOTAL") and line.endswith("124.95") for line in found)


def test_the_whole_receipt_ends_with_a_cut_and_the_block_has_none() -> None:
    assert receipt_document(receipt()).elements[-1] == Cut()
    assert Cut() not in loyalty_document(receipt()).elements


def test_no_data_reaches_the_paper_as_a_command() -> None:
    member = replace(MEMBER, name_masked="\x1bp\x00\x19\xfaAna")
    assert "Cliente                              púAna" in lines(receipt(member=member))
