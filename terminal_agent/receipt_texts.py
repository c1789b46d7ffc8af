"""The words, numbers, dates and amounts of receipts and reports in one locale, by Babel (CLDR)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from terminal_agent.receipt_words import RECEIPT_WORDS, REPORT_WORDS, words_of

__all__ = ["Wording"]


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
        self.words = words_of(RECEIPT_WORDS, str(self._locale))
        self.report_words = words_of(REPORT_WORDS, str(self._locale))

    def amount(self, amount_minor: int) -> str:
        """Return an amount with its currency, as `12,50 €`."""
        from babel.numbers import format_currency

        return format_currency(Decimal(amount_minor).scaleb(-self._exponent), self._currency, locale=self._locale)

    def plain_amount(self, amount_minor: int | Decimal) -> str:
        """Return an amount without its currency, as `12,50`; a price finer than the currency keeps its digits."""
        from babel.numbers import format_decimal

        pattern = "#,##0." + "0" * self._exponent if self._exponent else "#,##0"
        exact = Decimal(amount_minor).scaleb(-self._exponent)
        if exact != exact.quantize(Decimal(1).scaleb(-self._exponent)):
            pattern += "###" if self._exponent else ".###"
        return format_decimal(exact, pattern, locale=self._locale)

    def number(self, value: int | Decimal) -> str:
        """Return a number, as `1.234`."""
        from babel.numbers import format_decimal

        return format_decimal(value, locale=self._locale)

    def day(self, value: date) -> str:
        """Return a date with its whole year, as `01/05/2026`."""
        from babel.dates import format_skeleton

        return format_skeleton("yMd", value, locale=self._locale)

    def clock(self, value: datetime) -> str:
        """Return a time of day, as `09:30`, in the offset that it carries."""
        from babel.dates import format_time

        return format_time(value.replace(tzinfo=None), "short", locale=self._locale)

    def time(self, value: datetime) -> str:
        """Return a date and a time of day, in the offset that it carries."""
        return f"{self.day(value)} {self.clock(value)}"
