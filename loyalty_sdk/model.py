"""The vocabulary between a POS and its agent: who asks, what was scanned, and what the agent answers. Data only.

Points are integers. Times are aware datetimes. Every class travels as JSON by `loyalty_sdk.codec`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from loyalty_sdk.basket import Basket

__all__ = [
    "CodeKind",
    "Context",
    "EntryMethod",
    "GS1Element",
    "Hold",
    "Member",
    "PrintJob",
    "PrinterStatus",
    "PrinterStatusName",
    "Quote",
    "ReceiptBlock",
    "ReceiptKey",
    "ReturnLine",
    "Reversal",
    "ReversalKind",
    "RewardOffer",
    "Sale",
    "Scan",
    "ScannerCommand",
    "ScannerStatus",
    "Status",
]

NAME_LENGTH_MAX = 64

EntryMethod = Literal["scanned", "keyed"]
CodeKind = Literal["unknown", "member", "voucher", "gs1", "digital_link", "gtin", "cpf", "cnpj", "nif", "nie", "phone"]
ScannerCommand = Literal["enable", "disable", "beep", "trigger", "release"]
MemberState = Literal["known", "unknown", "unconfirmed"]
ReversalKind = Literal["void", "return", "unlinked_return"]
PrinterStatusName = Literal[
    "power_online", "power_offline", "cover_open", "cover_ok", "rec_empty", "rec_nearempty", "rec_paperok"
]
# UnifiedPOS: JPOS_SUE_POWER_ONLINE, JPOS_SUE_POWER_OFFLINE, PTR_SUE_COVER_OPEN, PTR_SUE_COVER_OK, PTR_SUE_REC_EMPTY,
# PTR_SUE_REC_NEAREMPTY, PTR_SUE_REC_PAPEROK.
_PRINTER_STATUS_CODES: dict[PrinterStatusName, int] = {
    "power_online": 2001,
    "power_offline": 2003,
    "cover_open": 11,
    "cover_ok": 12,
    "rec_empty": 24,
    "rec_nearempty": 25,
    "rec_paperok": 26,
}


def _check_name(field: str, value: str, *, empty_allowed: bool = False) -> None:
    if not value and not empty_allowed:
        raise ValueError(f"{field} is empty; every call names store, register, cashier and receipt")
    if len(value) > NAME_LENGTH_MAX or not value.isprintable():
        raise ValueError(f"{field} must be at most {NAME_LENGTH_MAX} printable characters, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who calls: store, register and cashier, the POS' business date, and whether it is training."""

    store: str
    register: str
    cashier: str
    business_date: date
    training: bool = False

    def __post_init__(self) -> None:
        for field in ("store", "register", "cashier"):
            _check_name(field, getattr(self, field))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptKey:
    """The identity of a receipt within the tenant. POS numbers restart daily, hence the business date."""

    store: str
    register: str
    business_date: date
    number: str
    series: str = ""

    def __post_init__(self) -> None:
        for field in ("store", "register", "number"):
            _check_name(field, getattr(self, field))
        _check_name("series", self.series, empty_allowed=True)

    def __str__(self) -> str:
        series = f"{self.series}-" if self.series else ""
        return f"{self.store}/{self.register} {self.business_date.isoformat()} {series}{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GS1Element:
    """One element string of a GS1 code: the application identifier, as `01`, and its value."""

    ai: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One scanned or keyed code. `data` is the text without AIM identifier and suffix, `raw` the bytes as they came.

    `kind` says what the code is, `other_kinds` what else it could be by its form, and `value` is the code in one
    spelling: a CPF without dots, a phone number in E.164, the GTIN of a GS1 code, else `data`. `elements` are those of
    a GS1 code. `scan_data_type` is the constant of UnifiedPOS (SCAN_SDT_…), 0 where nothing told the symbology.
    """

    data: str
    entry_method: EntryMethod = "scanned"
    symbology: str | None = None
    raw: bytes = b""
    scanner: str = ""
    scanned_at: datetime | None = None
    kind: CodeKind = "unknown"
    value: str = ""
    other_kinds: tuple[CodeKind, ...] = ()
    elements: tuple[GS1Element, ...] = ()
    scan_data_type: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerStatus:
    """A scanner went ONLINE or OFFLINE."""

    scanner: str
    state: Literal["online", "offline"]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterStatus:
    """A printer's StatusUpdateEvent of UnifiedPOS: `status` is the constant in snake_case, `code` its value.

    Power, cover and paper change each for itself: a printer has a latest status of each that it reports.
    """

    printer: str
    status: PrinterStatusName
    code: int
    reason: str = ""

    @classmethod
    def of(cls, printer: str, status: PrinterStatusName, reason: str = "") -> PrinterStatus:
        """Make it with UnifiedPOS' value."""
        return cls(printer=printer, status=status, code=_PRINTER_STATUS_CODES[status], reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a scan resolved to.

    `known`: the member with the balance shown at this till, as of `as_of`. `unknown`: central has no such card.
    `unconfirmed`: central could not be asked and this terminal never saw the card. In the last two cases `alias` is
    what was scanned; pass the Member to `record_sale` and the sale still earns once the card belongs to a member.
    """

    state: MemberState
    message: str
    member_id: str | None = None
    alias: str | None = None
    name_masked: str = ""
    tier: str = ""
    balance: int | None = None
    as_of: datetime | None = None
    snapshot_revision: int | None = None
    online: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardOffer:
    """A reward that the basket reaches: `count_max` times `points` for `discount_minor` each; 0 says `reason`."""

    reward_id: str
    points: int
    discount_minor: int
    count_max: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a basket would earn and what may be redeemed on it, under one programme version and snapshot."""

    basket: Basket
    member_id: str | None
    points_earned: int
    rewards: tuple[RewardOffer, ...]
    programme_version: int | None
    snapshot_revision: int | None
    balance: int | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Points earmarked for a reward before the customer pays. `hold_id` is the redemption id."""

    hold_id: str
    member_id: str
    reward_id: str
    count: int
    points: int
    discount_minor: int
    store: str
    register: str
    created_at: datetime
    training: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A sale that is durably recorded. `balance` is the member's after it, as far as this till knows (`as_of`)."""

    entry_id: str
    receipt: ReceiptKey
    member_id: str | None
    points_earned: int
    points_redeemed: int
    discount_minor: int
    balance: int | None
    as_of: datetime | None
    recorded_before: bool = False
    training: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLine:
    """How much of a line of the original sale comes back; `line` counts from 1."""

    line: int
    quantity: Decimal

    def __post_init__(self) -> None:
        if self.line < 1 or self.quantity <= 0:
            raise ValueError("a returned line counts from 1 and has a quantity above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A reversal that is durably recorded.

    `points_debited` were earned and are taken back, `points_credited` were redeemed and are given back. Both are None
    where the original sale is not known at this terminal: central works them out.
    """

    entry_id: str
    receipt: ReceiptKey
    kind: ReversalKind
    member_id: str | None
    points_debited: int | None
    points_credited: int | None
    balance: int | None
    as_of: datetime | None
    recorded_before: bool = False
    training: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptBlock:
    """The loyalty part of a receipt: plain lines for N columns, and ESC/POS bytes without reset or cut."""

    lines: tuple[str, ...]
    escpos: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintJob:
    """A job in a printer's spool.

    It waits as `queued` and leaves as `sent`. It ends as `printed` (the printer said so), as `failed` (nothing of it is
    on paper, nor will be), as `unknown` (look at the paper: nothing is printed again by itself), or stays `sent` with a
    printer that never says more. `receipt` is the receipt that it prints, where it is one that the journal still holds;
    `ended_at` is set when no more will be known.
    """

    job_id: str
    state: Literal["queued", "sent", "printed", "failed", "unknown"]
    reason: str = ""
    printer: str = ""
    content: Literal["receipt", "copy", "report", "test"] = "receipt"
    receipt: ReceiptKey | None = None
    queued_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the journal is sent: entries left, entries a second over the last half minute, and seconds left.

    `time_left_s` is None while entries wait and none is sent.
    """

    entries_left: int
    entries_per_s: Decimal = Decimal(0)
    time_left_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of the agent: identity, journal and queue, central, devices, and warnings that name a remedy."""

    version: str
    terminal: str
    journal: str
    head_seq: int
    watermark: int
    queue_length: int
    central_online: bool
    central_contact_at: datetime | None
    programme_version: int | None
    open_holds: int
    entries_refused: int
    progress: Progress | None = None
    scanners: tuple[ScannerStatus, ...] = ()
    printers: tuple[PrinterStatus, ...] = ()
    print_jobs_waiting: int = 0
    warnings: tuple[str, ...] = ()
