"""The X and Z reports of a FakeAgent, counted from its book as the agent counts from its journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from loyalty_sdk._fake_book import Book, ReversalRecord, SaleRecord
from loyalty_sdk.errors import InvalidRequest, NotFound
from loyalty_sdk.local import ReportRequest
from loyalty_sdk.model import Context, ReceiptKey
from loyalty_sdk.reports import Report

__all__ = ["FakeReports"]

_SHOWN = ("sales", "member_sales", "reversals", "points_earned", "points_redeemed", "points_taken_back")


class FakeReports:
    """The Z reports that were made, and the receipts that they contain."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._made: list[Report] = []
        self._closed: set[ReceiptKey] = set()

    def report(self, book: Book, request: ReportRequest, currency: str) -> Report:
        """Return the report that was asked for. Raises NotFound, InvalidRequest."""
        context = request.context
        if context.training:
            raise InvalidRequest("training counts nothing; ask for the report with a till that is not in training")
        made = [old for old in self._made if (old.store, old.register) == (context.store, context.register)]
        if request.number is not None:
            found = [old for old in made if old.number == request.number]
            if not found:
                raise NotFound(f"there is no Z report {request.number}; this register has {len(made)}")
            return replace(found[0], copy=True)
        of_date = [old for old in made if old.business_date == context.business_date]
        open_receipts = {key: record for key, record in book.receipts.items() if self._is_open(key, context)}
        if request.kind == "z" and of_date and not open_receipts:
            return replace(of_date[-1], copy=True)
        report = self._counted(request, list(open_receipts.values()), of_date, currency)
        if request.kind == "x":
            return report
        self._closed |= open_receipts.keys()
        self._made.append(replace(report, number=len(made) + 1))
        return self._made[-1]

    def _is_open(self, key: ReceiptKey, context: Context) -> bool:
        wanted = (context.store, context.register, context.business_date)
        return (key.store, key.register, key.business_date) == wanted and key not in self._closed

    def _counted(
        self,
        request: ReportRequest,
        records: Sequence[SaleRecord | ReversalRecord],
        earlier: Sequence[Report],
        currency: str,
    ) -> Report:
        sold = [record for record in records if isinstance(record, SaleRecord)]
        sales = [record.answer for record in sold]
        reversals = [record.answer for record in records if isinstance(record, ReversalRecord)]
        members = {sale.member_id for sale in sales if sale.member_id}
        report = Report(
            kind=request.kind,
            store=request.context.store,
            register=request.context.register,
            business_date=request.context.business_date,
            made_at=self._now(),
            earlier_numbers=tuple(old.number for old in earlier if old.number),
            currency=currency,
            sales=len(sales),
            sales_minor=sum(record.basket.total_minor - record.answer.discount_minor for record in sold),
            member_sales=sum(sale.member_id is not None for sale in sales),
            members=len(members),
            reversals=len(reversals),
            points_earned=sum(sale.points_earned for sale in sales if sale.member_id),
            points_pending=sum(sale.points_earned for sale in sales if not sale.member_id),
            points_redeemed=sum(sale.points_redeemed for sale in sales),
            discount_minor=sum(sale.discount_minor for sale in sales),
            points_taken_back=sum(reversal.points_debited or 0 for reversal in reversals),
            points_given_back=sum(reversal.points_credited or 0 for reversal in reversals),
        )
        return replace(report, lines=tuple(f"{name.replace('_', ' ')} {getattr(report, name)}" for name in _SHOWN))
