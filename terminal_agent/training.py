"""Training: holds and receipts in memory only, under the same rules. Nothing reaches the journal or central."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from loyalty_sdk.basket import check_tenders
from loyalty_sdk.envelope import Redemption, ReversalBody, SaleBody
from loyalty_sdk.errors import (
    HoldNotOpen,
    HoldUnknown,
    ReceiptConflict,
    ReceiptUnknown,
    ReversalRefused,
    TrainingMismatch,
)
from loyalty_sdk.local import HoldRequest, OpenHolds, OpenHoldsRequest, ReleaseRequest, ReversalRequest, SaleRequest
from loyalty_sdk.model import Hold, ReceiptKey, Reversal, Sale
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import ReturnedPoints, points_earned, points_returned
from sync.holds import check_reward, find_hold
from sync.replica import MemberView, current_programme, member_view
from sync.sales import receipt_key_of
from sync.statements import PinnedConnection
from sync.store import Store
from terminal_agent.receipts import Receipt

__all__ = ["TrainingDesk"]

KEPT_MAX = 1_000
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Recorded:
    request: SaleRequest | ReversalRequest
    receipt: Receipt


class TrainingDesk:
    """The calls of a register in training. The oldest holds and receipts are forgotten first."""

    def __init__(self, *, store: Store, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id
        self._holds: OrderedDict[str, Hold] = OrderedDict()
        self._released: OrderedDict[str, Hold] = OrderedDict()
        self._recorded: OrderedDict[ReceiptKey, _Recorded] = OrderedDict()

    @property
    def receipts(self) -> dict[ReceiptKey, Receipt]:
        """The training receipts that can still be printed."""
        return {key: recorded.receipt for key, recorded in self._recorded.items()}

    def refuse_real(self, hold_id: str | None) -> None:
        """Keep a training hold out of a real sale. Raises TrainingMismatch."""
        if hold_id in self._holds:
            raise TrainingMismatch("a training hold cannot pay for a real sale: hold again without training")

    def hold(self, request: HoldRequest) -> Hold:
        """Earmark points in memory; no grant is asked for or touched."""
        with self._store.reading() as connection:
            _, offer = check_reward(connection, request)
        hold = Hold(
            hold_id=request.redemption_id,
            member_id=request.member_id,
            reward_id=request.reward_id,
            count=request.count,
            points=offer.points * request.count,
            discount_minor=offer.discount_minor * request.count,
            store=request.context.store,
            register=request.context.register,
            created_at=self._now(),
            training=True,
        )
        return _keep(self._holds, hold.hold_id, hold)

    def release(self, request: ReleaseRequest) -> Hold:
        """End a training hold; releasing it again answers the same."""
        if request.hold_id in self._released:
            return self._released[request.hold_id]
        return _keep(self._released, request.hold_id, self._take(request.hold_id))

    def open_holds(self, request: OpenHoldsRequest) -> OpenHolds:
        """List the training holds of a register."""
        here = (request.context.store, request.context.register)
        return OpenHolds(holds=tuple(hold for hold in self._holds.values() if (hold.store, hold.register) == here))

    def record_sale(self, request: SaleRequest) -> Sale:
        """Work out a sale and keep it in memory."""
        key = receipt_key_of(request)
        earlier = self._earlier(key, request)
        if isinstance(earlier, Sale):
            return earlier
        hold = self._open(request.hold_id)
        discount = 0 if hold is None else hold.discount_minor
        check_tenders(request.tenders, request.basket.total_minor - discount + request.rounding_minor)
        with self._store.reading() as connection:
            programme = current_programme(connection)
            member = _member(connection, request.member_id)
        earned = 0 if programme is None else points_earned(programme, request.basket, discount)
        redeemed = 0 if hold is None else hold.points
        sale = Sale(
            entry_id=f"training {self._new_id()}",
            receipt=key,
            member_id=request.member_id,
            points_earned=earned if request.member_id or request.alias else 0,
            points_redeemed=redeemed,
            discount_minor=discount,
            balance=None if member is None else member.balance + _shown(programme, earned) - redeemed,
            as_of=None if member is None else member.as_of,
            training=True,
        )
        body = SaleBody(
            cashier=request.context.cashier,
            member_id=request.member_id,
            basket=request.basket,
            tenders=request.tenders,
            points_earned=earned,
            rounding_minor=request.rounding_minor,
            redemption=None if hold is None else _redemption(hold),
        )
        pending = request.member_id is None and request.alias is not None
        receipt = Receipt(body=body, key=key, result=sale, programme=programme, member=member, alias_pending=pending)
        self._keep_receipt(request, receipt)
        if hold is not None:
            self._take(hold.hold_id)
        return sale

    def reverse_sale(self, request: ReversalRequest) -> Reversal:
        """Work out a reversal of a training sale, or an unlinked return, and keep it in memory."""
        key = receipt_key_of(request)
        earlier = self._earlier(key, request)
        if isinstance(earlier, Reversal):
            return earlier
        original = None if request.original is None else self._sale(request.original)
        with self._store.reading() as connection:
            programme = current_programme(connection)
            member_id = request.member_id if original is None else original.member_id
            member = _member(connection, member_id)
        worth = _worth(programme, original, request)
        reversal = Reversal(
            entry_id=f"training {self._new_id()}",
            receipt=key,
            kind=request.kind,
            member_id=member_id,
            points_debited=worth.debited,
            points_credited=worth.credited,
            balance=None if member is None else member.balance,
            as_of=None if member is None else member.as_of,
            training=True,
        )
        body = ReversalBody(
            kind=request.kind,
            cashier=request.context.cashier,
            member_id=member_id,
            tenders=request.tenders,
            original=request.original,
            basket=request.basket,
        )
        self._keep_receipt(request, Receipt(body=body, key=key, result=reversal, programme=programme, member=member))
        return reversal

    def _sale(self, key: ReceiptKey) -> SaleBody:
        recorded = self._recorded.get(key)
        if recorded is None or not isinstance(recorded.receipt.body, SaleBody):
            raise ReceiptUnknown(f"no training sale {key} is known: training reverses only what was sold in training")
        return recorded.receipt.body

    def _earlier(self, key: ReceiptKey, request: SaleRequest | ReversalRequest) -> Sale | Reversal | None:
        recorded = self._recorded.get(key)
        if recorded is not None and recorded.request != request:
            raise ReceiptConflict(f"training receipt {key} is already used with other content: use the next number")
        return None if recorded is None else recorded.receipt.result

    def _open(self, hold_id: str | None) -> Hold | None:
        if hold_id is None:
            return None
        if hold_id in self._holds:
            return self._holds[hold_id]
        with self._store.reading() as connection:
            if find_hold(connection, hold_id) is not None:
                raise TrainingMismatch("a real hold cannot pay for a training sale: hold again in training")
        raise HoldNotOpen("this is no open training hold: hold the redemption again in training")

    def _take(self, hold_id: str) -> Hold:
        hold = self._holds.pop(hold_id, None)
        if hold is None:
            raise HoldUnknown(f"no training hold {hold_id} is known here: list them with open_holds()")
        return hold

    def _keep_receipt(self, request: SaleRequest | ReversalRequest, receipt: Receipt) -> None:
        _keep(self._recorded, receipt.key, _Recorded(request, receipt))


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> V:
    kept[key] = value
    if len(kept) > KEPT_MAX:
        kept.popitem(last=False)
    return value


def _shown(programme: Programme | None, earned: int) -> int:
    """What earning does to the balance, of which pending points are no part."""
    return 0 if programme is None or programme.pending is not None else earned


def _member(connection: PinnedConnection, member_id: str | None) -> MemberView | None:
    return None if member_id is None else member_view(connection, member_id)


def _worth(programme: Programme | None, original: SaleBody | None, request: ReversalRequest) -> ReturnedPoints:
    """What a training reversal takes and gives; each return is worked out by itself."""
    if programme is None or (original is not None and original.member_id is None):
        return ReturnedPoints(debited=0, credited=0)
    if original is None:
        return ReturnedPoints(debited=points_earned(programme, request.basket) if request.basket else 0, credited=0)
    sold = {number: line.quantity for number, line in enumerate(original.basket.lines, start=1) if line.quantity > 0}
    returned = sold if request.lines is None else {line.line: line.quantity for line in request.lines}
    if any(quantity > sold.get(number, Decimal(0)) for number, quantity in returned.items()):
        raise ReversalRefused("more would come back than was sold: name at most the quantities of the sale")
    redemption = original.redemption
    return points_returned(
        programme,
        original.basket,
        0 if redemption is None else redemption.discount_minor,
        0 if redemption is None else redemption.points,
        returned,
    )


def _redemption(hold: Hold) -> Redemption:
    return Redemption(
        hold_id=hold.hold_id,
        reward_id=hold.reward_id,
        count=hold.count,
        points=hold.points,
        discount_minor=hold.discount_minor,
    )
