"""One register as a POS would run it: identify, quote, hold, record, and again with the same key until it is answered.

What was acknowledged is written to the POS's own list before the next receipt. An agent that is gone or busy is asked
again; what the agent refuses for good is a Refusal, and nothing of it is counted.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Protocol, TypeVar

from loyalty_sdk.basket import Basket, Tender
from loyalty_sdk.errors import (
    AgentUnreachable,
    Busy,
    JournalUnavailable,
    LoyaltyError,
    OutcomeUnknown,
    RedemptionRefused,
)
from loyalty_sdk.model import Hold, Member, Quote, ReceiptKey
from loyalty_sdk.till import Till
from terminal_agent.demo.acknowledged import Json, reversal_line, sale_line
from terminal_agent.replay.linking import Step
from terminal_agent.replay.receipts import Receipt

__all__ = ["AgentGone", "Cashier", "Refusal", "Task"]

T = TypeVar("T")

# What a POS asks again: nothing was recorded, or the answer was lost.
PASSING = (AgentUnreachable, OutcomeUnknown, Busy, JournalUnavailable)
PATIENCE_S = 120.0
PAUSE_S = 0.05
# Makes the id of a redemption from its receipt, so that a repeated hold is the same hold.
REDEMPTIONS = uuid.UUID("6f0c7a5e-6c55-4d0c-9a7e-3f2f0c1f6f5d")


class AgentGone(Exception):
    """An agent did not answer for longer than any restart takes; the text names the remedy."""


class _List(Protocol):
    def append(self, line: Json) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A step with the key it is recorded under; `original` is the key of the sale that a linked return names."""

    step: Step
    key: ReceiptKey
    original: ReceiptKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A receipt that the agent refused for good, and what it said."""

    invoice: str
    reason: str


class Cashier:
    """Sells at one register. One thread uses it. `repeats` counts answers that were lost and had been recorded."""

    def __init__(
        self, till: Till, acknowledged: _List, *, redeem: bool, stopping: Event, patience_s: float = PATIENCE_S
    ) -> None:
        self._till = till
        self._acknowledged = acknowledged
        self._redeem = redeem
        self._stopping = stopping
        self._patience_s = patience_s
        self.repeats = 0

    def record(self, task: Task) -> Refusal | None:
        """Record one receipt and note that it was acknowledged. Raises AgentGone."""
        till = self._till.with_context(business_date=task.key.business_date)
        try:
            if not task.step.receipt.cancellation:
                self._sell(till, task)
            elif task.original is not None:
                self._take_back(till, task)
            else:
                self._take_back_unlinked(till, task)
        except LoyaltyError as error:
            return Refusal(invoice=task.step.receipt.invoice, reason=f"{type(error).__name__}: {error}")
        return None

    def _sell(self, till: Till, task: Task) -> None:
        receipt = task.step.receipt
        member = self._identified(till, receipt.member)
        hold = self._held(till, receipt.basket, member, task.key) if member and self._redeem else None
        try:
            self._pay(till, receipt, member, hold)
        except LoyaltyError:
            # The receipt is refused for good: its points must not stay earmarked.
            if hold is not None:
                self._until_answered(lambda: till.release(hold))
            raise
        reward = (hold.reward_id, hold.count) if hold else None
        self._acknowledged.append(
            sale_line(task.key, receipt.basket, member=receipt.member, reward=reward, occurred_at=receipt.occurred_at)
        )

    def _pay(self, till: Till, receipt: Receipt, member: Member | None, hold: Hold | None) -> None:
        due_minor = receipt.basket.total_minor - (hold.discount_minor if hold else 0)
        sale = self._until_answered(
            lambda: till.record_sale(
                receipt.basket,
                receipt.invoice,
                _tenders(due_minor),
                member=member,
                hold=hold,
                occurred_at=receipt.occurred_at,
            )
        )
        self.repeats += sale.recorded_before

    def _take_back(self, till: Till, task: Task) -> None:
        receipt = task.step.receipt
        reversal = self._until_answered(
            lambda: till.reverse_sale(
                "return",
                receipt.invoice,
                original=task.original,
                lines=task.step.lines,
                tenders=_tenders(receipt.basket.total_minor),
                occurred_at=receipt.occurred_at,
            )
        )
        self.repeats += reversal.recorded_before
        self._acknowledged.append(reversal_line(task.key, "return", original=task.original, lines=task.step.lines))

    def _take_back_unlinked(self, till: Till, task: Task) -> None:
        receipt = task.step.receipt
        member = self._identified(till, receipt.member)
        reversal = self._until_answered(
            lambda: till.reverse_sale(
                "unlinked_return",
                receipt.invoice,
                basket=receipt.basket,
                member=member,
                tenders=_tenders(receipt.basket.total_minor),
                occurred_at=receipt.occurred_at,
            )
        )
        self.repeats += reversal.recorded_before
        self._acknowledged.append(
            reversal_line(task.key, "unlinked_return", member=receipt.member, basket=receipt.basket)
        )

    def _identified(self, till: Till, alias: str | None) -> Member | None:
        """Resolve the customer once: a repeated call must say the same of the member as the first."""
        return None if alias is None else self._until_answered(lambda: till.identify(alias))

    def _held(self, till: Till, basket: Basket, member: Member, key: ReceiptKey) -> Hold | None:
        """Hold the first reward that the quote offers, as often as it goes, else once; None where there is none."""
        if member.member_id is None:
            return None
        quote = self._until_answered(lambda: till.quote(basket, member))
        offer = next((offer for offer in quote.rewards if offer.count_max > 0), None)
        if offer is None:
            return None
        for count in sorted({offer.count_max, 1}, reverse=True):
            hold = self._hold_of(till, quote, offer.reward_id, count, key)
            if hold is not None:
                return hold
        return None

    def _hold_of(self, till: Till, quote: Quote, reward_id: str, count: int, key: ReceiptKey) -> Hold | None:
        redemption_id = str(uuid.uuid5(REDEMPTIONS, f"{key} {reward_id} {count}"))
        try:
            return self._until_answered(lambda: till.hold_redemption(quote, reward_id, count, redemption_id))
        except RedemptionRefused:
            return None

    def _until_answered(self, call: Callable[[], T]) -> T:
        """Make a call until the agent answers. Raises AgentGone when patience ends, or what the agent refuses."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return call()
            except PASSING as error:
                if time.monotonic() > deadline or self._stopping.is_set():
                    register = self._till.context.register
                    raise AgentGone(
                        f"the agent of register {register} gave no answer for {self._patience_s:g} s ({error}); "
                        "see agent.log in its directory"
                    ) from None
                time.sleep(PAUSE_S)


def _tenders(amount_minor: int) -> tuple[Tender, ...]:
    return (Tender(kind="cash", amount_minor=amount_minor),) if amount_minor else ()
