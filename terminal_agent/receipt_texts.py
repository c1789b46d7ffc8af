"""The words of a receipt in the languages of our shops, and their numbers, dates and amounts by Babel (CLDR)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

__all__ = ["ReceiptWords", "Wording"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptWords:
    """The words of one language."""

    receipt: str
    cashier: str
    total: str
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
    void: str
    return_: str
    training: str
    copy: str


_WORDS = {
    "en": ReceiptWords(
        receipt="Receipt",
        cashier="Cashier",
        total="TOTAL",
        reward="Loyalty reward",
        rounding="Rounding",
        member="Member",
        points_earned="Points earned",
        points_redeemed="Points redeemed",
        points_taken_back="Points taken back",
        points_given_back="Points given back",
        points_later="Points follow once the card is confirmed",
        balance="Points balance",
        as_of="as of",
        void="VOID",
        return_="RETURN",
        training="TRAINING - NOT A RECEIPT",
        copy="COPY",
    ),
    "pt_PT": ReceiptWords(
        receipt="Talão",
        cashier="Operador",
        total="TOTAL",
        reward="Prémio de fidelização",
        rounding="Arredondamento",
        member="Cliente",
        points_earned="Pontos ganhos",
        points_redeemed="Pontos descontados",
        points_taken_back="Pontos retirados",
        points_given_back="Pontos devolvidos",
        points_later="Pontos a creditar após confirmação do cartão",
        balance="Saldo de pontos",
        as_of="em",
        void="ANULAÇÃO",
        return_="DEVOLUÇÃO",
        training="FORMAÇÃO - SEM VALIDADE",
        copy="2.ª VIA",
    ),
    "pt_BR": ReceiptWords(
        receipt="Cupom",
        cashier="Operador",
        total="TOTAL",
        reward="Resgate de fidelidade",
        rounding="Arredondamento",
        member="Cliente",
        points_earned="Pontos ganhos",
        points_redeemed="Pontos resgatados",
        points_taken_back="Pontos estornados",
        points_given_back="Pontos devolvidos",
        points_later="Pontos serão creditados após a confirmação do cartão",
        balance="Saldo de pontos",
        as_of="em",
        void="CANCELAMENTO",
        return_="DEVOLUÇÃO",
        training="TREINAMENTO - SEM VALOR",
        copy="2ª VIA",
    ),
    "es": ReceiptWords(
        receipt="Recibo",
        cashier="Cajero",
        total="TOTAL",
        reward="Premio de fidelidad",
        rounding="Redondeo",
        member="Cliente",
        points_earned="Puntos ganados",
        points_redeemed="Puntos canjeados",
        points_taken_back="Puntos retirados",
        points_given_back="Puntos devueltos",
        points_later="Los puntos se abonarán al confirmar la tarjeta",
        balance="Saldo de puntos",
        as_of="a",
        void="ANULACIÓN",
        return_="DEVOLUCIÓN",
        training="FORMACIÓN - SIN VALIDEZ",
        copy="COPIA",
    ),
}


class Wording:
    """Words, numbers and dates of one locale, amounts in one currency."""

    def __init__(self, locale: str, currency: str) -> None:
        # Babel costs 0.1 s and some megabytes: a till that prints nothing never loads it.
        from babel import Locale
        from babel.core import UnknownLocaleError
        from babel.numbers import get_currency_precision

        try:
            self._locale = Locale.parse(locale.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            self._locale = Locale.parse("en")
        self._currency = currency
        self._exponent = get_currency_precision(currency)
        self.words = _words_of(str(self._locale))

    def amount(self, amount_minor: int) -> str:
        """Return an amount with its currency, as `12,50 €`."""
        from babel.numbers import format_currency

        return format_currency(Decimal(amount_minor).scaleb(-self._exponent), self._currency, locale=self._locale)

    def plain_amount(self, amount_minor: int) -> str:
        """Return an amount without its currency, as `12,50`."""
        from babel.numbers import format_decimal

        pattern = "#,##0." + "0" * self._exponent if self._exponent else "#,##0"
        return format_decimal(Decimal(amount_minor).scaleb(-self._exponent), pattern, locale=self._locale)

    def number(self, value: int | Decimal) -> str:
        """Return a number, as `1.234`."""
        from babel.numbers import format_decimal

        return format_decimal(value, locale=self._locale)

    def day(self, value: date) -> str:
        """Return a date in its short form."""
        from babel.dates import format_date

        return format_date(value, "short", locale=self._locale)

    def time(self, value: datetime) -> str:
        """Return a time of day with its date, both short, in the offset that it carries."""
        from babel.dates import format_datetime

        return format_datetime(value.replace(tzinfo=None), "short", locale=self._locale)


def _words_of(locale: str) -> ReceiptWords:
    language = locale.partition("_")[0]
    return _WORDS.get(locale) or _WORDS.get(language) or _WORDS["pt_PT" if language == "pt" else "en"]
