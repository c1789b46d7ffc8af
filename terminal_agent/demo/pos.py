"""A small POS program on `loyalty_sdk`, as a vendor would write it: scan, identify, quote, hold, record, list, print.

It keeps its own list of what was acknowledged, repeats a call whose answer was lost under the same receipt key, and
takes up an open hold again after an interruption. It knows nothing of the faults that are made around it but where a
`Watcher` may strike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from loyalty_sdk.basket import Basket, Tender
from loyalty_sdk.errors import (
    AgentUnreachable,
    Busy,
    HoldUnknown,
    JournalUnavailable,
    OutcomeUnknown,
    PrinterUnavailable,
    RedemptionRefused,
)
from loyalty_sdk.model import Hold, Member, ReceiptKey, Reversal, Sale
from loyalty_sdk.till import Till
from terminal_agent.demo.acknowledged import AcknowledgedList, reversal_line, sale_line
from terminal_agent.demo.day import TakeBack, Visit
from terminal_agent.demo.scanning import ScanningDesk
from terminal_agent.demo.shop import REWARD_ID

__all__ = ["Pos", "Tally", "Watcher"]

T = TypeVar("T")

REPEAT_TIMEOUT_S = 60.0
REPEAT_PAUSE_S = 0.05


class Watcher:
    """Is told where the POS is in a sale; this one lets everything be."""

    def held(self, visit: Visit) -> bool:
        """A hold is open and the customer has not paid; return whether the till was interrupted now."""
        return False

    def recording(self, visit: Visit) -> None:
        """The sale is about to be recorded."""

    def recorded(self, visit: Visit) -> None:
        """The sale was acknowledged."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the POS counted. `refused` says which planned rewards and prints were not to be had, and why."""

    redemptions_offline: int = 0
    unconfirmed_sales: int = 0
    repeats_found_recorded: int = 0
    holds_resumed: int = 0
    receipts: int = 0
    prints: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sold:
    """What a later return needs to know of a sale."""

    receipt: ReceiptKey
    basket: Basket
    paid_minor: int
    alias: str | None


class Pos:
    """One register's program. Its receipts are numbered from 1."""

    def __init__(self, till: Till, desk: ScanningDesk, acknowledged: AcknowledgedList, watcher: Watcher) -> None:
        self._till = till
        self._desk = desk
        self._acknowledged = acknowledged
        self._watcher = watcher
        self._sold: dict[str, _Sold] = {}
        self.tally = Tally()

    def serve(self, step: Visit | TakeBack) -> None:
        """Sell a basket or take something back, to the printed receipt."""
        self.tally.receipts += 1
        number = f"{self.tally.receipts:03d}"
        recorded = self._sell(step, number) if isinstance(step, Visit) else self._take_back(step, number)
        self._print(recorded)

    # --- selling ---

    def _sell(self, visit: Visit, number: str) -> Sale:
        member = self._identify(visit)
        hold = self._redeem(visit, member) if member and visit.redeem else None
        paid = visit.basket.total_minor - (hold.discount_minor if hold else 0)
        tenders = (Tender(kind=visit.tender, amount_minor=paid),) if paid else ()
        self._watcher.recording(visit)
        sale = self._repeat(lambda: self._till.record_sale(visit.basket, number, tenders, member=member, hold=hold))
        alias = visit.customer.alias if visit.customer and member else None
        reward = (hold.reward_id, hold.count) if hold else None
        self._acknowledged.append(sale_line(sale.receipt, visit.basket, member=alias, reward=reward))
        self._watcher.recorded(visit)
        self._count(sale, member, hold)
        self._sold[visit.name] = _Sold(sale.receipt, visit.basket, paid, alias)
        return sale

    def _identify(self, visit: Visit) -> Member | None:
        """The member, known or not yet confirmed; None without a card, and for a card that central does not know."""
        if visit.customer is None:
            return None
        member = self._till.identify(self._desk.scan(visit.customer))
        return None if member.state == "unknown" else member

    def _redeem(self, visit: Visit, member: Member) -> Hold | None:
        """Earmark the rewards that the customer wants; where that is refused the sale goes on without."""
        try:
            quote = self._till.quote(visit.basket, member)
            hold = self._till.hold_redemption(quote, REWARD_ID, visit.redeem)
        except RedemptionRefused as error:
            self.tally.refused.append(f"{visit.redeem} × {REWARD_ID} for {member.name_masked}: {error}")
            return None
        return self._resume(hold) if self._watcher.held(visit) else hold

    def _resume(self, lost: Hold) -> Hold:
        """After an interruption the POS takes up what the agent says is open, as it would after a crash of its own."""
        for hold in self._till.open_holds():
            if hold.member_id == lost.member_id:
                self.tally.holds_resumed += 1
                return hold
        raise HoldUnknown(f"the open hold {lost.hold_id} was lost with the agent; see agent.log")

    def _count(self, sale: Sale, member: Member | None, hold: Hold | None) -> None:
        self.tally.redemptions_offline += bool(hold and member and not member.online)
        self.tally.unconfirmed_sales += bool(member and member.state == "unconfirmed")
        self.tally.repeats_found_recorded += sale.recorded_before

    # --- taking back ---

    def _take_back(self, step: TakeBack, number: str) -> Reversal:
        if step.basket is not None:
            return self._take_back_unlinked(step, step.basket, number)
        sold = self._sold[step.original]
        numbers = None if step.lines is None else {line.line for line in step.lines}
        paid_back = sold.paid_minor
        if numbers is not None:
            paid_back = sum(sold.basket.lines[line - 1].amount_minor for line in numbers)
        tenders = (Tender(kind="numerário", amount_minor=paid_back),)
        done = self._repeat(
            lambda: self._till.reverse_sale(step.kind, number, original=sold.receipt, lines=step.lines, tenders=tenders)
        )
        self._acknowledged.append(
            reversal_line(done.receipt, step.kind, original=sold.receipt, lines=step.lines, member=sold.alias)
        )
        return done

    def _take_back_unlinked(self, step: TakeBack, basket: Basket, number: str) -> Reversal:
        member = self._till.identify(self._desk.scan(step.customer)) if step.customer else None
        tenders = (Tender(kind="numerário", amount_minor=basket.total_minor),)
        done = self._repeat(
            lambda: self._till.reverse_sale(step.kind, number, basket=basket, member=member, tenders=tenders)
        )
        alias = step.customer.alias if step.customer else None
        self._acknowledged.append(reversal_line(done.receipt, step.kind, member=alias, basket=basket))
        return done

    # --- both ---

    def _repeat(self, call: Callable[[], T]) -> T:
        """Repeat a recording call under its receipt key until it is acknowledged: it is never counted twice."""
        deadline = time.monotonic() + REPEAT_TIMEOUT_S
        while True:
            try:
                return call()
            except (OutcomeUnknown, AgentUnreachable, Busy, JournalUnavailable):
                if time.monotonic() > deadline:
                    raise
                time.sleep(REPEAT_PAUSE_S)

    def _print(self, recorded: Sale | Reversal) -> None:
        try:
            self._till.print_receipt(recorded)
            self.tally.prints += 1
        except PrinterUnavailable as error:
            self.tally.refused.append(f"the print of {recorded.receipt}: {error}")
