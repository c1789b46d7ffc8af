"""Recording a sale: one transaction appends the entry, consumes the hold and keeps the receipt key."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loyalty_sdk.basket import Basket, check_tenders
from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import Entry, GrantUse, Redemption, SaleBody
from loyalty_sdk.errors import (
    BasketInvalid,
    CurrencyMismatch,
    HoldNotOpen,
    HoldUnknown,
    InvalidRequest,
    ReceiptConflict,
)
from loyalty_sdk.local import ReversalRequest, SaleRequest
from loyalty_sdk.model import ReceiptKey, Sale
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import points_earned
from sync.grants import spend_held, uses_of_hold
from sync.holds import find_hold
from sync.identity import Identity
from sync.journal import ReceiptRow, entry_at, recorded_before, remember_receipt
from sync.replica import MemberView, current_programme, member_view, programme_version
from sync.statements import PinnedConnection
from sync.transaction import Transaction

__all__ = ["RecordSale", "receipt_key_of", "request_digest", "sale_of_entry"]


def receipt_key_of(request: SaleRequest | ReversalRequest) -> ReceiptKey:
    """Return the receipt key that a request's context, series and number make. Raises InvalidRequest."""
    try:
        return ReceiptKey(
            store=request.context.store,
            register=request.context.register,
            business_date=request.context.business_date,
            series=request.receipt_series,
            number=request.receipt_number,
        )
    except ValueError as error:
        raise InvalidRequest(f"receipt: {error}") from None


def request_digest(identity: Identity, request: SaleRequest | ReversalRequest) -> bytes:
    """Return the digest that tells a retry from another request (Law 5).

    Keyed, because the request may hold a card number that nobody shall find by trying. The cashier is left out, since a
    retry after a change of shift is a retry, and so is the time: a sale whose answer was lost may come again later
    with the time at which it happened.
    """
    plain = replace(request, context=replace(request.context, cashier="-"), occurred_at=None)
    return hmac.digest(identity.alias_key, dumps(plain), hashlib.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSale:
    """Command: record a sale. `sealed` is the attachment of an unknown alias, sealed for `entry_id`."""

    request: SaleRequest
    digest: bytes
    entry_id: str
    sealed: bytes | None = None

    def __call__(self, transaction: Transaction) -> Sale:
        """Return the sale, or the earlier recording of the same request. Raises InvalidRequest, Conflict, NotFound."""
        key = receipt_key_of(self.request)
        earlier = recorded_before(transaction, key, self.digest)
        if earlier is not None:
            return self._recorded(transaction, earlier, key)
        hold = self._open_hold(transaction)
        programme = _programme(transaction, hold)
        redemption = None if hold is None else _redemption(hold)
        self._check(programme, redemption)
        uses = () if hold is None else uses_of_hold(transaction, hold.hold_id)
        view = None if self.request.member_id is None else member_view(transaction.connection, self.request.member_id)
        body = self._body(programme, redemption, view)
        entry = self._append(transaction, key, body, programme, uses, view)
        if hold is not None:
            spend_held(transaction, uses)
            transaction.execute("UPDATE holds SET state = 'spent' WHERE hold_id = ?", (hold.hold_id,))
        # The view was read before the entry was there: reading it again would cost as much as writing the entry.
        balance = None if view is None else view.balance + _effect(programme, body)
        sale = _sale(entry, body, balance=balance, as_of=None if view is None else view.as_of)
        points, redeemed = sale.points_earned - sale.points_redeemed, sale.points_redeemed
        remember_receipt(transaction, key, self.digest, entry, points=points, points_redeemed=redeemed)
        return sale

    def _recorded(self, transaction: Transaction, earlier: ReceiptRow, key: ReceiptKey) -> Sale:
        """Answer a retry with the recorded sale; once its entry was pruned, from what is kept for ever."""
        entry = entry_at(transaction.connection, earlier.seq)
        if entry is not None and isinstance(entry.body, SaleBody):
            return sale_of_entry(transaction.connection, entry, recorded_before=True)
        if entry is not None:
            raise ReceiptConflict(f"receipt {key} is already recorded as entry {earlier.entry_id}, which is no sale")
        request = self.request
        view = None if request.member_id is None else member_view(transaction.connection, request.member_id)
        paid = sum(tender.amount_minor for tender in request.tenders)
        return Sale(
            entry_id=earlier.entry_id,
            receipt=key,
            member_id=request.member_id,
            points_earned=earlier.points + earlier.points_redeemed,
            points_redeemed=earlier.points_redeemed,
            discount_minor=request.basket.total_minor + request.rounding_minor - paid,
            balance=None if view is None else view.balance,
            as_of=None if view is None else view.as_of,
            recorded_before=True,
        )

    def _open_hold(self, transaction: Transaction) -> Any:
        if self.request.hold_id is None:
            return None
        hold = find_hold(transaction.connection, self.request.hold_id)
        if hold is None:
            raise HoldUnknown(f"no hold {self.request.hold_id} is known here: hold the redemption again")
        if hold.state != "open":
            raise HoldNotOpen(f"hold {hold.hold_id} is already {hold.state}: hold the redemption again")
        if hold.member_id != self.request.member_id:
            raise InvalidRequest("the hold belongs to another member: record the sale with that member")
        return hold

    def _check(self, programme: Programme | None, redemption: Redemption | None) -> None:
        basket = self.request.basket
        if programme is not None and basket.currency != programme.currency:
            raise CurrencyMismatch(
                f"the basket is in {basket.currency}, the programme counts in {programme.currency}: "
                "record the sale in the programme's currency"
            )
        discount = 0 if redemption is None else redemption.discount_minor
        if redemption is not None and programme is not None:
            _check_reward_fits(programme, redemption, basket)
        check_tenders(self.request.tenders, basket.total_minor - discount + self.request.rounding_minor)

    def _body(self, programme: Programme | None, redemption: Redemption | None, view: MemberView | None) -> SaleBody:
        request = self.request
        discount = 0 if redemption is None else redemption.discount_minor
        return SaleBody(
            cashier=request.context.cashier,
            member_id=request.member_id,
            basket=request.basket,
            tenders=request.tenders,
            points_earned=0 if programme is None else points_earned(programme, request.basket, discount),
            tier="" if view is None else view.tier,
            rounding_minor=request.rounding_minor,
            redemption=redemption,
        )

    def _append(
        self,
        transaction: Transaction,
        key: ReceiptKey,
        body: SaleBody,
        programme: Programme | None,
        uses: tuple[GrantUse, ...],
        view: MemberView | None,
    ) -> Entry:
        return transaction.append(
            "sale",
            body,
            entry_id=self.entry_id,
            occurred_at=self.request.occurred_at,
            receipt_key=key,
            programme_version=None if programme is None else programme.version,
            snapshot_revision=None if view is None else view.revision,
            grants=uses,
            sealed=self.sealed,
            member_id=body.member_id,
            points=0 if body.member_id is None else _effect(programme, body),
        )


def sale_of_entry(connection: PinnedConnection, entry: Entry, *, recorded_before: bool = False) -> Sale:
    """Return what a POS is told of a sale entry, with the member's balance as it is now."""
    body = entry.body
    assert isinstance(body, SaleBody)
    view = None if body.member_id is None else member_view(connection, body.member_id)
    balance, as_of = (None, None) if view is None else (view.balance, view.as_of)
    return _sale(entry, body, balance=balance, as_of=as_of, recorded_before=recorded_before)


def _sale(
    entry: Entry, body: SaleBody, *, balance: int | None, as_of: datetime | None, recorded_before: bool = False
) -> Sale:
    assert entry.receipt_key is not None
    anonymous = body.member_id is None and entry.attachment_hash is None
    return Sale(
        entry_id=entry.id,
        receipt=entry.receipt_key,
        member_id=body.member_id,
        points_earned=0 if anonymous else body.points_earned,
        points_redeemed=0 if body.redemption is None else body.redemption.points,
        discount_minor=0 if body.redemption is None else body.redemption.discount_minor,
        balance=balance,
        as_of=as_of,
        recorded_before=recorded_before,
    )


def _effect(programme: Programme | None, body: SaleBody) -> int:
    """What a sale does to the member's balance, of which pending points are no part."""
    earned = 0 if programme is None or programme.pending is not None else body.points_earned
    return earned - (0 if body.redemption is None else body.redemption.points)


def _programme(transaction: Transaction, hold: Any) -> Programme | None:
    """The programme in force; a hold keeps the version that it was made under."""
    if hold is None:
        return current_programme(transaction.connection)
    return programme_version(transaction.connection, hold.programme_version)


def _check_reward_fits(programme: Programme, redemption: Redemption, basket: Basket) -> None:
    """The basket may have changed since the hold; central would not accept a reward that it does not reach."""
    reward = programme.reward(redemption.reward_id)
    least = max(redemption.discount_minor, 0 if reward is None else reward.minimum_spend_minor)
    if basket.total_minor < least:
        raise BasketInvalid(
            f"the basket comes to {basket.total_minor}, the held reward needs {least}: release the hold, "
            "or record the basket that it was made for"
        )


def _redemption(hold: Any) -> Redemption:
    return Redemption(
        hold_id=hold.hold_id,
        reward_id=hold.reward_id,
        count=hold.count,
        points=hold.points,
        discount_minor=hold.discount_minor,
    )
