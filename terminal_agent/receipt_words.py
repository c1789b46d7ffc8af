"""The words of receipts and reports in the languages of our shops. Data only.

A word that is missing in a language is a type error. Texts with `{names}` take the same ones in every language; a test
holds that. The last line of a receipt says what the law wants on paper that looks like an invoice and is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["RECEIPT_WORDS", "REPORT_WORDS", "ReceiptWords", "ReportWords", "words_of"]

W = TypeVar("W")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptWords:
    """The words of a receipt; `tenders` names the kinds that POS systems use most, others are printed as they come."""

    receipt: str
    place: str
    cashier: str
    total: str
    paid_back: str
    discount: str
    tax: str
    reward: str
    rounding: str
    member: str
    points_earned: str
    points_redeemed: str
    points_taken_back: str
    points_given_back: str
    points_later: str
    balance: str
    as_of: str
    reward_ready: str
    reward_ahead: str
    void: str
    return_: str
    training: str
    copy: str
    no_invoice: str
    tenders: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWords:
    """The words of X and Z reports."""

    x: str
    z: str
    interim: str
    place: str
    business_date: str
    made_at: str
    sales: str
    sales_value: str
    member_sales: str
    members: str
    reversals: str
    reversed_value: str
    points_earned: str
    points_pending: str
    points_redeemed: str
    reward_value: str
    points_taken_back: str
    points_given_back: str
    points_net: str
    earlier: str
    incomplete: str
    receipts_missing: str
    reversals_unvalued: str
    other_currency: str


RECEIPT_WORDS = {
    "en": ReceiptWords(
        receipt="Receipt",
        place="Store {store}, register {register}",
        cashier="Cashier",
        total="TOTAL",
        paid_back="PAID BACK",
        discount="Discount",
        tax="Tax",
        reward="Loyalty reward",
        rounding="Rounding",
        member="Member",
        points_earned="Points earned",
        points_redeemed="Points redeemed",
        points_taken_back="Points taken back",
        points_given_back="Points given back",
        points_later="Points follow once the card is confirmed",
        balance="Points balance",
        as_of="as of {time}",
        reward_ready="{points} points are worth {amount} today",
        reward_ahead="{points} more points to {amount} off",
        void="VOID",
        return_="RETURN",
        training="TRAINING - NOT A RECEIPT",
        copy="COPY",
        no_invoice="This is not an invoice",
        tenders={
            "cash": "Cash",
            "card": "Card",
            "debit": "Debit card",
            "credit": "Credit card",
            "voucher": "Voucher",
            "gift_card": "Gift card",
            "cheque": "Cheque",
            "transfer": "Transfer",
            "mbway": "MB WAY",
            "pix": "Pix",
        },
    ),
    "pt_PT": ReceiptWords(
        receipt="Talão",
        place="Loja {store}, caixa {register}",
        cashier="Operador",
        total="TOTAL",
        paid_back="TOTAL DEVOLVIDO",
        discount="Desconto",
        tax="IVA",
        reward="Prémio de fidelização",
        rounding="Arredondamento",
        member="Cliente",
        points_earned="Pontos ganhos",
        points_redeemed="Pontos descontados",
        points_taken_back="Pontos retirados",
        points_given_back="Pontos devolvidos",
        points_later="Pontos a creditar após confirmação do cartão",
        balance="Saldo de pontos",
        as_of="em {time}",
        reward_ready="{points} pontos já valem {amount} de desconto",
        reward_ahead="Faltam {points} pontos para {amount} de desconto",
        void="ANULAÇÃO",
        return_="DEVOLUÇÃO",
        training="FORMAÇÃO - SEM VALIDADE",
        copy="2.ª VIA",
        no_invoice="Este documento não serve de fatura",
        tenders={
            "cash": "Numerário",
            "card": "Cartão",
            "debit": "Cartão de débito",
            "credit": "Cartão de crédito",
            "voucher": "Vale",
            "gift_card": "Cartão-oferta",
            "cheque": "Cheque",
            "transfer": "Transferência",
            "mbway": "MB WAY",
            "pix": "Pix",
        },
    ),
    "pt_BR": ReceiptWords(
        receipt="Cupom",
        place="Loja {store}, caixa {register}",
        cashier="Operador",
        total="TOTAL",
        paid_back="TOTAL DEVOLVIDO",
        discount="Desconto",
        tax="Impostos",
        reward="Resgate de fidelidade",
        rounding="Arredondamento",
        member="Cliente",
        points_earned="Pontos ganhos",
        points_redeemed="Pontos resgatados",
        points_taken_back="Pontos estornados",
        points_given_back="Pontos devolvidos",
        points_later="Pontos serão creditados após a confirmação do cartão",
        balance="Saldo de pontos",
        as_of="em {time}",
        reward_ready="{points} pontos já valem {amount} de desconto",
        reward_ahead="Faltam {points} pontos para {amount} de desconto",
        void="CANCELAMENTO",
        return_="DEVOLUÇÃO",
        training="TREINAMENTO - SEM VALOR",
        copy="2ª VIA",
        no_invoice="NÃO É DOCUMENTO FISCAL",
        tenders={
            "cash": "Dinheiro",
            "card": "Cartão",
            "debit": "Cartão de débito",
            "credit": "Cartão de crédito",
            "voucher": "Vale",
            "gift_card": "Cartão-presente",
            "cheque": "Cheque",
            "transfer": "Transferência",
            "mbway": "MB WAY",
            "pix": "Pix",
        },
    ),
    "es": ReceiptWords(
        receipt="Recibo",
        place="Tienda {store}, caja {register}",
        cashier="Cajero",
        total="TOTAL",
        paid_back="TOTAL DEVUELTO",
        discount="Descuento",
        tax="IVA",
        reward="Premio de fidelidad",
        rounding="Redondeo",
        member="Cliente",
        points_earned="Puntos ganados",
        points_redeemed="Puntos canjeados",
        points_taken_back="Puntos retirados",
        points_given_back="Puntos devueltos",
        points_later="Los puntos se abonarán al confirmar la tarjeta",
        balance="Saldo de puntos",
        as_of="a {time}",
        reward_ready="{points} puntos ya valen {amount} de descuento",
        reward_ahead="Faltan {points} puntos para {amount} de descuento",
        void="ANULACIÓN",
        return_="DEVOLUCIÓN",
        training="FORMACIÓN - SIN VALIDEZ",
        copy="COPIA",
        no_invoice="Este documento no es una factura",
        tenders={
            "cash": "Efectivo",
            "card": "Tarjeta",
            "debit": "Tarjeta de débito",
            "credit": "Tarjeta de crédito",
            "voucher": "Vale",
            "gift_card": "Tarjeta regalo",
            "cheque": "Cheque",
            "transfer": "Transferencia",
            "mbway": "MB WAY",
            "pix": "Pix",
        },
    ),
}

REPORT_WORDS = {
    "en": ReportWords(
        x="LOYALTY X REPORT",
        z="LOYALTY Z REPORT {number}",
        interim="interim, closes nothing",
        place="Store {store}, register {register}",
        business_date="Business date",
        made_at="Made at",
        sales="Sales",
        sales_value="Value of sales",
        member_sales="Sales with a card",
        members="Members",
        reversals="Returns and voids",
        reversed_value="Value paid back",
        points_earned="Points earned",
        points_pending="Points to be confirmed",
        points_redeemed="Points redeemed",
        reward_value="Value of rewards",
        points_taken_back="Points taken back",
        points_given_back="Points given back",
        points_net="Points, net",
        earlier="Already in Z report {numbers}: not counted here",
        incomplete="INCOMPLETE",
        receipts_missing="Receipts of this date, of any register, that have left the journal: {count}",
        reversals_unvalued="Returns whose points central works out: {count}",
        other_currency="Receipts in another currency, not in the values: {count}",
    ),
    "pt_PT": ReportWords(
        x="RELATÓRIO X DE FIDELIZAÇÃO",
        z="RELATÓRIO Z DE FIDELIZAÇÃO {number}",
        interim="intermédio, não fecha o dia",
        place="Loja {store}, caixa {register}",
        business_date="Data do dia",
        made_at="Emitido em",
        sales="Vendas",
        sales_value="Valor das vendas",
        member_sales="Vendas com cartão de cliente",
        members="Clientes",
        reversals="Devoluções e anulações",
        reversed_value="Valor devolvido",
        points_earned="Pontos ganhos",
        points_pending="Pontos por confirmar",
        points_redeemed="Pontos descontados",
        reward_value="Valor dos prémios",
        points_taken_back="Pontos retirados",
        points_given_back="Pontos devolvidos",
        points_net="Pontos, líquido",
        earlier="Já no relatório Z {numbers}: não contado aqui",
        incomplete="INCOMPLETO",
        receipts_missing="Talões desta data, de qualquer caixa, que já saíram do diário: {count}",
        reversals_unvalued="Devoluções cujos pontos a central apura: {count}",
        other_currency="Talões noutra moeda, fora dos valores: {count}",
    ),
    "pt_BR": ReportWords(
        x="RELATÓRIO X DE FIDELIDADE",
        z="RELATÓRIO Z DE FIDELIDADE {number}",
        interim="parcial, não fecha o dia",
        place="Loja {store}, caixa {register}",
        business_date="Data do movimento",
        made_at="Emitido em",
        sales="Vendas",
        sales_value="Valor das vendas",
        member_sales="Vendas com cliente identificado",
        members="Clientes",
        reversals="Devoluções e cancelamentos",
        reversed_value="Valor devolvido",
        points_earned="Pontos ganhos",
        points_pending="Pontos a confirmar",
        points_redeemed="Pontos resgatados",
        reward_value="Valor dos resgates",
        points_taken_back="Pontos estornados",
        points_given_back="Pontos devolvidos",
        points_net="Pontos, líquido",
        earlier="Já no relatório Z {numbers}: não contado aqui",
        incomplete="INCOMPLETO",
        receipts_missing="Cupons desta data, de qualquer caixa, que já saíram do diário: {count}",
        reversals_unvalued="Devoluções cujos pontos a central calcula: {count}",
        other_currency="Cupons em outra moeda, fora dos valores: {count}",
    ),
    "es": ReportWords(
        x="INFORME X DE FIDELIDAD",
        z="INFORME Z DE FIDELIDAD {number}",
        interim="intermedio, no cierra el día",
        place="Tienda {store}, caja {register}",
        business_date="Fecha de negocio",
        made_at="Emitido el",
        sales="Ventas",
        sales_value="Importe de las ventas",
        member_sales="Ventas con tarjeta de cliente",
        members="Clientes",
        reversals="Devoluciones y anulaciones",
        reversed_value="Importe devuelto",
        points_earned="Puntos ganados",
        points_pending="Puntos por confirmar",
        points_redeemed="Puntos canjeados",
        reward_value="Importe de los premios",
        points_taken_back="Puntos retirados",
        points_given_back="Puntos devueltos",
        points_net="Puntos, neto",
        earlier="Ya en el informe Z {numbers}: no se cuenta aquí",
        incomplete="INCOMPLETO",
        receipts_missing="Recibos de esta fecha, de cualquier caja, que ya salieron del diario: {count}",
        reversals_unvalued="Devoluciones cuyos puntos calcula la central: {count}",
        other_currency="Recibos en otra moneda, fuera de los importes: {count}",
    ),
}


def words_of(table: Mapping[str, W], locale: str) -> W:
    """Return the words for a locale as `pt_BR`: its own, its language's, Portugal's for Portuguese, else English."""
    language = locale.partition("_")[0]
    return table.get(locale) or table.get(language) or table["pt_PT" if language == "pt" else "en"]
