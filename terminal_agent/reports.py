"""X and Z reports of this terminal's registers: counted from the journal, filed, shown and printed.

A Z report is made by counting what no Z report of its register and date contains and filing that with the next number,
one at a time. A sale that is recorded meanwhile is in the next one; none is in two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime

from drivers.printer.layout import plain_lines
from loyalty_sdk.errors import InvalidRequest, JournalUnavailable, NotFound
from loyalty_sdk.local import ReportRequest
from loyalty_sdk.model import Context
from loyalty_sdk.programme import ReceiptTexts
from loyalty_sdk.reports import Report
from sync.replica import current_programme
from sync.store import Store
from terminal_agent.print_jobs import copy_reference, own_reference
from terminal_agent.printers import Printers
from terminal_agent.printing import Printing
from terminal_agent.receipt_search import ANY, latest_receipt
from terminal_agent.report_count import Counted, count
from terminal_agent.report_document import report_document
from terminal_agent.report_file import FiledReport, ReportFile, ReportFileUnusable

__all__ = ["Reports"]

_SUMS = tuple(name for name in (field.name for field in fields(Counted)) if name in Report.__slots__)


class Reports:
    """The call of the local API that reports. `file` is None where it could not be opened; `trouble` says why."""

    def __init__(
        self,
        *,
        store: Store,
        printing: Printing,
        printers: Printers,
        file: ReportFile | None,
        trouble: str,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._printing = printing
        self._printers = printers
        self._file = file
        self.trouble = trouble
        self._now = now
        self._new_id = new_id
        self._one_at_a_time = asyncio.Lock()

    def close(self) -> None:
        """Close the file of Z reports."""
        if self._file is not None:
            self._file.close()

    async def report(self, request: ReportRequest) -> Report:
        """Return a report. Raises InvalidRequest, NotFound, ReceiptUnknown, JournalUnavailable, PrinterUnavailable."""
        if request.context.training:
            raise InvalidRequest("training counts nothing: ask for the report with a till that is not in training")
        request = replace(request, context=await asyncio.to_thread(self._placed, request.context))
        installed = self._printers.chosen(None, request.context.register) if request.printed else None
        async with self._one_at_a_time:
            try:
                filed = await asyncio.to_thread(self._filed, request)
            except ReportFileUnusable as error:
                raise JournalUnavailable(str(error)) from None
        report = replace(filed.report, lines=await asyncio.to_thread(_lines, filed, request.columns))
        if installed is None:
            return report
        reference = own_reference("report", self._name(report))
        printed_before = installed.spool.job(reference) is not None
        if printed_before:
            reference = copy_reference(reference, self._new_id())
        job = await self._printing.print_document(
            installed, reference, lambda: report_document(filed, copy=printed_before)
        )
        return replace(report, job=job)

    def _name(self, report: Report) -> str:
        """What a print of a report is called: a Z report's first print is one job, an X report's every one."""
        if report.number is None:
            return f"x {self._new_id()}"
        return f"z {report.number} {report.store} {report.register}"

    def _filed(self, request: ReportRequest) -> FiledReport:
        context, file = request.context, self._opened()
        numbers = file.of_date(context.store, context.register, context.business_date)
        if request.number is not None:
            return self._made_before(context, request.number)
        filed, counted = self._counted(request, numbers)
        if request.kind == "x":
            return filed
        if numbers and not counted.entry_ids:
            return self._made_before(context, numbers[-1])
        return file.file(filed, counted.entry_ids)

    def _placed(self, context: Context) -> Context:
        """The context with store and register, which a tool may leave to the latest receipt."""
        if ANY not in (context.store, context.register):
            return context
        with self._store.reading() as connection:
            key = latest_receipt(connection, context.store, context.register).receipt_key
        assert key is not None, "a sale and a reversal have a receipt key"
        return replace(context, store=key.store, register=key.register)

    def _opened(self) -> ReportFile:
        if self._file is None:
            raise ReportFileUnusable(self.trouble)
        return self._file

    def _made_before(self, context: Context, number: int) -> FiledReport:
        filed = self._opened().numbered(context.store, context.register, number)
        if filed is None:
            raise NotFound(
                f"store {context.store}, register {context.register} has no Z report {number}: they count from 1"
            )
        return replace(filed, report=replace(filed.report, copy=True))

    def _counted(self, request: ReportRequest, earlier_numbers: tuple[int, ...]) -> tuple[FiledReport, Counted]:
        context = request.context
        closed = self._opened().closed_entries(context.business_date)
        with self._store.reading() as connection:
            programme = current_programme(connection)
            counted = count(
                connection,
                store=context.store,
                register=context.register,
                business_date=context.business_date,
                currency=None if programme is None else programme.currency,
                closed=closed,
            )
        report = Report(
            kind=request.kind,
            store=context.store,
            register=context.register,
            business_date=context.business_date,
            made_at=self._now(),
            earlier_numbers=earlier_numbers,
            members=len(counted.member_ids),
            complete=not (counted.receipts_missing or counted.reversals_unvalued or counted.other_currency),
            **{name: getattr(counted, name) for name in _SUMS},
        )
        name, texts = ("", ReceiptTexts()) if programme is None else (programme.name, programme.receipt)
        return FiledReport(report=report, programme_name=name, texts=texts), counted


def _lines(filed: FiledReport, columns: int) -> tuple[str, ...]:
    """The report as a screen shows it, with the euro sign."""
    return plain_lines(report_document(filed, copy=filed.report.copy), columns, "cp1252")
