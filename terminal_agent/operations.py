"""The calls of the local API as a table: which class asks, which answers, and who does the work."""

from __future__ import annotations

from loyalty_sdk.local import (
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
    Hold,
    Member,
    PrintJob,
    Quote,
    ReceiptBlock,
    Reversal,
    Sale,
    Scan,
    ScannerStatus,
    Status,
)
from loyalty_sdk.reports import Report
from terminal_agent.openapi import Operation
from terminal_agent.printing import Printing
from terminal_agent.reports import Reports
from terminal_agent.scanners import Scanners
from terminal_agent.scans import ScanDesk
from terminal_agent.service import Service
from terminal_agent.status import StatusReader
from terminal_agent.training import TrainingDesk

__all__ = ["operations"]


def operations(
    *,
    desk: ScanDesk,
    scanners: Scanners,
    service: Service,
    training: TrainingDesk,
    printing: Printing,
    reports: Reports,
    status: StatusReader,
) -> tuple[Operation, ...]:
    """Return every call. Training calls go to the training desk, and never further."""

    async def identify(request: IdentifyCall) -> Member:
        printing.prepare()
        return await service.identify(desk.in_one_spelling(request))

    async def quote(request: QuoteRequest) -> Quote:
        printing.prepare()
        return await service.quote(request)

    async def hold(request: HoldRequest) -> Hold:
        return training.hold(request) if request.context.training else await service.hold(request)

    async def release(request: ReleaseRequest) -> Hold:
        return training.release(request) if request.context.training else await service.release(request)

    async def open_holds(request: OpenHoldsRequest) -> OpenHolds:
        return training.open_holds(request) if request.context.training else await service.open_holds(request)

    async def record_sale(request: SaleRequest) -> Sale:
        printing.prepare()
        if request.context.training:
            return training.record_sale(request)
        training.refuse_real(request.hold_id)
        return await service.record_sale(request)

    async def reverse_sale(request: ReversalRequest) -> Reversal:
        return training.reverse_sale(request) if request.context.training else await service.reverse_sale(request)

    async def receipt_block(request: ReceiptBlockRequest) -> ReceiptBlock:
        return await printing.receipt_block(request, training.receipts if request.context.training else {})

    async def print_receipt(request: PrintRequest) -> PrintJob:
        return await printing.print_receipt(request, training.receipts if request.context.training else {})

    async def read_status(context: Context) -> Status:
        return await status.read()

    table = (
        ("/v1/members/identify", IdentifyCall, Member, identify),
        ("/v1/scans/decode", DecodeCall, Scan, desk.decode),
        ("/v1/scanners/command", ScannerCall, ScannerStatus, scanners.command),
        ("/v1/quotes", QuoteRequest, Quote, quote),
        ("/v1/holds", HoldRequest, Hold, hold),
        ("/v1/holds/release", ReleaseRequest, Hold, release),
        ("/v1/holds/open", OpenHoldsRequest, OpenHolds, open_holds),
        ("/v1/sales", SaleRequest, Sale, record_sale),
        ("/v1/reversals", ReversalRequest, Reversal, reverse_sale),
        ("/v1/receipt-blocks", ReceiptBlockRequest, ReceiptBlock, receipt_block),
        ("/v1/print-jobs", PrintRequest, PrintJob, print_receipt),
        ("/v1/print-jobs/list", PrintJobsRequest, PrintJobs, printing.jobs),
        ("/v1/print-jobs/cancel", CancelPrintRequest, PrintJob, printing.cancel),
        ("/v1/print-jobs/reprint", ReprintRequest, PrintJob, printing.reprint),
        ("/v1/print-jobs/test", PrintTestRequest, PrintJob, printing.print_test),
        ("/v1/reports", ReportRequest, Report, reports.report),
    )
    posts = tuple(
        Operation(method="POST", path=path, question=question, answer=answer, call=call)
        for path, question, answer, call in table
    )
    return (*posts, Operation(method="GET", path="/v1/status", question=None, answer=Status, call=read_status))
