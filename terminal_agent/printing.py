"""Receipts on paper: finding the recorded entry, making its document, and handing it to the printer of the register."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from drivers.errors import DocumentInvalid
from drivers.printer.document import Document
from drivers.printer.layout import plain_lines
from drivers.printer.models import printer_model
from drivers.printer.profile import PrinterProfile
from drivers.printer.render import render_block, render_document, warm_up
from loyalty_sdk.envelope import Entry, ReversalBody, SaleBody
from loyalty_sdk.errors import InvalidRequest, ReceiptUnknown
from loyalty_sdk.local import (
    CancelPrintRequest,
    PrintJobs,
    PrintJobsRequest,
    PrintRequest,
    PrintTestRequest,
    ReceiptBlockRequest,
    ReprintRequest,
)
from loyalty_sdk.model import PrintJob, ReceiptBlock, ReceiptKey
from sync.journal import entry_at, find_receipt
from sync.replica import current_programme, member_view
from sync.reversals import reversal_of_entry
from sync.sales import sale_of_entry
from sync.statements import PinnedConnection
from sync.store import Store
from terminal_agent.print_jobs import copy_reference, entry_id_of, own_reference, told
from terminal_agent.print_test import print_test_document
from terminal_agent.printable import lost_characters, warning_of
from terminal_agent.printers import JOBS_SHOWN_MAX, InstalledPrinter, NamedJob, Printers
from terminal_agent.receipt_search import ANY, entries_by_id, latest_receipt, receipt_entry, receipt_keys
from terminal_agent.receipts import Receipt, loyalty_document, receipt_document

__all__ = ["Printing"]

_log = logging.getLogger(__name__)

NO_TRAINING: Mapping[ReceiptKey, Receipt] = {}


class Printing:
    """The calls of the local API that end on paper, or that ask what became of it."""

    def __init__(self, *, store: Store, printers: Printers, new_id: Callable[[], str]) -> None:
        self._store = store
        self._printers = printers
        self._new_id = new_id
        self._checked: tuple[int | None, tuple[str, ...]] = (None, ())
        self._prepared = False

    def prepare(self) -> None:
        """Load what printing takes, once and in the background, where there is a printer.

        It is some megabytes and a quarter of a second: called with the first customer, an idle agent is spared the one
        and the first receipt the other.
        """
        if self._printers.installed and not self._prepared:
            self._prepared = True
            threading.Thread(target=warm_up, name="printer-warm-up", daemon=True).start()

    async def receipt_block(
        self, request: ReceiptBlockRequest, training: Mapping[ReceiptKey, Receipt] = NO_TRAINING
    ) -> ReceiptBlock:
        """Return the loyalty part of a receipt, for a POS or fiscal printer that prints it itself."""
        receipt = self._receipt(request.receipt, training)
        installed = self._printers.serving(request.context.register)
        base = printer_model("generic").profile() if installed is None else installed.profile
        profile = replace(base, columns=request.columns)
        try:
            return await asyncio.to_thread(_receipt_block, receipt, profile)
        except DocumentInvalid as error:
            raise _unprintable(error) from None

    async def print_receipt(
        self, request: PrintRequest, training: Mapping[ReceiptKey, Receipt] = NO_TRAINING
    ) -> PrintJob:
        """Queue a receipt for the register's printer, once; a copy is a job of its own. Raises PrinterUnavailable."""
        installed = self._printers.needed(request.context.register)
        receipt = self._receipt(request.receipt, training)
        entry_id = receipt.result.entry_id
        reference = copy_reference(entry_id, self._new_id()) if request.copy else entry_id
        return await self.print_document(
            installed,
            reference,
            lambda: installed.headed(receipt_document(receipt, copy=request.copy)),
            receipt.key,
        )

    async def print_document(
        self,
        installed: InstalledPrinter,
        reference: str,
        document: Callable[[], Document],
        receipt: ReceiptKey | None = None,
    ) -> PrintJob:
        """Make a document and queue it under its reference. Raises PrinterUnavailable, InvalidRequest."""
        try:
            data = await asyncio.to_thread(lambda: render_document(document(), installed.profile))
            job = await asyncio.to_thread(installed.submit, reference, data)
        except DocumentInvalid as error:
            raise _unprintable(error) from None
        return told(installed.name, job, receipt)

    async def reprint(self, request: ReprintRequest) -> PrintJob:
        """Queue a copy of a job's receipt, or of the latest of a register. Raises ReceiptUnknown, NotFound."""
        context = request.context
        wanted = None if request.job_id is None else await asyncio.to_thread(self._printers.job, request.job_id)
        with self._store.reading() as connection:
            if wanted is None:
                entry = latest_receipt(connection, context.store, context.register)
            else:
                entry_id = entry_id_of(wanted.job.reference) or ""
                entry = entries_by_id(connection, [entry_id]).get(entry_id) or _no_receipt(request.job_id)
        key = _key(entry)
        register = key.register if context.register == ANY else context.register
        return await self.print_receipt(
            PrintRequest(context=replace(context, register=register), receipt=key, copy=True)
        )

    async def print_test(self, request: PrintTestRequest) -> PrintJob:
        """Queue a page that shows what a printer can do; training opens no drawer.

        Raises NotFound for a name that no printer has, PrinterUnavailable.
        """
        installed = self._printers.chosen(request.printer, request.context.register)
        drawer = request.drawer and not request.context.training
        return await self.print_document(
            installed,
            own_reference("test", self._new_id()),
            lambda: print_test_document(installed.name, installed.profile, drawer=drawer),
        )

    async def jobs(self, request: PrintJobsRequest) -> PrintJobs:
        """List the latest jobs of every printer, the newest first, each with the receipt that it prints."""
        return PrintJobs(jobs=self._told((await asyncio.to_thread(self._printers.jobs))[:JOBS_SHOWN_MAX]))

    async def cancel(self, request: CancelPrintRequest) -> PrintJob:
        """Keep a job that waits from being printed; one that has left answers as it is. Raises NotFound."""
        named = await asyncio.to_thread(self._printers.cancel, request.job_id)
        (job,) = self._told([named])
        return job

    def _told(self, found: Sequence[NamedJob]) -> tuple[PrintJob, ...]:
        with self._store.reading() as connection:
            keys = receipt_keys(connection, [named.job.reference for named in found])
        return tuple(told(named.installed.name, named.job, keys.get(named.job.reference)) for named in found)

    def state(self) -> tuple[int, tuple[str, ...]]:
        """Return how many jobs wait, and what is wrong with printers and texts, each with its remedy. May block."""
        return self._printers.jobs_waiting(), self._printers.troubles() + self.check_texts()

    def check_texts(self) -> tuple[str, ...]:
        """Return what the printers' code pages lack of the programme's texts; a new version is checked and logged."""
        if not self._printers.installed:
            return ()
        with self._store.reading() as connection:
            programme = current_programme(connection)
        if programme is None or self._checked[0] == programme.version:
            return self._checked[1]
        checked = ((one, lost_characters(programme, one.profile.code_page)) for one in self._printers.installed)
        warnings = tuple(warning_of(one.name, one.profile.code_page, lost) for one, lost in checked if lost)
        self._checked = (programme.version, warnings)
        for warning in warnings:
            _log.warning("%s", warning)
        return warnings

    def _receipt(self, key: ReceiptKey, training: Mapping[ReceiptKey, Receipt]) -> Receipt:
        if key in training:
            return training[key]
        with self._store.reading() as connection:
            entry = receipt_entry(connection, key)
            make = sale_of_entry if isinstance(entry.body, SaleBody) else reversal_of_entry
            result = make(connection, entry)
            member = None if result.member_id is None else member_view(connection, result.member_id)
            original = _original(connection, entry)
            return Receipt.of_entry(entry, result, current_programme(connection), member, original)


def _original(connection: PinnedConnection, entry: Entry) -> SaleBody | None:
    """The sale that a reversal reverses, where this journal still holds it."""
    key = entry.body.original if isinstance(entry.body, ReversalBody) else None
    row = None if key is None else find_receipt(connection, key)
    sale = None if row is None else entry_at(connection, row.seq)
    return sale.body if sale is not None and isinstance(sale.body, SaleBody) else None


def _receipt_block(receipt: Receipt, profile: PrinterProfile) -> ReceiptBlock:
    document = loyalty_document(receipt)
    lines = plain_lines(document, profile.columns, profile.code_page)
    return ReceiptBlock(lines=lines, escpos=render_block(document, profile))


def _key(entry: Entry) -> ReceiptKey:
    assert entry.receipt_key is not None, "a sale and a reversal have a receipt key"
    return entry.receipt_key


def _no_receipt(job_id: str | None) -> Entry:
    raise ReceiptUnknown(
        f"print job {job_id} prints no receipt that is still in the journal: name the receipt itself, "
        "or print a report again by its number"
    )


def _unprintable(error: DocumentInvalid) -> InvalidRequest:
    return InvalidRequest(f"the document cannot be printed: {error}")
