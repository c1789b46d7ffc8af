"""`AsyncTill`: a POS' handle to one register of the agent, on asyncio. Everything is as with `Till`, but awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from loyalty_sdk import _calls as calls
from loyalty_sdk._awaiting import AsyncConnection
from loyalty_sdk._effects import Effects
from loyalty_sdk._flow import RetryPolicy
from loyalty_sdk._register import TIMEOUT_S, changed_context, context_of, new_id, settings_of
from loyalty_sdk.basket import Basket, Tender
from loyalty_sdk.model import (
    EntryMethod,
    Hold,
    Member,
    PrinterStatus,
    PrintJob,
    Progress,
    Quote,
    ReceiptBlock,
    ReceiptKey,
    ReturnLine,
    Reversal,
    ReversalKind,
    Sale,
    Scan,
    ScannerCommand,
    ScannerStatus,
    Status,
)
from loyalty_sdk.reports import Report, ReportKind

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncTill"]


class AsyncTill:
    """A register on asyncio: everything as with `Till`, awaited. It belongs to the event loop of its first call."""

    def __init__(
        self,
        *,
        store: str,
        register: str,
        cashier: str,
        business_date: date,
        agent: str | None = None,
        token: str | None = None,
        training: bool = False,
        timeout_s: float = TIMEOUT_S,
        retries: RetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        effects: Effects | None = None,
    ) -> None:
        self.context = context_of(store, register, cashier, business_date, training)
        self._connection = AsyncConnection(settings_of(agent, token, timeout_s, retries, effects), transport)
        self._owns_connection = True

    def with_context(
        self, *, cashier: str | None = None, business_date: date | None = None, training: bool | None = None
    ) -> AsyncTill:
        """Return a handle as `Till.with_context` does."""
        other = object.__new__(type(self))
        other.context = changed_context(self.context, cashier, business_date, training)
        other._connection = self._connection
        other._owns_connection = False
        return other

    async def close(self) -> None:
        """Close the connection; calls after it raise InvalidRequest."""
        if self._owns_connection:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def scans(self) -> AsyncIterator[Scan | ScannerStatus]:
        """Yield scans and changes of scanners, as `Till.scans` does."""
        return self._connection.listen(calls.events(self.context), (Scan, ScannerStatus))

    def events(self) -> AsyncIterator[Scan | ScannerStatus | PrinterStatus | PrintJob]:
        """Yield scans and what scanners and printers report, as `Till.events` does."""
        return self._connection.listen(calls.events(self.context), (Scan, ScannerStatus, PrinterStatus, PrintJob))

    def progress(self) -> AsyncIterator[Progress]:
        """Yield how far the journal is sent, as `Till.progress` does."""
        return self._connection.listen(calls.progress(self.context), (Progress,))

    async def decode(self, text: str, entry_method: EntryMethod = "keyed") -> Scan:
        """Return what a text is that the POS got by itself, as `Till.decode` does."""
        return await self._connection.run(calls.decode(self.context, text, entry_method))

    async def command_scanner(self, command: ScannerCommand, scanner: str = "") -> ScannerStatus:
        """Give a scanner of this register a command, as `Till.command_scanner` does."""
        return await self._connection.run(calls.command_scanner(self.context, command, scanner))

    async def identify(self, code: str | Scan) -> Member:
        """Return who a code belongs to, as `Till.identify` does."""
        return await self._connection.run(calls.identify(self.context, code))

    async def quote(self, basket: Basket, member: Member | str | None = None) -> Quote:
        """Return what a basket would earn and which rewards it reaches, as `Till.quote` does."""
        return await self._connection.run(calls.quote(self.context, basket, member))

    async def hold_redemption(
        self, quote: Quote, reward_id: str | None = None, count: int = 1, redemption_id: str | None = None
    ) -> Hold:
        """Earmark the points of a reward, as `Till.hold_redemption` does."""
        redemption_id = redemption_id or new_id(self._connection.settings.effects)
        call = calls.hold_redemption(self.context, quote, reward_id, count, redemption_id)
        return await self._connection.run(call)

    async def release(self, hold: Hold | str, reason: str = "cancelled") -> Hold:
        """End a hold without a sale, as `Till.release` does."""
        return await self._connection.run(calls.release(self.context, hold, reason))

    async def open_holds(self) -> tuple[Hold, ...]:
        """Return the register's open holds, as `Till.open_holds` does."""
        return (await self._connection.run(calls.open_holds(self.context))).holds

    async def record_sale(
        self,
        basket: Basket,
        receipt_number: str,
        tenders: Sequence[Tender],
        *,
        receipt_series: str = "",
        member: Member | str | None = None,
        hold: Hold | str | None = None,
        rounding_minor: int = 0,
        occurred_at: datetime | None = None,
    ) -> Sale:
        """Record a paid sale durably, as `Till.record_sale` does."""
        call = calls.record_sale(
            self.context,
            basket,
            receipt_number,
            tenders,
            receipt_series=receipt_series,
            member=member,
            hold=hold,
            rounding_minor=rounding_minor,
            occurred_at=occurred_at,
        )
        return await self._connection.run(call)

    async def reverse_sale(
        self,
        kind: ReversalKind,
        receipt_number: str,
        *,
        original: ReceiptKey | Sale | None = None,
        lines: Sequence[ReturnLine] | None = None,
        basket: Basket | None = None,
        member: Member | str | None = None,
        tenders: Sequence[Tender] = (),
        receipt_series: str = "",
        occurred_at: datetime | None = None,
    ) -> Reversal:
        """Record a void or return, as `Till.reverse_sale` does."""
        call = calls.reverse_sale(
            self.context,
            kind,
            receipt_number,
            original=original,
            lines=lines,
            basket=basket,
            member=member,
            tenders=tenders,
            receipt_series=receipt_series,
            occurred_at=occurred_at,
        )
        return await self._connection.run(call)

    async def receipt_block(self, recorded: Sale | Reversal | ReceiptKey, columns: int = 42) -> ReceiptBlock:
        """Return the loyalty part of a receipt, as `Till.receipt_block` does."""
        return await self._connection.run(calls.receipt_block(self.context, recorded, columns))

    async def print_receipt(self, recorded: Sale | Reversal | ReceiptKey, *, copy: bool = False) -> PrintJob:
        """Print a receipt, as `Till.print_receipt` does."""
        return await self._connection.run(calls.print_receipt(self.context, recorded, copy))

    async def print_jobs(self) -> tuple[PrintJob, ...]:
        """Return the latest print jobs, as `Till.print_jobs` does."""
        return (await self._connection.run(calls.print_jobs(self.context))).jobs

    async def cancel_print(self, job: PrintJob | str) -> PrintJob:
        """Take a waiting job out of the spool, as `Till.cancel_print` does."""
        return await self._connection.run(calls.cancel_print(self.context, job))

    async def reprint(self, job: PrintJob | str | None = None) -> PrintJob:
        """Print a copy of a receipt, as `Till.reprint` does."""
        return await self._connection.run(calls.reprint(self.context, job))

    async def print_test(self, printer: str | None = None, *, drawer: bool = True) -> PrintJob:
        """Print a test page, as `Till.print_test` does."""
        return await self._connection.run(calls.print_test(self.context, printer, drawer))

    async def report(
        self, kind: ReportKind, *, number: int | None = None, printed: bool = False, columns: int = 42
    ) -> Report:
        """Return an X or Z report, as `Till.report` does."""
        return await self._connection.run(calls.report(self.context, kind, number, printed, columns))

    async def status(self) -> Status:
        """Return how the agent is, as `Till.status` does."""
        return await self._connection.run(calls.status(self.context))
