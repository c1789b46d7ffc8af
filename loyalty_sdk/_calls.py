"""The calls of a `Till` as data: from arguments as a POS has them to a path and a body. No I/O.

What cannot even be asked is refused here as InvalidRequest; everything that depends on the programme, on members or on
earlier calls is judged by the agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from loyalty_sdk._checked import checked
from loyalty_sdk._flow import Call, Effect
from loyalty_sdk.basket import Basket, Tender
from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import InvalidRequest, RewardUnavailable
from loyalty_sdk.local import (
    BODY_BYTES_MAX,
    CancelPrintRequest,
    DecodeCall,
    HoldRequest,
    IdentifyCall,
    OpenHolds,
    OpenHoldsRequest,
    PrintJobs,
    PrintJobsRequest,
    PrintRequest,
    PrintTestRequest,
    QuoteRequest,
    ReceiptBlockRequest,
    ReleaseRequest,
    ReportRequest,
    ReprintRequest,
    ReversalRequest,
    SaleRequest,
    ScannerCall,
)
from loyalty_sdk.model import (
    Context,
    EntryMethod,
    Hold,
    Member,
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

__all__ = [
    "EVENTS_PATH",
    "PATHS",
    "cancel_print",
    "command_scanner",
    "decode",
    "events",
    "hold_redemption",
    "identify",
    "open_holds",
    "print_jobs",
    "print_receipt",
    "print_test",
    "progress",
    "quote",
    "receipt_block",
    "record_sale",
    "release",
    "report",
    "reprint",
    "reverse_sale",
    "status",
]

EVENTS_PATH = "/v1/events"
PATHS = {
    "identify": "/v1/members/identify",
    "quote": "/v1/quotes",
    "hold_redemption": "/v1/holds",
    "release": "/v1/holds/release",
    "open_holds": "/v1/holds/open",
    "record_sale": "/v1/sales",
    "reverse_sale": "/v1/reversals",
    "receipt_block": "/v1/receipt-blocks",
    "print_receipt": "/v1/print-jobs",
    "print_jobs": "/v1/print-jobs/list",
    "cancel_print": "/v1/print-jobs/cancel",
    "reprint": "/v1/print-jobs/reprint",
    "print_test": "/v1/print-jobs/test",
    "report": "/v1/reports",
    "decode": "/v1/scans/decode",
    "command_scanner": "/v1/scanners/command",
    "status": "/v1/status",
}

T = TypeVar("T")


@checked
def identify(context: Context, code: str | Scan) -> Call[Member]:
    """Ask who a code is; a text counts as keyed by hand."""
    scan = Scan(data=code, entry_method="keyed") if isinstance(code, str) else code
    request = IdentifyCall(context=context, data=scan.data, entry_method=scan.entry_method, symbology=scan.symbology)
    return _post("identify", request, Member, "question")


@checked
def decode(context: Context, text: str, entry_method: EntryMethod) -> Call[Scan]:
    """Ask what a text is that did not come from a scanner of the agent's."""
    return _post("decode", DecodeCall(context=context, data=text, entry_method=entry_method), Scan, "question")


@checked
def command_scanner(context: Context, command: ScannerCommand, scanner: str) -> Call[ScannerStatus]:
    """Give a scanner a command; doing it twice does no harm."""
    request = ScannerCall(context=context, command=command, scanner=scanner)
    return _post("command_scanner", request, ScannerStatus, "question")


@checked
def quote(context: Context, basket: Basket, member: Member | str | None) -> Call[Quote]:
    """Ask what a basket earns and what may be redeemed on it."""
    member_id = member.member_id if isinstance(member, Member) else member
    return _post("quote", QuoteRequest(context=context, basket=basket, member_id=member_id), Quote, "question")


@checked
def hold_redemption(
    context: Context, quoted: Quote, reward_id: str | None, count: int, redemption_id: str
) -> Call[Hold]:
    """Earmark the points of a reward; without `reward_id`, of the one that the quote offers."""
    if quoted.member_id is None:
        raise RewardUnavailable("the quote names no member, so there is nothing to redeem; quote with the member")
    request = HoldRequest(
        context=context,
        redemption_id=redemption_id,
        basket=quoted.basket,
        member_id=quoted.member_id,
        reward_id=reward_id or _only_reward(quoted),
        count=count,
    )
    return _post("hold_redemption", request, Hold, "keyed")


def _only_reward(quoted: Quote) -> str:
    offered = [offer.reward_id for offer in quoted.rewards if offer.count_max > 0]
    if len(offered) == 1:
        return offered[0]
    if offered:
        raise InvalidRequest(f"the quote offers several rewards; name one with reward_id: {', '.join(offered)}")
    reasons = "; ".join(f"{offer.reward_id}: {offer.reason}" for offer in quoted.rewards)
    raise RewardUnavailable(f"the quote offers no reward ({reasons or 'the programme has none'}); sell without one")


@checked
def release(context: Context, hold: Hold | str, reason: str) -> Call[Hold]:
    """Give a hold's points back."""
    hold_id = hold.hold_id if isinstance(hold, Hold) else hold
    return _post("release", ReleaseRequest(context=context, hold_id=hold_id, reason=reason), Hold, "keyed")


@checked
def open_holds(context: Context) -> Call[OpenHolds]:
    """List the register's holds that are neither spent nor released."""
    return _post("open_holds", OpenHoldsRequest(context=context), OpenHolds, "question")


@checked
def record_sale(
    context: Context,
    basket: Basket,
    receipt_number: str,
    tenders: Sequence[Tender],
    *,
    receipt_series: str,
    member: Member | str | None,
    hold: Hold | str | None,
    rounding_minor: int,
    occurred_at: datetime | None,
) -> Call[Sale]:
    """Record a paid sale; a hold names its member where `member` does not."""
    if member is None and isinstance(hold, Hold):
        member = hold.member_id
    member_id, alias = _identity(member)
    request = SaleRequest(
        context=context,
        receipt_number=receipt_number,
        basket=basket,
        tenders=tuple(tenders),
        receipt_series=receipt_series,
        member_id=member_id,
        alias=alias,
        hold_id=hold.hold_id if isinstance(hold, Hold) else hold,
        rounding_minor=rounding_minor,
        occurred_at=occurred_at,
    )
    return _post("record_sale", request, Sale, "keyed")


@checked
def reverse_sale(
    context: Context,
    kind: ReversalKind,
    receipt_number: str,
    *,
    original: ReceiptKey | Sale | None,
    lines: Sequence[ReturnLine] | None,
    basket: Basket | None,
    member: Member | str | None,
    tenders: Sequence[Tender],
    receipt_series: str,
    occurred_at: datetime | None,
) -> Call[Reversal]:
    """Record a void, a linked or an unlinked return."""
    member_id, alias = _identity(member)
    request = ReversalRequest(
        context=context,
        receipt_number=receipt_number,
        kind=kind,
        tenders=tuple(tenders),
        receipt_series=receipt_series,
        original=original.receipt if isinstance(original, Sale) else original,
        lines=None if lines is None else tuple(lines),
        basket=basket,
        member_id=member_id,
        alias=alias,
        occurred_at=occurred_at,
    )
    return _post("reverse_sale", request, Reversal, "keyed")


def _identity(member: Member | str | None) -> tuple[str | None, str | None]:
    """Member id and alias: the alias travels only where the card could not be resolved."""
    if not isinstance(member, Member):
        return member, None
    return member.member_id, None if member.member_id else member.alias


@checked
def receipt_block(context: Context, recorded: Sale | Reversal | ReceiptKey, columns: int) -> Call[ReceiptBlock]:
    """Ask for the loyalty part of a receipt."""
    request = ReceiptBlockRequest(context=context, receipt=_key(recorded), columns=columns)
    return _post("receipt_block", request, ReceiptBlock, "question")


@checked
def print_receipt(context: Context, recorded: Sale | Reversal | ReceiptKey, copy: bool) -> Call[PrintJob]:
    """Print a receipt where the agent owns the printer."""
    request = PrintRequest(context=context, receipt=_key(recorded), copy=copy)
    return _post("print_receipt", request, PrintJob, "every_time" if copy else "keyed")


@checked
def print_jobs(context: Context) -> Call[PrintJobs]:
    """Ask for the latest print jobs."""
    return _post("print_jobs", PrintJobsRequest(context=context), PrintJobs, "question")


@checked
def cancel_print(context: Context, job: PrintJob | str) -> Call[PrintJob]:
    """Take a waiting job out of the spool; asked again, it answers the same."""
    return _post("cancel_print", CancelPrintRequest(context=context, job_id=_job_id(job)), PrintJob, "keyed")


@checked
def reprint(context: Context, job: PrintJob | str | None) -> Call[PrintJob]:
    """Print a copy of a job's receipt, or of the register's latest."""
    request = ReprintRequest(context=context, job_id=None if job is None else _job_id(job))
    return _post("reprint", request, PrintJob, "every_time")


@checked
def print_test(context: Context, printer: str | None, drawer: bool) -> Call[PrintJob]:
    """Print a page that shows what a printer can do."""
    request = PrintTestRequest(context=context, printer=printer, drawer=drawer)
    return _post("print_test", request, PrintJob, "every_time")


@checked
def report(context: Context, kind: ReportKind, number: int | None, printed: bool, columns: int) -> Call[Report]:
    """Ask for an X or Z report; a Z report that was made is found again, a print happens every time."""
    request = ReportRequest(context=context, kind=kind, number=number, printed=printed, columns=columns)
    return _post("report", request, Report, "every_time" if printed else "question" if kind == "x" else "keyed")


def _job_id(job: PrintJob | str) -> str:
    return job.job_id if isinstance(job, PrintJob) else job


def _key(recorded: Sale | Reversal | ReceiptKey) -> ReceiptKey:
    return recorded if isinstance(recorded, ReceiptKey) else recorded.receipt


def status(context: Context) -> Call[Status]:
    """Ask how the agent is."""
    query = _query(context)
    return Call(name="status", method="GET", path=PATHS["status"], answer=Status, effect="question", query=query)


def events(context: Context) -> Call[Scan]:
    """Listen to the register's devices; what comes is a stream of server-sent events."""
    query = _query(context)
    return Call(name="scans", method="GET", path=EVENTS_PATH, answer=Scan, effect="question", query=query)


def progress(context: Context) -> Call[Progress]:
    """Listen to how far the agent is with sending its journal; a stream of its own, on which no scan comes."""
    query = _query(context) | {"topic": "progress"}
    return Call(name="progress", method="GET", path=EVENTS_PATH, answer=Progress, effect="question", query=query)


def _query(context: Context) -> dict[str, str]:
    return {
        "store": context.store,
        "register": context.register,
        "cashier": context.cashier,
        "business_date": context.business_date.isoformat(),
        "training": "true" if context.training else "false",
    }


def _post(name: str, request: object, answer: type[T], effect: Effect) -> Call[T]:
    body = dumps(request)
    if len(body) > BODY_BYTES_MAX:
        raise InvalidRequest(f"{name} has {len(body)} bytes, {BODY_BYTES_MAX} are allowed; split the basket")
    return Call(name=name, method="POST", path=PATHS[name], answer=answer, effect=effect, body=body)
