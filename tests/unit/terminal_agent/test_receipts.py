"""Receipts as documents: every kind, in every language, as the lines that a customer reads."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from drivers.printer.document import Cut, QrCode
from drivers.printer.layout import plain_lines
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.envelope import Redemption, ReversalBody, SaleBody
from loyalty_sdk.model import ReceiptKey, ReturnLine, Reversal, Sale
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
    assert lines(receipt(occurred_at=NOW)) == [
        "               Clube Aurora",
        "",
        "Talão A-0042              01/05/2026 09:30",
        "Loja 12, caixa 3               Operador 77",
        "------------------------------------------",
        "Pão de forma                          1,50",
        "  10 x 0,15",
        "Máquina de café                     123,45",
        "------------------------------------------",
        "TOTAL                             124,95 €",
        "Numerário                           124,95",
        "------------------------------------------",
        "               Clube Aurora",
        "Cliente                            João S.",
        "Pontos ganhos                          124",
        "Saldo de pontos                      1 250",
        "                     (em 01/05/2026 09:30)",
        "  100 pontos já valem 5,00 € de desconto",
        "------------------------------------------",
        "                 Até já!",
        "    Este documento não serve de fatura",
        "",
    ]


def test_weight_discount_and_tax_stand_on_lines_of_their_own() -> None:
    weighed = Line(
        sku="Q", quantity=Decimal("0.485"), unit_price_minor=Decimal("1590"), amount_minor=721, discount_minor=50
    )
    fuel = Line.of("GASOLINA", 0, description="Gasolina")
    fuel = replace(fuel, quantity=Decimal("10.5"), unit_price_minor=Decimal("165.9"), amount_minor=1742, tax_minor=401)
    basket = Basket(currency="EUR", lines=(weighed, fuel), total_minor=2_864, prices_include_tax=False)
    found = lines(receipt(body=replace(BODY, basket=basket)))
    at = found.index("Q                                     7,71")
    assert found[at : at + 7] == [
        "Q                                     7,71",
        "  0,485 x 15,90",
        "  Desconto                           -0,50",
        "Gasolina                             17,42",
        "  10,5 x 1,659",
        "------------------------------------------",
        "IVA                                   4,01",
    ]


def test_the_customer_is_told_what_the_points_are_worth() -> None:
    far = receipt(result=replace(SALE, balance=40))
    assert "Faltam 60 pontos para 5,00 € de desconto" in [line.strip() for line in lines(far)]
    assert far.programme is not None
    none = replace(far, programme=replace(far.programme, rewards=()))
    assert not any("desconto" in line for line in lines(none))


def test_a_qr_code_leads_to_the_receipt_and_never_from_training() -> None:
    made = receipt()
    assert made.programme is not None
    texts = replace(made.programme.receipt, qr="https://clube.example/r/{receipt}")
    made = replace(made, programme=replace(made.programme, receipt=texts), key=replace(KEY, store="Loja 1/A"))
    codes = [element.data for element in receipt_document(made).elements if isinstance(element, QrCode)]
    assert codes == ["https://clube.example/r/Loja%201-A/3/2026-05-01/A/0042"]
    assert receipt_document(made).elements.index(QrCode(data=codes[0], module_dots=4)) > 10
    training = replace(made, result=replace(SALE, training=True))
    assert not any(isinstance(element, QrCode) for element in receipt_document(training).elements)


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
    assert any("A-0007" in line and "2026" in line for line in found)
    assert any(line.startswith(taken) and line.endswith("24") for line in found)
    assert any(line.startswith(given) and line.endswith("10") for line in found)
    assert any(line.endswith("24,00") or line.endswith("24.00") for line in found), "what is paid back"
    found = lines(receipt(locale, body=replace(REVERSAL_BODY, kind="void"), result=replace(REVERSAL, kind="void")))
    assert void in [line.strip() for line in found]


def test_a_return_names_what_came_back_and_what_was_paid() -> None:
    body = replace(
        REVERSAL_BODY, lines=(ReturnLine(line=1, quantity=Decimal(2)), ReturnLine(line=9, quantity=Decimal(1)))
    )
    found = lines(receipt(body=body, result=REVERSAL, original=BODY))
    at = found.index("                DEVOLUÇÃO")
    assert found[at : at + 7] == [
        "                DEVOLUÇÃO",
        "Talão A-0007                    01/05/2026",
        "------------------------------------------",
        "Pão de forma                           x 2",
        "------------------------------------------",
        "TOTAL DEVOLVIDO                    24,00 €",
        "Numerário                            24,00",
    ]
    unlinked = replace(REVERSAL_BODY, kind="unlinked_return", original=None, basket=BASKET)
    assert "Pão de forma                          1,50" in lines(receipt(body=unlinked, result=REVERSAL))


def test_a_tender_of_the_pos_own_is_printed_as_it_calls_it() -> None:
    body = replace(BODY, tenders=(Tender(kind="ticket Restaurante", amount_minor=12_495),))
    assert "Ticket Restaurante                  124,95" in lines(receipt(body=body))


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
