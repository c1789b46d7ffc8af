"""`FakeAgent`: a stateful twin of the agent in memory, for the tests of a POS. It needs nothing but the SDK.

It serves `Till` and `AsyncTill` through httpx, without a socket, with the agent's data classes, rules and refusals.
Central is part of it and always right; what the agent does for durability, devices and signatures is not here.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Literal

import httpx

from loyalty_sdk._effects import Effects
from loyalty_sdk._fake_book import ReversalRecord, SaleRecord
from loyalty_sdk._fake_codes import read_code
from loyalty_sdk._fake_counter import Counter
from loyalty_sdk._fake_feed import EventStream, Feed
from loyalty_sdk._fake_http import FakeApi, Fault, FaultKind
from loyalty_sdk._fake_members import Account
from loyalty_sdk._fake_printer import FakePrinter, Printed
from loyalty_sdk._fake_reports import FakeReports
from loyalty_sdk._fake_reversals import reverse_sale
from loyalty_sdk._fake_texts import receipt_block
from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import LoyaltyError, ReceiptUnknown, ScanUnreadable
from loyalty_sdk.ids import uuid7
from loyalty_sdk.local import DecodeCall, PrintRequest, ReceiptBlockRequest, ReportRequest, ReprintRequest, ScannerCall
from loyalty_sdk.model import (
    CodeKind,
    Context,
    EntryMethod,
    Hold,
    PrinterStatus,
    PrinterStatusName,
    PrintJob,
    Progress,
    ReceiptBlock,
    ReceiptKey,
    Reversal,
    Sale,
    Scan,
    ScannerCommand,
    ScannerStatus,
    Status,
)
from loyalty_sdk.programme import EarningRule, OfflineCaps, Programme, ReceiptTexts, Reward
from loyalty_sdk.reports import Report
from loyalty_sdk.till import AsyncTill, Till

__all__ = ["EXAMPLE_PROGRAMME", "FakeAgent", "Printed"]

PAUSE_S_MAX = 0.001

EXAMPLE_PROGRAMME = Programme(
    format="loyalty-programme-1",
    name="Example",
    version=1,
    currency="EUR",
    earning=(EarningRule(id="base", kind="amount", points=1, per_minor=100),),
    rewards=(Reward(id="five-off", name="5 € off", points=100, discount_minor=500, count_per_sale_max=2),),
    offline=OfflineCaps(
        points_per_sale_max=200,
        points_per_member_max=300,
        redemptions_per_member_max=3,
        hours_since_contact_max=72,
        grant_ahead_points_max=200,
        grant_hours=96,
    ),
    receipt=ReceiptTexts(header=("Example",)),
)
"""One point for every euro; 100 points buy 5 € off, twice in a sale; 200 points may be redeemed offline."""


def _now() -> datetime:
    return datetime.now(UTC)


class FakeAgent:
    """An agent with its central, in memory. Threads and event loops may share it.

    `now` and `random_bytes` are its clock and its source of ids. `offline` takes central away and gives it back.

    Of a code it tells the symbology, and not what it means, for which the agent takes libraries: `kind` is `unknown`
    and `value` the text, but for the codes that a test puts into `code_kinds` (text without AIM identifier → kind).
    """

    def __init__(
        self,
        programme: Programme = EXAMPLE_PROGRAMME,
        *,
        token: str = "fake-token",
        now: Callable[[], datetime] = _now,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.token = token
        self.scanner_commands: list[ScannerCommand] = []
        self.code_kinds: dict[str, CodeKind] = {}
        self._now = now
        self._random_bytes = random_bytes
        self._counter = Counter(programme=programme, now=now, new_id=self._new_id)
        self._printer = FakePrinter(self._new_id, now)
        self._reports = FakeReports(now)
        self._feeds: defaultdict[str, Feed] = defaultdict(Feed)
        self._api = FakeApi(token, self._handlers(), self._events)

    def _new_id(self) -> str:
        return uuid7(self._now(), self._random_bytes)

    def _handlers(self) -> dict[str, Callable[[Any], object]]:
        counter = self._counter
        return {
            "identify": counter.identify,
            "decode": self._decode,
            "command_scanner": self._command_scanner,
            "quote": counter.quote,
            "hold_redemption": counter.hold,
            "release": counter.release,
            "open_holds": counter.open_holds,
            "record_sale": counter.record_sale,
            "reverse_sale": lambda request: reverse_sale(counter, request),
            "receipt_block": self._receipt_block,
            "print_receipt": self._print_receipt,
            "print_jobs": lambda request: self._printer.jobs(),
            "cancel_print": lambda request: self._printer.job(request.job_id),
            "reprint": self._reprint,
            "print_test": lambda request: self._printer.print_text("test", "*** TEST ***"),
            "report": self._report,
            "status": self._status,
        }

    @property
    def transport(self) -> httpx.MockTransport:
        """A transport for `Till(transport=…)` and `AsyncTill(transport=…)`, to be used with this fake's `token`."""
        return httpx.MockTransport(self._api)

    def till(
        self,
        *,
        store: str = "1",
        register: str = "1",
        cashier: str = "1",
        business_date: date | None = None,
        training: bool = False,
    ) -> Till:
        """Return a Till on this fake whose pauses before repetitions are short."""
        return Till(
            store=store,
            register=register,
            cashier=cashier,
            business_date=business_date or self._now().date(),
            training=training,
            **self._connection(),
        )

    def async_till(
        self,
        *,
        store: str = "1",
        register: str = "1",
        cashier: str = "1",
        business_date: date | None = None,
        training: bool = False,
    ) -> AsyncTill:
        """Return an AsyncTill on this fake whose pauses before repetitions are short."""
        return AsyncTill(
            store=store,
            register=register,
            cashier=cashier,
            business_date=business_date or self._now().date(),
            training=training,
            **self._connection(),
        )

    def _connection(self) -> dict[str, Any]:
        effects = Effects()
        hurried = replace(
            effects,
            now=self._now,
            sleep=lambda seconds: time.sleep(min(seconds, PAUSE_S_MAX)),
            sleep_async=lambda seconds: effects.sleep_async(min(seconds, PAUSE_S_MAX)),
        )
        return {"agent": "http://fake.agent", "token": self.token, "transport": self.transport, "effects": hurried}

    @property
    def printed(self) -> list[Printed]:
        """What the printer put on paper, the oldest first."""
        return self._printer.printed

    @property
    def programme(self) -> Programme:
        """The programme in force; assign another to activate it."""
        return self._counter.programme

    @programme.setter
    def programme(self, programme: Programme) -> None:
        with self._api.lock:
            self._counter.programme = programme

    @property
    def offline(self) -> bool:
        """True while central cannot be reached.

        Cards that this terminal has not seen are then `unconfirmed`, balances are those of the last contact with the
        terminal's own entries, and redemption is limited by the programme's caps and by what was granted ahead when
        the member was identified online. Assigning False applies everything that was recorded meanwhile.
        """
        return not self._counter.online

    @offline.setter
    def offline(self, offline: bool) -> None:
        with self._api.lock:
            self._counter.set_online(not offline)

    def add_member(self, *aliases: str, balance: int = 0, name: str = "", tier: str = "") -> str:
        """Register a member at central and return the member id. Raises ValueError for an alias that is taken."""
        with self._api.lock:
            member_id = self._new_id()
            self._counter.members.add(member_id, aliases, balance=balance, name=name, tier=tier)
            return member_id

    def balance(self, alias: str) -> int:
        """Return what central holds for the member of an alias, without what was recorded offline."""
        with self._api.lock:
            return self._account(alias).central

    def set_balance(self, alias: str, balance: int) -> None:
        """Change the balance at central, as another shop would: this terminal sees it at its next contact."""
        with self._api.lock:
            self._account(alias).central = balance

    def _account(self, alias: str) -> Account:
        account = self._counter.members.by_alias(alias)
        if account is None:
            raise KeyError(f"no member has the alias {alias!r}; add_member first")
        return account

    @property
    def sales(self) -> tuple[Sale, ...]:
        """The real sales, in the order of recording."""
        records = self._counter.real.receipts.values()
        return tuple(record.answer for record in records if isinstance(record, SaleRecord))

    @property
    def reversals(self) -> tuple[Reversal, ...]:
        """The real reversals, in the order of recording."""
        records = self._counter.real.receipts.values()
        return tuple(record.answer for record in records if isinstance(record, ReversalRecord))

    @property
    def open_holds(self) -> tuple[Hold, ...]:
        """The open holds of all registers, without those of training."""
        return tuple(self._counter.real.open_holds())

    def scan(
        self,
        data: str,
        register: str = "1",
        *,
        symbology: str | None = None,
        entry_method: EntryMethod = "scanned",
        scanner: str = "fake",
    ) -> None:
        """Let a scanner read a code, with an AIM identifier or without; `scans()` of the register yields it.

        Here a scan waits until somebody listens; the agent drops it, lest it meets the next customer.
        """
        scan = self._scan(data, entry_method, scanner)
        self._feed(register).put(_event("scan", scan if symbology is None else replace(scan, symbology=symbology)))

    def _scan(self, text: str, entry_method: EntryMethod, scanner: str = "") -> Scan:
        code = read_code(text)
        return Scan(
            data=code.data,
            entry_method=entry_method,
            symbology=code.symbology,
            raw=text.encode(),
            scanner=scanner,
            scanned_at=self._now(),
            kind=self.code_kinds.get(code.data, "unknown"),
            value=code.data,
            scan_data_type=code.scan_data_type,
        )

    def scanner_status(
        self, state: Literal["online", "offline"], register: str = "1", *, scanner: str = "fake", reason: str = ""
    ) -> None:
        """Let a scanner go online or offline; the next `scans()` of the register yields it."""
        self._feed(register).put(_event("scanner_status", ScannerStatus(scanner=scanner, state=state, reason=reason)))

    def printer_status(
        self, status: PrinterStatusName, register: str = "1", *, printer: str = "fake", reason: str = ""
    ) -> None:
        """Let a printer report its power, cover or paper; the next `events()` of the register yields it."""
        self._feed(register).put(_event("printer_status", PrinterStatus.of(printer, status, reason)))

    def print_job_ended(self, job: PrintJob, register: str = "1") -> None:
        """Let a job end as the POS shall see it; the next `events()` of the register yields it.

        By itself the fake prints at once and tells of no end, where the agent answers `queued` and tells it here.
        """
        self._feed(register).put(_event("print_job", job))

    def progress_made(self, progress: Progress) -> None:
        """Tell how far the agent is with sending its journal; the next `progress()` of any till yields it."""
        self._feed("progress").put(_event("progress", progress))

    def break_stream(self, register: str = "1") -> None:
        """End the stream of events of a register, as a restart of the agent does."""
        self._feed(register).put(b"")

    def fail_next(self, what: FaultKind | LoyaltyError, *, times: int = 1, on: str | None = None) -> None:
        """Let the next `times` attempts fail, of any call or only `on` the Till's method of that name.

        `unreachable`: nobody listens, and nothing is recorded. `answer_lost`: everything is done and the answer is
        lost. `answer_garbled`: everything is done and something else answers. An error of the SDK, as
        `Busy("try again")`, is answered in place of doing anything.
        """
        with self._api.lock:
            self._api.faults += [Fault(what, on)] * times

    def _feed(self, register: str) -> Feed:
        with self._api.lock:
            return self._feeds[register]

    def _events(self, name: str) -> EventStream:
        """The events of a register, or of the topic `progress`."""
        return EventStream(self._feed(name))

    def _decode(self, request: DecodeCall) -> Scan:
        text = request.data.strip()
        if not text:
            raise ScanUnreadable("the text holds no code; scan again or key it in")
        return self._scan(text, request.entry_method)

    def _command_scanner(self, request: ScannerCall) -> ScannerStatus:
        self.scanner_commands.append(request.command)
        return ScannerStatus(scanner=request.scanner or "fake", state="online")

    def _receipt_block(self, request: ReceiptBlockRequest) -> ReceiptBlock:
        recorded = self._recorded(request.context, request.receipt)
        return receipt_block(recorded, self.programme.receipt, request.columns)

    def _print_receipt(self, request: PrintRequest) -> PrintJob:
        recorded = self._recorded(request.context, request.receipt)
        return self._printer.print_receipt(recorded, self.programme.receipt, copy=request.copy)

    def _reprint(self, request: ReprintRequest) -> PrintJob:
        job_id = request.job_id
        key = self._latest_receipt(request.context) if job_id is None else self._printer.job(job_id).receipt
        if key is None:
            raise ReceiptUnknown("that job prints no receipt; name the job of a receipt")
        return self._print_receipt(PrintRequest(context=request.context, receipt=key, copy=True))

    def _latest_receipt(self, context: Context) -> ReceiptKey:
        here = (context.store, context.register)
        keys = [key for key in self._counter.book(context).receipts if (key.store, key.register) == here]
        if not keys:
            raise ReceiptUnknown("no receipt of this register is recorded here; record a sale first")
        return keys[-1]

    def _report(self, request: ReportRequest) -> Report:
        report = self._reports.report(self._counter.book(request.context), request, self.programme.currency)
        if not request.printed:
            return report
        return replace(report, job=self._printer.print_text("report", "\n".join(report.lines)))

    def _recorded(self, context: Context, key: ReceiptKey) -> Sale | Reversal:
        record = self._counter.book(context).receipts.get(key)
        if record is None:
            raise ReceiptUnknown(f"no receipt {key} is recorded here; record the sale first")
        return record.answer

    def _status(self, context: Context) -> Status:
        counter = self._counter
        warning = "central cannot be reached; sell on, everything is recorded and sent later"
        return Status(
            version="fake",
            terminal="fake",
            journal="fake",
            head_seq=counter.entries,
            watermark=counter.entries - counter.entries_waiting,
            queue_length=counter.entries_waiting,
            central_online=counter.online,
            central_contact_at=counter.last_contact_at(),
            programme_version=counter.programme.version,
            open_holds=len(counter.book(context).open_holds()),
            entries_refused=0,
            progress=Progress(entries_left=counter.entries_waiting),
            warnings=() if counter.online else (warning,),
        )


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: ".encode() + dumps(data) + b"\n\n"
