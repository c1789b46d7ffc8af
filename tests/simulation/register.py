"""One register: what cashier and customer do, by lot. A POS that retries until it is answered, and sometimes crashes.

It talks to its agent through the real service alone. What it asked and got acknowledged it keeps in the book.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import (
    AgentUnreachable,
    BasketInvalid,
    Busy,
    HoldNotOpen,
    HoldUnknown,
    JournalUnavailable,
    LoyaltyError,
    OutcomeUnknown,
    RedemptionRefused,
    ReversalRefused,
)
from loyalty_sdk.ids import uuid7
from loyalty_sdk.local import HoldRequest, IdentifyCall, OpenHoldsRequest, ReleaseRequest, ReversalRequest, SaleRequest
from loyalty_sdk.model import Context, Hold, ReturnLine, Reversal, Sale
from terminal_agent.service import Service
from tests.simulation.book import Book, Receipt
from tests.simulation.goods import ALIASES, REWARDS, UNREGISTERED, drawn_basket
from tests.simulation.scenario import Scenario
from tests.simulation.scheduler import Scheduler
from tests.simulation.story import Story
from tests.simulation.terminal import SimulatedTerminal

__all__ = ["Counter", "Register"]

T = TypeVar("T")
Call = Callable[[Service], Coroutine[Any, Any, T]]
TODAY = date(2026, 5, 4)
TRIES_MAX = 2_000
IDENTIFIED_EACH = 0.04


@dataclass(slots=True)
class Counter:
    """How many transactions are left for all registers together, and how many were made."""

    left: int
    made: int = 0
    refused: int = 0
    retries: int = 0

    def take(self) -> bool:
        """Take one, if there is one."""
        self.left -= 1
        return self.left >= 0

    def retry(self, run: Callable[[], None]) -> None:
        """Count a retry as long as it is under way."""
        self.retries += 1
        run()
        self.retries -= 1


class Register:
    """One lane of a shop at one terminal; `neighbour` is the agent that its POS asks when its own does not answer."""

    def __init__(
        self,
        *,
        name: str,
        scheduler: Scheduler,
        story: Story,
        scenario: Scenario,
        terminal: SimulatedTerminal,
        neighbour: SimulatedTerminal,
        book: Book,
        counter: Counter,
    ) -> None:
        self.name = f"{terminal.name}/{name}"
        self.done = False
        self._scheduler = scheduler
        self._random = scheduler.random
        self._story = story
        self.scenario = scenario
        self._terminal = terminal
        self._neighbour = neighbour
        self._book = book
        self._counter = counter
        self._context = Context(store=f"shop-{terminal.name}", register=name, cashier="ana", business_date=TODAY)
        self._receipts = 0

    def run(self) -> None:
        """Work until there is nothing left to do, then leave no hold open."""
        while self._counter.take():
            self._scheduler.sleep(1 + int(self._random.expovariate(1 / self.scenario.think_ms)))
            self._transaction()
            self._counter.made += 1
        self._end_open_holds()
        self.done = True

    def _transaction(self) -> None:
        action = self._random.choices(
            (self._sell, self._redeem, self._return, self._void, self._return_unlinked), (58, 19, 13, 5, 5)
        )[0]
        try:
            action()
        except (RedemptionRefused, ReversalRefused, HoldUnknown, HoldNotOpen, BasketInvalid) as error:
            self._counter.refused += 1
            self._story.tell(self.name, f"is refused: {error}")

    # Sales

    def _sell(self) -> None:
        basket = drawn_basket(self._random)
        kind = self._random.choices(("member", "new", "anonymous"), (80, 8, 12))[0]
        if kind == "anonymous":
            self._record_sale(self._sale_request(basket))
        elif kind == "new":
            self._record_sale(self._sale_request(basket, alias=self._random.choice(UNREGISTERED)))
        else:
            self._record_sale(self._sale_request(basket, **self._customer()))

    def _redeem(self) -> None:
        """Hold, then sell; or release, or change one's mind about the basket, or crash in between."""
        customer = self._customer()
        if "member_id" not in customer:
            self._record_sale(self._sale_request(drawn_basket(self._random), **customer))
            return
        basket = drawn_basket(self._random)
        hold = self._hold(basket, str(customer["member_id"]))
        if hold is None:
            self._record_sale(self._sale_request(basket, **customer))
            return
        # Now and then the customer looks for her purse; a hold outlives a recall and its grant's end meanwhile.
        patience = self._random.choice((1, 1, 1, 1, 40))
        self._scheduler.sleep(int(self._random.expovariate(1 / self.scenario.think_ms)) * patience)
        if self._scheduler.chance(self.scenario.register_crashes):
            self._story.tell(self.name, f"crashes with hold {hold.hold_id} open")
            self._scheduler.sleep(self._random.randint(200, 10_000))
            self._end_open_holds(sell=self._random.random() < 0.5)
        elif self._random.random() < 0.2:
            self._release(hold)
        else:
            self._spend(hold, basket)

    def _hold(self, basket: Basket, member_id: str) -> Hold | None:
        redemption_id = uuid7(self._terminal.now, self._random.randbytes)
        request = HoldRequest(
            context=self._context,
            redemption_id=redemption_id,
            basket=basket,
            member_id=member_id,
            reward_id=self._random.choice(REWARDS),
            count=self._random.choice((1, 1, 1, 2)),
        )
        try:
            hold = self._ask(lambda service: service.hold(request))
        except RedemptionRefused as error:
            self._counter.refused += 1
            self._story.tell(self.name, f"gets no hold of {request.count} {request.reward_id}: {error}")
            return None
        self._story.tell(self.name, f"holds {hold.points} points of {member_id[:8]} as {hold.hold_id}")
        return hold

    def _spend(self, hold: Hold, basket: Basket) -> None:
        request = self._sale_request(
            basket, member_id=hold.member_id, hold_id=hold.hold_id, discount_minor=hold.discount_minor
        )
        receipt = self._record_sale(request)
        receipt.reward = (hold.reward_id, hold.count)

    def _release(self, hold: Hold) -> None:
        self._story.tell(self.name, f"releases {hold.hold_id}")
        request = ReleaseRequest(context=self._context, hold_id=hold.hold_id)
        self._ask(lambda service: service.release(request))
        if self._scheduler.chance(self.scenario.retries):
            self._ask(lambda service: service.release(request))

    def _end_open_holds(self, *, sell: bool = False) -> None:
        """What a POS does after it crashed: nobody else knows of the holds."""
        found = self._ask(lambda service: service.open_holds(OpenHoldsRequest(context=self._context)))
        for hold in found.holds:
            if sell:
                self._spend(hold, Basket.of("EUR", *drawn_basket(self._random).lines, *_dear().lines))
            else:
                self._release(hold)

    def _customer(self) -> dict[str, Any]:
        """A customer with a card: known here from before, or asked for."""
        alias = self._random.choice(ALIASES)
        member = self._terminal.cards.get(alias)
        if member is None or self._random.random() < IDENTIFIED_EACH:
            member = self._ask(lambda service: service.identify(IdentifyCall(context=self._context, data=alias)))
            self._story.tell(self.name, f"scans {alias}: {member.state}, {member.balance}")
        if member.member_id is None:
            return {"alias": alias}
        self._terminal.cards[alias] = member
        return {"member_id": member.member_id}

    def _sale_request(self, basket: Basket, *, discount_minor: int = 0, **values: Any) -> SaleRequest:
        due = basket.total_minor - discount_minor
        tenders = (Tender(kind="cash", amount_minor=due),)
        return SaleRequest(
            context=self._context, receipt_number=self._next_number(), basket=basket, tenders=tenders, **values
        )

    def _record_sale(self, request: SaleRequest) -> Receipt:
        terminal, sale = self._recorded(request, lambda service, again: service.record_sale(again))
        receipt = self._book.keep(terminal.name, request, sale, moved=terminal is not self._terminal)
        receipt.left = {number: line.quantity for number, line in enumerate(request.basket.lines, start=1)}
        earned = f"{sale.points_earned} earned, {sale.points_redeemed} redeemed"
        self._story.tell(self.name, f"sold {receipt.key} to {receipt.member}: {earned}, balance {sale.balance}")
        self._retry_now_and_then(receipt, request, lambda service, again: service.record_sale(again))
        return receipt

    # Reversals

    def _return(self) -> None:
        """A linked return of part or all of what is left of a sale, at its own till or in another shop."""
        sale = self._drawn_sale()
        if sale is None:
            self._sell()
            return
        whole = self._random.random() < 0.4
        lines = self._drawn_lines(sale, whole=whole)
        # The sale's own till then names all that it knows to be left, whatever came back in another shop.
        name_none = whole and self._random.random() < 0.5
        self._reverse(sale, "return", lines, None if name_none else lines)

    def _void(self) -> None:
        sale = self._drawn_sale()
        if sale is None or self._terminal.name in sale.returned_at or sale.terminal != self._terminal.name:
            self._sell()
            return
        self._reverse(sale, "void", self._drawn_lines(sale, whole=True), None)

    def _return_unlinked(self) -> None:
        basket = drawn_basket(self._random)
        request = ReversalRequest(
            context=self._context,
            receipt_number=self._next_number(),
            kind="unlinked_return",
            basket=basket,
            tenders=(Tender(kind="cash", amount_minor=basket.total_minor),),
            **self._customer(),
        )
        self._record_reversal(request)

    def _reverse(
        self, sale: Receipt, kind: Any, lines: tuple[ReturnLine, ...], named: tuple[ReturnLine, ...] | None
    ) -> None:
        request = ReversalRequest(
            context=self._context,
            receipt_number=self._next_number(),
            kind=kind,
            original=sale.key,
            lines=named,
        )
        for line in lines:
            sale.left[line.line] -= line.quantity
        sale.returned_at.add(self._terminal.name)
        self._record_reversal(request)

    def _record_reversal(self, request: ReversalRequest) -> None:
        terminal, reversal = self._recorded(request, lambda service, again: service.reverse_sale(again))
        receipt = self._book.keep(terminal.name, request, reversal, moved=terminal is not self._terminal)
        what = f"{reversal.kind} {receipt.key}" + ("" if request.original is None else f" of {request.original}")
        self._story.tell(self.name, f"{what}: debits {reversal.points_debited}, credits {reversal.points_credited}")
        self._retry_now_and_then(receipt, request, lambda service, again: service.reverse_sale(again))

    def _drawn_sale(self) -> Receipt | None:
        sales = [sale for sale in self._book.sales[-40:] if any(sale.left.values())]
        return self._random.choice(sales) if sales else None

    def _drawn_lines(self, sale: Receipt, *, whole: bool) -> tuple[ReturnLine, ...]:
        left = [(number, quantity) for number, quantity in sale.left.items() if quantity > 0]
        if whole:
            return tuple(ReturnLine(line=number, quantity=quantity) for number, quantity in left)
        number, quantity = self._random.choice(left)
        part = quantity if quantity <= 1 or quantity % 1 else Decimal(self._random.randint(1, int(quantity)))
        return (ReturnLine(line=number, quantity=part),)

    # Calls

    def _next_number(self) -> str:
        self._receipts += 1
        return str(self._receipts)

    def _recorded(
        self, request: Any, record: Callable[[Service, Any], Coroutine[Any, Any, T]]
    ) -> tuple[SimulatedTerminal, T]:
        """Record until it is acknowledged; a POS with two agents may go to the other one with the same receipt."""
        may_move = getattr(request, "hold_id", None) is None and getattr(request, "original", None) is None
        if may_move and self._scheduler.chance(self.scenario.failovers):
            try:
                return self._terminal, self._terminal.ask(lambda service: record(service, request))
            except (AgentUnreachable, OutcomeUnknown, Busy, JournalUnavailable):
                self._story.tell(self.name, f"moves to {self._neighbour.name} with receipt {request.receipt_number}")
                return self._neighbour, self._ask(lambda service: record(service, request), self._neighbour)
        return self._terminal, self._ask(lambda service: record(service, request))

    def _retry_now_and_then(
        self, receipt: Receipt, request: Any, record: Callable[[Service, Any], Coroutine[Any, Any, Any]]
    ) -> None:
        """The same request once more: at once or long after, by another cashier, with a time of its own."""
        if not self._scheduler.chance(self.scenario.retries):
            return
        context = replace(request.context, cashier=self._random.choice(("ana", "rui")))
        again = replace(request, context=context, occurred_at=self._random.choice((None, self._terminal.now)))
        delay_ms = self._random.choice((0, 2_000, 30_000))

        def retry() -> None:
            self._scheduler.sleep(delay_ms)
            self._story.tell(self.name, f"sends receipt {request.receipt_number} once more")
            lost = self._terminal.witness.lost
            try:
                answer: Sale | Reversal = self._ask(lambda service: record(service, again))
            except (HoldUnknown, HoldNotOpen) as error:
                if not receipt.entry_ids & lost:
                    raise
                self._story.tell(self.name, f"is refused, for the disk was restored to before the hold: {error}")
                return
            self._book.check_same(self._terminal.name, answer, lost)

        self._scheduler.spawn(lambda: self._counter.retry(retry))

    def _ask(self, call: Call[T], terminal: SimulatedTerminal | None = None) -> T:
        """Ask until there is an answer."""
        for _ in range(TRIES_MAX):
            try:
                return (terminal or self._terminal).ask(call)
            except (AgentUnreachable, OutcomeUnknown, Busy, JournalUnavailable):
                self._scheduler.sleep(1_000)
        raise LoyaltyError(f"{self.name} was not answered in {TRIES_MAX} tries")


def _dear() -> Basket:
    """Enough for every reward."""
    return Basket.of("EUR", Line.of("BASKET", 9_999, category="gifts"))
