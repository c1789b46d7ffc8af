"""Receipts on paper: finding the recorded entry, making its document, and handing it to the printer of the register."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drivers.errors import DocumentInvalid, DriverError, SpoolError
from drivers.printer.layout import plain_lines
from drivers.printer.printer import Printer
from drivers.printer.profile import PrinterProfile
from drivers.printer.render import render_block, render_document
from drivers.printer.spool import Spool
from loyalty_sdk.envelope import SaleBody
from loyalty_sdk.errors import InvalidRequest, PrinterUnavailable
from loyalty_sdk.local import PrintRequest, ReceiptBlockRequest
from loyalty_sdk.model import PrintJob, ReceiptBlock, ReceiptKey
from sync.journal import entry_by_receipt
from sync.replica import current_programme, member_view
from sync.reversals import reversal_of_entry
from sync.sales import sale_of_entry
from sync.store import Store
from terminal_agent.receipts import Receipt, loyalty_document, receipt_document
from terminal_agent.settings import PrinterSection

__all__ = ["InstalledPrinter", "Printing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPrinter:
    """A printer of this agent: its section of the configuration, its thread and its spool."""

    section: PrinterSection
    printer: Printer
    spool: Spool


class Printing:
    """The calls of the local API that end on paper."""

    def __init__(
        self,
        *,
        store: Store,
        printers: tuple[InstalledPrinter, ...],
        broken: tuple[str, ...],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._printers = printers
        self._broken = broken
        self._new_id = new_id

    async def receipt_block(self, request: ReceiptBlockRequest, training: Mapping[ReceiptKey, Receipt]) -> ReceiptBlock:
        """Return the loyalty part of a receipt, for a POS or fiscal printer that prints it itself."""
        receipt = self._receipt(request.receipt, training)
        installed = self._installed_for(request.context.register)
        base = PrinterProfile() if installed is None else installed.section.driver_settings().profile
        profile = PrinterProfile(
            columns=request.columns, code_page=base.code_page, code_page_number=base.code_page_number
        )
        try:
            return await asyncio.to_thread(_receipt_block, receipt, profile)
        except DocumentInvalid as error:
            raise _unprintable(error) from None

    async def print_receipt(self, request: PrintRequest, training: Mapping[ReceiptKey, Receipt]) -> PrintJob:
        """Queue a receipt for the register's printer, once; a copy is a job of its own. Raises PrinterUnavailable."""
        installed = self._installed_for(request.context.register)
        if installed is None:
            raise PrinterUnavailable(
                f"no printer serves register {request.context.register}: add a [[printer]] section to agent.toml, "
                "or print the receipt_block yourself"
            )
        receipt = self._receipt(request.receipt, training)
        reference = receipt.result.entry_id + (f" copy {self._new_id()}" if request.copy else "")
        profile = installed.section.driver_settings().profile
        try:
            data = await asyncio.to_thread(_receipt_bytes, receipt, profile, request.copy)
            job = await asyncio.to_thread(installed.printer.submit, reference, data)
        except DocumentInvalid as error:
            raise _unprintable(error) from None
        except (SpoolError, DriverError) as error:
            raise PrinterUnavailable(str(error)) from None
        return PrintJob(job_id=str(job.number), state=job.state.value, reason=job.reason)

    def jobs_waiting(self) -> int:
        """Return how many jobs wait for their printers."""
        return sum(installed.spool.jobs_waiting() for installed in self._printers)

    def troubles(self) -> tuple[str, ...]:
        """Return what is wrong with printers, each with its remedy."""
        statuses = (installed.printer.status for installed in self._printers)
        offline = tuple(f"printer {status.printer}: {status.reason}" for status in statuses if status and status.reason)
        return self._broken + offline

    def _installed_for(self, register: str) -> InstalledPrinter | None:
        """The printer that names the register, else one that serves every register."""
        naming = [p for p in self._printers if register in p.section.registers]
        return next(iter(naming + [p for p in self._printers if not p.section.registers]), None)

    def _receipt(self, key: ReceiptKey, training: Mapping[ReceiptKey, Receipt]) -> Receipt:
        if key in training:
            return training[key]
        with self._store.reading() as connection:
            entry = entry_by_receipt(connection, key)
            make = sale_of_entry if isinstance(entry.body, SaleBody) else reversal_of_entry
            result = make(connection, entry)
            member = None if result.member_id is None else member_view(connection, result.member_id)
            return Receipt.of_entry(entry, result, current_programme(connection), member)


def _receipt_block(receipt: Receipt, profile: PrinterProfile) -> ReceiptBlock:
    document = loyalty_document(receipt)
    lines = plain_lines(document, profile.columns, profile.code_page)
    return ReceiptBlock(lines=lines, escpos=render_block(document, profile))


def _receipt_bytes(receipt: Receipt, profile: PrinterProfile, copy: bool) -> bytes:
    return render_document(receipt_document(receipt, copy=copy), profile)


def _unprintable(error: DocumentInvalid) -> InvalidRequest:
    return InvalidRequest(f"the receipt cannot be printed: {error}")
