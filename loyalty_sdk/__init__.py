"""What a POS vendor imports: the vocabulary, the pure programme rules and the clients of the agent and of central.

`import loyalty_sdk` loads nothing else: each name below is loaded when it is first used, and httpx with the first call
of a `Till` or `Central`. The modules hold more than this page names; what stands here is what a till needs, and
`Central`, whose answers are in `loyalty_sdk.office`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loyalty_sdk.async_till import AsyncTill
    from loyalty_sdk.basket import Basket, Line, Tender
    from loyalty_sdk.central import AsyncCentral, Central
    from loyalty_sdk.errors import (
        AccessRefused,
        AgentFailure,
        AgentUnreachable,
        AliasUnknown,
        BasketInvalid,
        BodyTooLarge,
        Busy,
        CentralFailure,
        CentralUnreachable,
        CodeInvalid,
        Conflict,
        CurrencyMismatch,
        EncodingRefused,
        EpochChanged,
        Fork,
        HoldNotOpen,
        HoldUnknown,
        IdempotencyConflict,
        InsufficientPoints,
        InvalidRequest,
        JournalUnavailable,
        LoyaltyError,
        MethodNotAllowed,
        NotFound,
        OfflineCapExceeded,
        OutcomeUnknown,
        PreconditionFailed,
        PreconditionRequired,
        PrinterUnavailable,
        ProgrammeInvalid,
        ReceiptConflict,
        ReceiptUnknown,
        Recovering,
        RedemptionRefused,
        ReversalRefused,
        RewardUnavailable,
        ScannerCommandRefused,
        ScannerUnavailable,
        ScanUnreadable,
        ScopeMissing,
        TerminalRevoked,
        TooManyRequests,
        TrainingMismatch,
    )
    from loyalty_sdk.model import (
        Context,
        GS1Element,
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
        RewardOffer,
        Sale,
        Scan,
        ScannerStatus,
        Status,
    )
    from loyalty_sdk.programme import Programme, parse_programme
    from loyalty_sdk.reports import Report
    from loyalty_sdk.till import Till

__all__ = [
    "AccessRefused",
    "AgentFailure",
    "AgentUnreachable",
    "AliasUnknown",
    "AsyncCentral",
    "AsyncTill",
    "Basket",
    "BasketInvalid",
    "BodyTooLarge",
    "Busy",
    "Central",
    "CentralFailure",
    "CentralUnreachable",
    "CodeInvalid",
    "Conflict",
    "Context",
    "CurrencyMismatch",
    "EncodingRefused",
    "EpochChanged",
    "Fork",
    "GS1Element",
    "Hold",
    "HoldNotOpen",
    "HoldUnknown",
    "IdempotencyConflict",
    "InsufficientPoints",
    "InvalidRequest",
    "JournalUnavailable",
    "Line",
    "LoyaltyError",
    "Member",
    "MethodNotAllowed",
    "NotFound",
    "OfflineCapExceeded",
    "OutcomeUnknown",
    "PreconditionFailed",
    "PreconditionRequired",
    "PrintJob",
    "PrinterStatus",
    "PrinterUnavailable",
    "Programme",
    "ProgrammeInvalid",
    "Progress",
    "Quote",
    "ReceiptBlock",
    "ReceiptConflict",
    "ReceiptKey",
    "ReceiptUnknown",
    "Recovering",
    "RedemptionRefused",
    "Report",
    "ReturnLine",
    "Reversal",
    "ReversalRefused",
    "RewardOffer",
    "RewardUnavailable",
    "Sale",
    "Scan",
    "ScanUnreadable",
    "ScannerCommandRefused",
    "ScannerStatus",
    "ScannerUnavailable",
    "ScopeMissing",
    "Status",
    "Tender",
    "TerminalRevoked",
    "Till",
    "TooManyRequests",
    "TrainingMismatch",
    "parse_programme",
]

__version__ = "0.1.0"

_MODULES = {
    **dict.fromkeys(("AsyncCentral", "Central"), "central"),
    **dict.fromkeys(("Basket", "Line", "Tender"), "basket"),
    **dict.fromkeys(("Programme", "parse_programme"), "programme"),
    **dict.fromkeys(("Report",), "reports"),
    "AsyncTill": "async_till",
    "Till": "till",
    **dict.fromkeys(
        (
            "Context",
            "GS1Element",
            "Hold",
            "Member",
            "PrintJob",
            "PrinterStatus",
            "Progress",
            "Quote",
            "ReceiptBlock",
            "ReceiptKey",
            "ReturnLine",
            "Reversal",
            "RewardOffer",
            "Sale",
            "Scan",
            "ScannerStatus",
            "Status",
        ),
        "model",
    ),
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used; what stands in no other module is an error class."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
