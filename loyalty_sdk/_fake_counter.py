"""What a FakeAgent decides: members, quotes, holds and sales, with the rules and refusals of the agent. No HTTP.

hold:  open ──record_sale──► spent
└────release──────► released
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from loyalty_sdk import rules
from loyalty_sdk._fake_book import Book, HoldRecord, ReversalRecord, SaleRecord, digest_of, key_of
from loyalty_sdk._fake_codes import read_code
from loyalty_sdk._fake_members import Account, Members, Owner
from loyalty_sdk.basket import Basket, check_tenders
from loyalty_sdk.errors import (
    BasketInvalid,
    Conflict,
    CurrencyMismatch,
    HoldNotOpen,
    HoldUnknown,
    InsufficientPoints,
    InvalidRequest,
    OfflineCapExceeded,
    ReceiptConflict,
    RewardUnavailable,
    ScanUnreadable,
    TrainingMismatch,
)
from loyalty_sdk.local import (
    HoldRequest,
    IdentifyCall,
    OpenHolds,
    OpenHoldsRequest,
    QuoteRequest,
    ReleaseRequest,
    ReversalRequest,
    SaleRequest,
)
from loyalty_sdk.model import Context, Hold, Member, Quote, ReceiptKey, Reversal, RewardOffer, Sale
from loyalty_sdk.programme import Programme

__all__ = ["Counter"]

CODE_LENGTH_MAX = 128

T = TypeVar("T", Sale, Reversal)


@dataclass(slots=True, kw_only=True)
class Counter:
    """The state of one terminal and of the central behind it."""

    programme: Programme
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    members: Members = field(default_factory=Members)
    real: Book = field(default_factory=Book)
    training: Book = field(default_factory=Book)
    online: bool = True
    contact_at: datetime | None = None
    entries: int = 0
    entries_waiting: int = 0

    def set_online(self, online: bool) -> None:
        """Lose central, or reach it again and apply everything."""
        if online and not self.online:
            self.members.reach_central(self.now())
            self.entries_waiting = 0
        if self.online:
            self.contact_at = self.now()
        self.online = online

    def last_contact_at(self) -> datetime | None:
        """Return when central was last reached, which is now while it is online."""
        return self.now() if self.online else self.contact_at

    def book(self, context: Context) -> Book:
        """Return the book that a call writes to."""
        return self.training if context.training else self.real

    def identify(self, request: IdentifyCall) -> Member:
        """Resolve a code to a member as far as terminal and central know it."""
        text = request.data.strip()
        alias = read_code(text).data if request.symbology is None else text
        if not alias or len(alias) > CODE_LENGTH_MAX or not alias.isprintable():
            raise ScanUnreadable("the scan holds no code; scan again or key it in")
        account = self.members.by_alias(alias)
        if self.online and account is not None:
            account.refresh(self.now())
            account.grant_ahead(self.programme.offline, self.now())
        if account is not None and account.seen is not None:
            return self._known(account)
        if self.online:
            return Member(
                state="unknown", message="no member has this card; the sale may keep it", alias=alias, online=True
            )
        return Member(state="unconfirmed", message="central cannot be asked; the sale keeps the card", alias=alias)

    def _known(self, account: Account) -> Member:
        return Member(
            state="known",
            message=f"{account.shown()} points" + ("" if self.online else "; central is not reached"),
            member_id=account.member_id,
            name_masked=account.name_masked,
            tier=account.tier,
            balance=account.shown(),
            as_of=account.seen_at,
            snapshot_revision=account.revision,
            online=self.online,
        )

    def quote(self, request: QuoteRequest) -> Quote:
        """Work out what a basket earns, and which rewards basket and shown balance reach."""
        self.check_currency(request.basket)
        account = self._seen(request.member_id)
        balance = account.shown() if account else None
        return Quote(
            basket=request.basket,
            member_id=request.member_id,
            points_earned=rules.points_earned(self.programme, request.basket),
            rewards=rules.reward_offers(self.programme, request.basket, balance),
            programme_version=self.programme.version,
            snapshot_revision=account.revision if account else None,
            balance=balance,
            as_of=account.seen_at if account else None,
        )

    def _seen(self, member_id: str | None) -> Account | None:
        """Return the member where this terminal knows a balance, as it does after `identify`."""
        account = None if member_id is None else self.members.by_id(member_id)
        return account if account is not None and account.seen is not None else None

    def _contact_too_old(self) -> bool:
        hours_max = self.programme.offline.hours_since_contact_max
        return self.contact_at is None or self.now() - self.contact_at > timedelta(hours=hours_max)

    def hold(self, request: HoldRequest) -> Hold:
        """Earmark points, or answer with the hold that was made under the same id."""
        known = self.book(request.context).holds.get(request.redemption_id)
        if known is not None:
            return self._held_before(known, request)
        self._refuse_other_book(request.context, request.redemption_id)
        self.check_currency(request.basket)
        hold = self._make_hold(request)
        if not hold.training:
            account = self._account(hold.member_id)
            self._check_points(account, hold.points)
            self._earmark(account, hold.points)
        since = None if self.online or hold.training else self.contact_at
        record = HoldRecord(hold=hold, digest=digest_of(request), offline_since=since)
        self.book(request.context).holds[hold.hold_id] = record
        return hold

    def _held_before(self, known: HoldRecord, request: HoldRequest) -> Hold:
        if known.digest != digest_of(request):
            raise Conflict(f"redemption {request.redemption_id} holds something else; use a new redemption_id")
        if known.state != "open":
            raise HoldNotOpen(f"hold {request.redemption_id} is {known.state}; use a new redemption_id")
        return known.hold

    def _make_hold(self, request: HoldRequest) -> Hold:
        reward = self._offer(request)
        return Hold(
            hold_id=request.redemption_id,
            member_id=request.member_id,
            reward_id=reward.reward_id,
            count=request.count,
            points=reward.points * request.count,
            discount_minor=reward.discount_minor * request.count,
            store=request.context.store,
            register=request.context.register,
            created_at=self.now(),
            training=request.context.training,
        )

    def _offer(self, request: HoldRequest) -> RewardOffer:
        account = self._seen(request.member_id)
        balance = account.shown() if account else None
        offers = rules.reward_offers(self.programme, request.basket, balance)
        offer = next((offer for offer in offers if offer.reward_id == request.reward_id), None)
        if offer is None:
            raise RewardUnavailable(f"the programme has no reward {request.reward_id}; take one of the quote's rewards")
        if not 1 <= request.count <= offer.count_max:
            reason = offer.reason or f"it can be taken {offer.count_max} times, not {request.count}"
            short = balance is not None and balance < offer.points
            raise (InsufficientPoints if short else RewardUnavailable)(f"reward {offer.reward_id}: {reason}")
        return offer

    def _check_points(self, account: Account, points: int) -> None:
        if self.online:
            if points > account.available():
                raise InsufficientPoints(f"{points} points are needed, {account.available()} are there")
            return
        self._check_caps(account, points)
        granted = account.granted_at(self.now())
        if points > granted:
            raise InsufficientPoints(
                f"{points} points are needed, {granted} were set aside for this terminal; sell without the reward"
            )

    def _check_caps(self, account: Account, points: int) -> None:
        caps = self.programme.offline
        reached = {
            "hours_since_contact_max": self._contact_too_old(),
            "points_per_sale_max": points > caps.points_per_sale_max,
            "points_per_member_max": account.points_offline + points > caps.points_per_member_max,
            "redemptions_per_member_max": account.redemptions_offline + 1 > caps.redemptions_per_member_max,
        }
        for cap, is_reached in reached.items():
            if is_reached:
                raise OfflineCapExceeded(f"without central the programme's {cap} is reached; sell without the reward")

    def _earmark(self, account: Account, points: int) -> None:
        account.held += points
        if self.online:
            account.granted = min(account.granted, account.available())
            return
        account.granted -= points
        account.points_offline += points
        account.redemptions_offline += 1

    def release(self, request: ReleaseRequest) -> Hold:
        """End a hold without a sale; once more answers the same."""
        record = self._hold_record(request.context, request.hold_id)
        if record.state == "spent":
            raise HoldNotOpen(f"hold {request.hold_id} was spent by a sale; reverse the sale instead")
        if record.state == "open":
            record.state = "released"
            self._unhold(record.hold)
            self._uncount(record)
            self.count_entry(request.context)
        return record.hold

    def open_holds(self, request: OpenHoldsRequest) -> OpenHolds:
        """Return the open holds of a register."""
        where = (request.context.store, request.context.register)
        holds = self.book(request.context).open_holds()
        return OpenHolds(holds=tuple(hold for hold in holds if (hold.store, hold.register) == where))

    def _hold_record(self, context: Context, hold_id: str) -> HoldRecord:
        record = self.book(context).holds.get(hold_id)
        if record is None:
            self._refuse_other_book(context, hold_id)
            raise HoldUnknown(f"no hold {hold_id} is known here; ask open_holds")
        return record

    def _refuse_other_book(self, context: Context, hold_id: str) -> None:
        other = self.real if context.training else self.training
        if hold_id in other.holds:
            raise TrainingMismatch(f"hold {hold_id} was made in {'sales' if context.training else 'training'}")

    def _unhold(self, hold: Hold) -> None:
        if not hold.training:
            self._account(hold.member_id).held -= hold.points

    def _uncount(self, record: HoldRecord) -> None:
        """Give a released hold back to the grant ahead that it came from; it no longer counts towards the caps."""
        account = self.members.by_id(record.hold.member_id)
        if account is not None and record.offline_since is not None and record.offline_since == self.contact_at:
            account.granted += record.hold.points
            account.points_offline = max(0, account.points_offline - record.hold.points)
            account.redemptions_offline = max(0, account.redemptions_offline - 1)

    def record_sale(self, request: SaleRequest) -> Sale:
        """Record a sale, or answer with what is recorded under the same receipt key."""
        book, key = self.book(request.context), self.key(request)
        known = book.receipts.get(key)
        if known is not None:
            return recorded_before(known, Sale, digest_of(request), key)
        self.check_currency(request.basket)
        record = None if request.hold_id is None else self._open_hold(request)
        hold = record.hold if record else None
        discount_minor = hold.discount_minor if hold else 0
        check_tenders(request.tenders, request.basket.total_minor - discount_minor + request.rounding_minor)
        owner = self.owner(request.member_id, request.alias)
        if record is not None:
            record.state = "spent"
            self._unhold(record.hold)
        sale = self._sale(request, key, owner, hold)
        book.receipts[key] = SaleRecord(
            digest=digest_of(request), answer=sale, owner=owner, programme=self.programme, basket=request.basket
        )
        return sale

    def _open_hold(self, request: SaleRequest) -> HoldRecord:
        assert request.hold_id is not None  # the caller asks only then
        record = self._hold_record(request.context, request.hold_id)
        if record.state != "open":
            raise HoldNotOpen(f"hold {request.hold_id} is {record.state}; record the sale without it")
        if record.hold.member_id != request.member_id:
            raise InvalidRequest(f"hold {request.hold_id} belongs to another member; record the sale with its member")
        if record.hold.discount_minor > request.basket.total_minor:
            raise BasketInvalid(
                f"the reward takes {record.hold.discount_minor} off a basket of {request.basket.total_minor}; "
                "release the hold"
            )
        return record

    def _sale(self, request: SaleRequest, key: ReceiptKey, owner: Owner, hold: Hold | None) -> Sale:
        redeemed, discount_minor = (hold.points, hold.discount_minor) if hold else (0, 0)
        earned = 0 if owner is None else rules.points_earned(self.programme, request.basket, discount_minor)
        balance, as_of = self.record(request.context, owner, earned - redeemed)
        return Sale(
            entry_id=self.new_id(),
            receipt=key,
            member_id=owner.member_id if isinstance(owner, Account) else request.member_id,
            points_earned=earned,
            points_redeemed=redeemed,
            discount_minor=discount_minor,
            balance=balance,
            as_of=as_of,
            training=request.context.training,
        )

    def record(self, context: Context, owner: Owner, points: int) -> tuple[int | None, datetime | None]:
        """Count an entry and move its points, in training neither; return balance and as-of time after it."""
        self.count_entry(context)
        if not context.training:
            self.members.move(owner, points, online=self.online, now=self.now())
        shown = owner.shown() if isinstance(owner, Account) else None
        if not isinstance(owner, Account) or shown is None:
            return None, None
        return shown + (points if context.training else 0), owner.seen_at

    def count_entry(self, context: Context) -> None:
        """Count one more entry of the journal."""
        if not context.training:
            self.entries += 1
            self.entries_waiting += 0 if self.online else 1

    def owner(self, member_id: str | None, alias: str | None) -> Owner:
        """Return whose points move. Raises InvalidRequest where both are named."""
        if member_id is not None and alias is not None:
            raise InvalidRequest("a sale names a member_id, or the alias of a card that is not known, never both")
        if member_id is not None:
            return self.members.by_id(member_id) or member_id
        if alias is None:
            return None
        return (self.members.by_alias(alias) if self.online else None) or alias

    def _account(self, member_id: str) -> Account:
        account = self.members.by_id(member_id)
        assert account is not None  # a hold is only made for a member that is known
        return account

    def check_currency(self, basket: Basket) -> None:
        """Refuse a basket in another currency."""
        if basket.currency != self.programme.currency:
            raise CurrencyMismatch(
                f"the basket is in {basket.currency}, the programme counts in {self.programme.currency}; "
                "sell without loyalty"
            )

    def key(self, request: SaleRequest | ReversalRequest) -> ReceiptKey:
        """Return the request's own receipt key."""
        return key_of(request.context, request.receipt_series, request.receipt_number)


def recorded_before(known: SaleRecord | ReversalRecord, kind: type[T], digest: str, key: ReceiptKey) -> T:
    """Answer a repeated request with what is recorded. Raises ReceiptConflict for another request under the key."""
    if known.digest != digest or not isinstance(known.answer, kind):
        raise ReceiptConflict(f"receipt {key} holds something else: {known.answer}; take a new receipt number")
    return replace(known.answer, recorded_before=True)
