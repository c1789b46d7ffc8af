"""`Till`: a POS' handle to one register of the agent on its machine; `AsyncTill` is the same for asyncio.

Both offer the same methods with the same arguments, errors and repetitions; those of `AsyncTill` are awaited.
Nothing is decided here: `_calls` makes the questions, `_flow` repeats them, `_blocking` and `_awaiting` send them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from loyalty_sdk import _calls as calls
from loyalty_sdk._blocking import Connection
from loyalty_sdk._effects import Effects
from loyalty_sdk._flow import RetryPolicy
from loyalty_sdk._register import TIMEOUT_S, changed_context, context_of, new_id, settings_of
from loyalty_sdk.async_till import AsyncTill
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

__all__ = ["TIMEOUT_S", "AsyncTill", "RetryPolicy", "Till"]


class Till:
    """A register, blocking. Threads may share it, and one may wait in `scans` while others sell.

    Every call names `store`, `register`, `cashier` and the POS' `business_date`. `agent` is `unix:/path/agent.sock` or
    `http://127.0.0.1:8787`; without it LOYALTY_AGENT, else the socket in the user's state folder. `token` is without it
    LOYALTY_AGENT_TOKEN, else the file `token` beside the socket. With `training` nothing is counted.

    A call waits `timeout_s` for an answer. Calls that record something are repeated a few times with the same content
    when the answer is lost, which never counts twice; `retries` says how often. Making a Till connects to nothing.

    Every method may raise AgentUnreachable, AccessRefused, InvalidRequest and AgentFailure; methods that record also
    OutcomeUnknown, Busy and JournalUnavailable. After any of them the POS sells on and records the sale later.
    """

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
        transport: httpx.BaseTransport | None = None,
        effects: Effects | None = None,
    ) -> None:
        self.context = context_of(store, register, cashier, business_date, training)
        self._connection = Connection(settings_of(agent, token, timeout_s, retries, effects), transport)
        self._owns_connection = True

    def with_context(
        self, *, cashier: str | None = None, business_date: date | None = None, training: bool | None = None
    ) -> Till:
        """Return a handle for another cashier, business date or training, on the same connection.

        The connection stays that of the first handle; closing the new one closes nothing.
        """
        other = object.__new__(type(self))
        other.context = changed_context(self.context, cashier, business_date, training)
        other._connection = self._connection
        other._owns_connection = False
        return other

    def close(self) -> None:
        """Close the connection; calls after it raise InvalidRequest."""
        if self._owns_connection:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def scans(self) -> Iterator[Scan | ScannerStatus]:
        """Yield every scan at this register and every change of its scanners, as long as the POS asks.

        When the agent goes away it listens again with growing pauses, and says so with a ScannerStatus without a
        scanner's name. A scan that waited more than five seconds until the POS asked for the next event is dropped,
        lest it meets the next customer; a ScannerStatus says so. It ends when the till is closed.
        """
        return self._connection.listen(calls.events(self.context), (Scan, ScannerStatus))

    def events(self) -> Iterator[Scan | ScannerStatus | PrinterStatus | PrintJob]:
        """Yield what `scans` yields, and what the printers of this register report.

        A PrinterStatus says that power, cover or paper changed; who begins to listen hears the latest of each. A
        PrintJob says how a job ended, of every register that shares the printer: compare its `job_id`.
        """
        return self._connection.listen(calls.events(self.context), (Scan, ScannerStatus, PrinterStatus, PrintJob))

    def progress(self) -> Iterator[Progress]:
        """Yield how far the journal is sent to central: at once, and on every change, at most once a second.

        While the agent is away nothing comes; it listens again with growing pauses. It ends when the till is closed.
        """
        return self._connection.listen(calls.progress(self.context), (Progress,))

    def decode(self, text: str, entry_method: EntryMethod = "keyed") -> Scan:
        """Return what a text is that the POS got by itself: keyed by hand, or `scanned` by a keyboard wedge.

        The text may begin with an AIM identifier. Raises ScanUnreadable.
        """
        return self._connection.run(calls.decode(self.context, text, entry_method))

    def command_scanner(self, command: ScannerCommand, scanner: str = "") -> ScannerStatus:
        """Let a scanner of this register beep, be enabled or disabled, or have its trigger pulled and released.

        `scanner` is its name, which one alone at a register does not need. Raises NotFound for another's name,
        ScannerUnavailable and ScannerCommandRefused.
        """
        return self._connection.run(calls.command_scanner(self.context, command, scanner))

    def identify(self, code: str | Scan) -> Member:
        """Return who a code belongs to; a text counts as keyed by hand. Raises ScanUnreadable."""
        return self._connection.run(calls.identify(self.context, code))

    def quote(self, basket: Basket, member: Member | str | None = None) -> Quote:
        """Return what a basket would earn and which rewards it reaches; `member` may be a member id.

        Raises CurrencyMismatch and BasketInvalid.
        """
        return self._connection.run(calls.quote(self.context, basket, member))

    def hold_redemption(
        self, quote: Quote, reward_id: str | None = None, count: int = 1, redemption_id: str | None = None
    ) -> Hold:
        """Earmark the points of a reward before the customer pays.

        Without `reward_id` it is the only reward that the quote offers. A `redemption_id` (a UUID) of the POS' own
        makes the call repeatable after a crash. Raises InsufficientPoints, OfflineCapExceeded and RewardUnavailable.
        """
        redemption_id = redemption_id or new_id(self._connection.settings.effects)
        return self._connection.run(calls.hold_redemption(self.context, quote, reward_id, count, redemption_id))

    def release(self, hold: Hold | str, reason: str = "cancelled") -> Hold:
        """End a hold without a sale; its points are free again. Raises HoldUnknown and HoldNotOpen."""
        return self._connection.run(calls.release(self.context, hold, reason))

    def open_holds(self) -> tuple[Hold, ...]:
        """Return the register's holds that are neither spent nor released, oldest first: ask after a crash."""
        return self._connection.run(calls.open_holds(self.context)).holds

    def record_sale(
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
        """Record a paid sale durably; the tenders pay total − reward discount + `rounding_minor`.

        `member` is the Member of `identify`, also one whose card is not known yet, or a member id. The same receipt
        number with the same content answers with what is recorded. `occurred_at` is for a sale recorded later.
        Raises BasketInvalid, CurrencyMismatch, ReceiptConflict, HoldUnknown, HoldNotOpen and TrainingMismatch.
        """
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
        return self._connection.run(call)

    def reverse_sale(
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
        """Record a `void`, a `return` or an `unlinked_return` under a receipt number of its own.

        A void or return names the `original`; a return may name `lines`, else all that is left comes back. An unlinked
        return brings a `basket` with positive quantities and, for a member, `member`. Tenders are what is paid back, as
        positive amounts. Raises ReversalRefused, ReceiptConflict, BasketInvalid and TrainingMismatch.
        """
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
        return self._connection.run(call)

    def receipt_block(self, recorded: Sale | Reversal | ReceiptKey, columns: int = 42) -> ReceiptBlock:
        """Return the loyalty part of a receipt, `columns` (20 to 80) wide. Raises ReceiptUnknown."""
        return self._connection.run(calls.receipt_block(self.context, recorded, columns))

    def print_receipt(self, recorded: Sale | Reversal | ReceiptKey, *, copy: bool = False) -> PrintJob:
        """Print a receipt once at the agent's printer, or with `copy` once more, marked as a copy.

        Raises ReceiptUnknown and PrinterUnavailable.
        """
        return self._connection.run(calls.print_receipt(self.context, recorded, copy))

    def print_jobs(self) -> tuple[PrintJob, ...]:
        """Return the latest jobs of the agent's printers, the newest first."""
        return self._connection.run(calls.print_jobs(self.context)).jobs

    def cancel_print(self, job: PrintJob | str) -> PrintJob:
        """Take a job that still waits out of the spool. Raises NotFound."""
        return self._connection.run(calls.cancel_print(self.context, job))

    def reprint(self, job: PrintJob | str | None = None) -> PrintJob:
        """Print a copy, marked as one, of a job's receipt or of the latest of this register.

        Records nothing. Raises ReceiptUnknown and PrinterUnavailable.
        """
        return self._connection.run(calls.reprint(self.context, job))

    def print_test(self, printer: str | None = None, *, drawer: bool = True) -> PrintJob:
        """Print a page that shows what a printer can do, and open the drawer.

        Raises NotFound for a printer that agent.toml does not name, PrinterUnavailable.
        """
        return self._connection.run(calls.print_test(self.context, printer, drawer))

    def report(
        self, kind: ReportKind, *, number: int | None = None, printed: bool = False, columns: int = 42
    ) -> Report:
        """Return the X or Z report of this register and business date.

        A Z report closes the date; asked again, or by its `number`, it is the same one. With `printed` it goes on
        paper, marked as a copy where it was printed before. Raises NotFound for a number that does not exist, and
        PrinterUnavailable.
        """
        return self._connection.run(calls.report(self.context, kind, number, printed, columns))

    def status(self) -> Status:
        """Return how the agent is: journal, queue, central, devices, and warnings that name a remedy."""
        return self._connection.run(calls.status(self.context))
