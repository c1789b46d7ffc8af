"""The local API as data: what a POS asks of the agent on its machine. The agent's OpenAPI is made from these classes.

Every call names its `context`. Answers are the classes of `loyalty_sdk.model`; errors are RFC 9457 problem documents
whose `type` maps to one class of `loyalty_sdk.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loyalty_sdk.basket import Basket, Tender
from loyalty_sdk.model import Context, EntryMethod, Hold, PrintJob, ReceiptKey, ReturnLine, ReversalKind, ScannerCommand
from loyalty_sdk.reports import ReportKind

__all__ = [
    "BODY_BYTES_MAX",
    "CancelPrintRequest",
    "DecodeCall",
    "HoldRequest",
    "IdentifyCall",
    "OpenHolds",
    "OpenHoldsRequest",
    "PrintJobs",
    "PrintJobsRequest",
    "PrintRequest",
    "PrintTestRequest",
    "QuoteRequest",
    "ReceiptBlockRequest",
    "ReleaseRequest",
    "ReportRequest",
    "ReprintRequest",
    "ReversalRequest",
    "SaleRequest",
    "ScannerCall",
]

BODY_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyCall:
    """POST /v1/members/identify → Member."""

    context: Context
    data: str
    entry_method: EntryMethod = "scanned"
    symbology: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCall:
    """POST /v1/scans/decode → Scan: what a text is that the POS got by itself, from a keyboard wedge or typed.

    `data` may begin with an AIM identifier.
    """

    context: Context
    data: str
    entry_method: EntryMethod = "keyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerCall:
    """POST /v1/scanners/command → ScannerStatus of the scanner that did it.

    `scanner` is the name of one of the register's; it may be left out where the register has one.
    """

    context: Context
    command: ScannerCommand
    scanner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRequest:
    """POST /v1/quotes → Quote."""

    context: Context
    basket: Basket
    member_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """POST /v1/holds → Hold. Idempotent by `redemption_id`, a UUID that the caller makes; it becomes the hold's id."""

    context: Context
    redemption_id: str
    basket: Basket
    member_id: str
    reward_id: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """POST /v1/holds/release → Hold. Releasing a released hold again answers the same."""

    context: Context
    hold_id: str
    reason: str = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHoldsRequest:
    """POST /v1/holds/open → OpenHolds: the open holds of the context's store and register."""

    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHolds:
    """The holds that are neither spent nor released, oldest first."""

    holds: tuple[Hold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRequest:
    """POST /v1/sales → Sale. Idempotent by the receipt key that context, series and number make.

    `alias` is set, and `member_id` is not, for a card that could not be resolved. `occurred_at` is set for a sale
    that is recorded later than it happened.
    """

    context: Context
    receipt_number: str
    basket: Basket
    tenders: tuple[Tender, ...]
    receipt_series: str = ""
    member_id: str | None = None
    alias: str | None = None
    hold_id: str | None = None
    rounding_minor: int = 0
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalRequest:
    """POST /v1/reversals → Reversal. Idempotent by its own receipt key.

    A void or linked return names `original`; `lines` None means all that is left. An unlinked return brings a
    `basket` with positive quantities and, for a member, `member_id` or `alias`. Tenders are what is paid back,
    as positive amounts.
    """

    context: Context
    receipt_number: str
    kind: ReversalKind
    tenders: tuple[Tender, ...] = ()
    receipt_series: str = ""
    original: ReceiptKey | None = None
    lines: tuple[ReturnLine, ...] | None = None
    basket: Basket | None = None
    member_id: str | None = None
    alias: str | None = None
    occurred_at: datetime | None = None

    def __post_init__(self) -> None:
        linked = self.kind != "unlinked_return"
        if linked != (self.original is not None) or linked == (self.basket is not None):
            raise ValueError("a void or return names its original, an unlinked return brings a basket")
        if self.lines is not None and self.kind != "return":
            raise ValueError("only a linked return names lines; a void reverses the whole sale")
        if self.lines == ():
            raise ValueError("lines is empty; name the lines that come back, or leave it out for all that is left")
        if any(tender.amount_minor <= 0 for tender in self.tenders):
            raise ValueError("tenders of a reversal are what is paid back, as amounts above 0")
        if linked and (self.member_id or self.alias):
            raise ValueError("a linked reversal takes its member from the original sale")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptBlockRequest:
    """POST /v1/receipt-blocks → ReceiptBlock for a recorded sale or reversal, `columns` wide."""

    context: Context
    receipt: ReceiptKey
    columns: int = 42

    def __post_init__(self) -> None:
        _check_columns(self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintRequest:
    """POST /v1/print-jobs → PrintJob: prints the receipt once; with `copy`, a further one marked as a copy."""

    context: Context
    receipt: ReceiptKey
    copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintJobsRequest:
    """POST /v1/print-jobs/list → PrintJobs: the latest jobs of every printer of this agent."""

    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintJobs:
    """Print jobs, the newest first."""

    jobs: tuple[PrintJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPrintRequest:
    """POST /v1/print-jobs/cancel → PrintJob: a job that waits is never printed, one that left answers as it is."""

    context: Context
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprintRequest:
    """POST /v1/print-jobs/reprint → PrintJob: a copy, marked as one, of a job's receipt; nothing is recorded.

    Without `job_id` it is the latest receipt of the context's store and register, where "-" stands for any.
    """

    context: Context
    job_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintTestRequest:
    """POST /v1/print-jobs/test → PrintJob: every character of the code page, the styles, codes, drawer and cut.

    `printer` is a name in agent.toml; without it the printer of the context's register, or the only one.
    """

    context: Context
    printer: str | None = None
    drawer: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """POST /v1/reports → Report for the context's store, register and business date; a store "-" is found out.

    A Z report without `number` closes the date, or answers with the one that did; with `number` it is that one again.
    `printed` puts it on paper, marked as a copy where it was printed before. `columns` is the width of its lines.
    """

    context: Context
    kind: ReportKind
    number: int | None = None
    printed: bool = False
    columns: int = 42

    def __post_init__(self) -> None:
        if self.number is not None and (self.kind == "x" or self.number < 1):
            raise ValueError("number belongs to Z reports and counts from 1")
        _check_columns(self.columns)


def _check_columns(columns: int) -> None:
    if not 20 <= columns <= 80:
        raise ValueError("columns must be from 20 to 80")
