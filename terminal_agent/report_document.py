"""X and Z reports as documents for screen and paper, in the programme's language. A pure function of the report."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.printer.document import Align, Columns, Cut, Document, Element, Feed, Rule, TextLine
from loyalty_sdk.reports import Report
from terminal_agent.receipt_texts import Wording
from terminal_agent.report_file import FiledReport

__all__ = ["report_document"]


def report_document(filed: FiledReport, *, copy: bool = False) -> Document:
    """Return the report, to the cut."""
    wording = Wording(filed.texts.locale, filed.report.currency or "XXX")
    return Document(elements=tuple(_elements(filed, wording, copy=copy)))


def _elements(filed: FiledReport, wording: Wording, *, copy: bool) -> Iterator[Element]:
    report, words = filed.report, wording.report_words
    if copy:
        yield TextLine(text=wording.words.copy, align=Align.CENTER, bold=True)
    for index, text in enumerate(filed.texts.header):
        yield TextLine(text=text, align=Align.CENTER, bold=index == 0)
    if filed.programme_name not in filed.texts.header:
        yield TextLine(text=filed.programme_name, align=Align.CENTER)
    title = words.x if report.number is None else words.z.format(number=report.number)
    yield TextLine(text=title, align=Align.CENTER, bold=True, double_height=True)
    if report.kind == "x":
        yield TextLine(text=words.interim, align=Align.CENTER)
    yield Rule()
    yield TextLine(text=words.place.format(store=report.store, register=report.register))
    yield Columns(left=words.business_date, right=wording.day(report.business_date))
    yield Columns(left=words.made_at, right=wording.time(report.made_at.astimezone()))
    yield Rule()
    yield from (Columns(left=label, right=value) for label, value in _sales(report, wording))
    yield Rule()
    yield from (Columns(left=label, right=value) for label, value in _points(report, wording))
    net = report.points_earned - report.points_redeemed - report.points_taken_back + report.points_given_back
    yield Columns(left=words.points_net, right=wording.number(net), bold=True)
    yield from _notes(report, wording)
    yield Rule()
    yield TextLine(text=wording.words.no_invoice, align=Align.CENTER)
    yield Feed(lines=1)
    yield Cut()


def _sales(report: Report, wording: Wording) -> Iterator[tuple[str, str]]:
    words = wording.report_words
    yield words.sales, wording.number(report.sales)
    yield words.sales_value, _amount(report, report.sales_minor, wording)
    yield words.member_sales, wording.number(report.member_sales)
    yield words.members, wording.number(report.members)
    yield words.reversals, wording.number(report.reversals)
    yield words.reversed_value, _amount(report, report.reversed_minor, wording)


def _points(report: Report, wording: Wording) -> Iterator[tuple[str, str]]:
    words = wording.report_words
    yield words.points_earned, wording.number(report.points_earned)
    yield words.points_redeemed, wording.number(report.points_redeemed)
    yield words.reward_value, _amount(report, report.discount_minor, wording)
    yield words.points_taken_back, wording.number(report.points_taken_back)
    yield words.points_given_back, wording.number(report.points_given_back)
    if report.points_pending:
        yield words.points_pending, wording.number(report.points_pending)


def _notes(report: Report, wording: Wording) -> Iterator[Element]:
    """What this report does not contain, and why."""
    words = wording.report_words
    if report.earlier_numbers:
        numbers = ", ".join(str(number) for number in report.earlier_numbers)
        yield TextLine(text=words.earlier.format(numbers=numbers))
    if report.complete:
        return
    yield Rule()
    yield TextLine(text=words.incomplete, align=Align.CENTER, bold=True)
    missing = (
        (words.receipts_missing, report.receipts_missing),
        (words.reversals_unvalued, report.reversals_unvalued),
        (words.other_currency, report.other_currency),
    )
    yield from (TextLine(text=text.format(count=wording.number(count))) for text, count in missing if count)


def _amount(report: Report, amount_minor: int, wording: Wording) -> str:
    return wording.number(amount_minor) if report.currency is None else wording.amount(amount_minor)
