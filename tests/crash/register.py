"""A register under load: sells, redeems, takes back, releases and syncs at random, and lists what was acknowledged.

It drives the product's commands and nothing else. How a command reaches the journal, and what an acknowledgement is
written to, is given to it: directly and a recorded file for power cuts, over a socket and an fsynced list for kills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.local import HoldRequest, ReleaseRequest, ReversalRequest, SaleRequest
from loyalty_sdk.model import Context, Hold, ReceiptKey, Reversal, ReversalKind, Sale
from sync.answers import StoreMember
from sync.holds import CreateHold, ReleaseHold
from sync.identity import Identity
from sync.pruning import Prune
from sync.reversals import RecordReversal
from sync.sales import RecordSale, request_digest
from sync.store import Command
from tests.crash import rig

__all__ = ["Json", "Register"]

Json = dict[str, Any]
Call = Callable[[Callable[[], Command]], Any]

BUSINESS_DATE = date(2026, 3, 14)
LINES_MAX = 30


@dataclass(frozen=True, slots=True)
class _Held:
    hold: Hold
    basket: Basket


@dataclass(slots=True, kw_only=True)
class Register:
    """One lane. `call` runs a command that it may have to make anew, `acknowledge` notes a line before it goes on."""

    name: str
    series: str
    random: Random
    call: Call
    acknowledge: Callable[[Json], None]
    prunes: bool = False
    identity: Identity = field(default_factory=rig.identity)
    _host: Any = field(default_factory=rig.host)
    _number: int = 0
    _held: list[_Held] = field(default_factory=list)
    _grants: list[str] = field(default_factory=list)
    _sold: list[tuple[ReceiptKey, Basket]] = field(default_factory=list)

    def step(self) -> None:
        """Do one thing."""
        actions: tuple[tuple[Callable[[], None], int], ...] = (
            (self._sell_to_nobody, 20),
            (self._sell_to_member, 25),
            (self._sell_to_stranger, 8),
            (self._hold, 15),
            (self._sell_held, 12),
            (self._release, 4),
            (self._reverse, 8),
            (self._synchronise, 8),
            (self._recall, 4),
            (self._prune, 3),
        )
        self.random.choices([action for action, _ in actions], [weight for _, weight in actions])[0]()

    def sell_once(self) -> None:
        """Sell to a member, with a redemption."""
        self._sell_held()

    # --- selling ---

    def _sell_to_nobody(self) -> None:
        self._sell(self._basket())

    def _sell_to_member(self) -> None:
        self._sell(self._basket(), member_id=self.random.choice(rig.MEMBERS))

    def _sell_to_stranger(self) -> None:
        """A card that nobody knows yet travels as a sealed attachment."""
        self._sell(self._basket(), alias=f"29{self.random.randrange(10**11):011d}")

    def _sell_held(self) -> None:
        if not self._held:
            self._hold()
        held = self._held.pop(self.random.randrange(len(self._held)))
        self._sell(held.basket, member_id=held.hold.member_id, hold=held.hold)

    def _sell(
        self, basket: Basket, *, member_id: str | None = None, alias: str | None = None, hold: Hold | None = None
    ) -> None:
        due_minor = basket.total_minor - (0 if hold is None else hold.discount_minor)
        request = SaleRequest(
            context=self._context,
            receipt_series=self.series,
            receipt_number=self._next_number(),
            basket=basket,
            tenders=(Tender(kind="cash", amount_minor=due_minor),),
            member_id=member_id,
            alias=alias,
            hold_id=None if hold is None else hold.hold_id,
        )
        hold_id = None if hold is None else hold.hold_id
        self._begin_to_end(hold_id)
        sale: Sale = self.call(lambda: self._record_sale(request))
        self.acknowledge({"kind": "sale", "receipt": str(sale.receipt), "entry": sale.entry_id, "hold": hold_id})
        self._sold.append((sale.receipt, basket))

    def _record_sale(self, request: SaleRequest) -> RecordSale:
        entry_id = self._host.new_id()
        sealed = None if request.alias is None else self.identity.seal(request.alias.encode(), entry_id)
        return RecordSale(
            request=request, digest=request_digest(self.identity, request), entry_id=entry_id, sealed=sealed
        )

    # --- redeeming ---

    def _hold(self) -> None:
        """Earmark points as the service does: central grants them exactly, then the hold takes them."""
        member_id, redemption_id, grant_id = self.random.choice(rig.MEMBERS), self._new_id(), self._new_id()
        answer = rig.member_answer(member_id, redemption_id, grant_id)
        self.call(lambda: StoreMember(answer=answer, redemption_id=redemption_id))
        self.acknowledge({"kind": "grant", "grant": grant_id})
        self._grants.append(grant_id)
        basket = self._basket()
        request = HoldRequest(
            context=self._context,
            redemption_id=redemption_id,
            basket=basket,
            member_id=member_id,
            reward_id=rig.REWARD_ID,
        )
        hold: Hold = self.call(lambda: CreateHold(request=request, online=True))
        self.acknowledge({"kind": "hold", "hold": hold.hold_id})
        self._held.append(_Held(hold, basket))

    def _release(self) -> None:
        if self._held:
            hold = self._held.pop(0).hold
            request = ReleaseRequest(context=self._context, hold_id=hold.hold_id)
            self._begin_to_end(hold.hold_id)
            self.call(lambda: ReleaseHold(request=request))
            self.acknowledge({"kind": "release", "hold": hold.hold_id})

    def _begin_to_end(self, hold_id: str | None) -> None:
        """Note that a hold may end, before it does: its entry may be written, and pruned, and never acknowledged."""
        if hold_id is not None:
            self.acknowledge({"kind": "ending", "hold": hold_id})

    # --- taking back, and central ---

    def _reverse(self) -> None:
        if not self._sold:
            return
        receipt, basket = self._sold.pop(self.random.randrange(len(self._sold)))
        kind: ReversalKind = self.random.choice(("void", "return"))
        request = ReversalRequest(
            context=self._context,
            receipt_series=self.series,
            receipt_number=self._next_number(),
            kind=kind,
            original=receipt,
            tenders=(Tender(kind="cash", amount_minor=basket.total_minor),),
        )
        done: Reversal = self.call(lambda: self._record_reversal(request))
        self.acknowledge({"kind": "reversal", "receipt": str(done.receipt), "entry": done.entry_id})

    def _record_reversal(self, request: ReversalRequest) -> RecordReversal:
        digest = request_digest(self.identity, request)
        return RecordReversal(request=request, digest=digest, entry_id=self._host.new_id())

    def _synchronise(self) -> None:
        share = self.random.random()
        watermark = self.call(lambda: rig.AcknowledgeSome(share=share))
        self.acknowledge({"kind": "watermark", "seq": watermark})

    def _recall(self) -> None:
        """Held, spent or released: a recalled grant is closed, and what it is held for is honoured."""
        if self._grants:
            grant_id = self._grants.pop(0)
            self.call(lambda: rig.Recall(grant_id=grant_id))
            self.acknowledge({"kind": "grant_closed", "grant": grant_id})

    def _prune(self) -> None:
        """Prune as if the retention were over; noted before it is done, because from then on things may be gone."""
        if not self.prunes:
            return
        self.acknowledge({"kind": "pruning"})
        self.call(rig.CatchUp)
        entries_max = self.random.randrange(1, 40)
        self.call(lambda: Prune(retention=timedelta(0), entries_max=entries_max))

    @property
    def _context(self) -> Context:
        return Context(store="store", register=self.name, cashier="cashier", business_date=BUSINESS_DATE)

    def _next_number(self) -> str:
        self._number += 1
        return str(self._number)

    def _new_id(self) -> str:
        return str(self._host.new_id())

    def _basket(self) -> Basket:
        """From one line to many, so that some entries fill pages of their own."""
        count = 1 + int(LINES_MAX * self.random.random() ** 4)
        lines = (Line.of(f"SKU-{number}", self.random.randrange(600, 5_000)) for number in range(count))
        return Basket.of(rig.PROGRAMME["currency"], *lines)
