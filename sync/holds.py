"""Holds: points earmarked before the customer pays. A hold is a row, not an entry; its release is an entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from loyalty_sdk.codec import encode
from loyalty_sdk.envelope import ReleaseBody
from loyalty_sdk.errors import (
    Conflict,
    HoldNotOpen,
    HoldUnknown,
    InsufficientPoints,
    OfflineCapExceeded,
    RewardUnavailable,
)
from loyalty_sdk.local import HoldRequest, ReleaseRequest
from loyalty_sdk.model import Context, Hold, RewardOffer
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import reward_offers
from sync.grants import earmark, unhold, uses_of_hold
from sync.replica import current_programme, member_view
from sync.statements import PinnedConnection
from sync.transaction import Transaction

__all__ = ["CreateHold", "ReleaseHold", "check_reward", "find_hold", "open_holds"]

OPEN_HOLDS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateHold:
    """Command: earmark the points of a reward. Idempotent by the redemption id, which becomes the hold's id.

    `online` says that central was asked just now; without it the programme's offline caps stand.
    """

    request: HoldRequest
    online: bool

    def __call__(self, transaction: Transaction) -> Hold:
        """Return the hold. Raises RedemptionRefused, Conflict, HoldNotOpen."""
        earlier = find_hold(transaction.connection, self.request.redemption_id)
        if earlier is not None:
            return _same_hold(self.request, earlier)
        programme, offer = check_reward(transaction.connection, self.request)
        points = offer.points * self.request.count
        since = transaction.meta("contact_at")
        if not self.online:
            _check_caps(transaction, programme, self.request.member_id, points, since)
        self._insert(transaction, programme, offer, None if self.online else since)
        if not earmark(transaction, self.request.redemption_id, self.request.member_id, points):
            raise InsufficientPoints(
                f"{points} points are needed and fewer are set aside at this till: "
                + ("the member has too few" if self.online else "redeem again when central can be reached")
            )
        row = find_hold(transaction.connection, self.request.redemption_id)
        return _hold(row)

    def _insert(
        self, transaction: Transaction, programme: Programme, offer: RewardOffer, offline_since: str | None
    ) -> None:
        request = self.request
        transaction.execute(
            "INSERT INTO holds (hold_id, member_id, reward_id, count, points, discount_minor, programme_version,"
            " store, register, created_at, offline_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                request.redemption_id,
                request.member_id,
                request.reward_id,
                request.count,
                offer.points * request.count,
                offer.discount_minor * request.count,
                programme.version,
                request.context.store,
                request.context.register,
                encode(transaction.host.now()),
                offline_since,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold:
    """Command: end a hold without a sale. Releasing it again answers the same."""

    uses_reserve: ClassVar[bool] = True

    request: ReleaseRequest

    def __call__(self, transaction: Transaction) -> Hold:
        """Return the released hold. Raises HoldUnknown, HoldNotOpen."""
        row = find_hold(transaction.connection, self.request.hold_id)
        if row is None:
            raise HoldUnknown(f"no hold {self.request.hold_id} is known here: list them with open_holds()")
        if row.state == "spent":
            raise HoldNotOpen("the hold was spent by a sale: reverse that sale instead")
        if row.state == "open":
            uses = uses_of_hold(transaction, row.hold_id)
            unhold(transaction, uses)
            transaction.execute("UPDATE holds SET state = 'released' WHERE hold_id = ?", (row.hold_id,))
            body = ReleaseBody(hold_id=row.hold_id, member_id=row.member_id, reason=self.request.reason)
            transaction.append("release", body, grants=uses)
        return _hold(row)


def check_reward(connection: PinnedConnection, request: HoldRequest) -> tuple[Programme, RewardOffer]:
    """Return programme and offer for a hold. Raises RewardUnavailable, InsufficientPoints."""
    programme = current_programme(connection)
    if programme is None or programme.reward(request.reward_id) is None:
        raise RewardUnavailable(f"the programme has no reward {request.reward_id}: take one of the quote's rewards")
    view = member_view(connection, request.member_id)
    offers = reward_offers(programme, request.basket, None if view is None else view.balance)
    offer = next(offer for offer in offers if offer.reward_id == request.reward_id)
    if not 1 <= request.count <= offer.count_max:
        reason = offer.reason or f"it can be taken {offer.count_max} times, not {request.count}"
        short = view is not None and view.balance < offer.points
        raise (InsufficientPoints if short else RewardUnavailable)(f"reward {request.reward_id}: {reason}")
    return programme, offer


def find_hold(connection: PinnedConnection, hold_id: str) -> Any:
    """Return the hold's row, or None."""
    return connection.exec_driver_sql("SELECT * FROM holds WHERE hold_id = ?", (hold_id,)).one_or_none()


def open_holds(connection: PinnedConnection, context: Context) -> tuple[Hold, ...]:
    """Return the open holds of a register, oldest first: what a POS has to spend or release after a crash."""
    rows = connection.exec_driver_sql(
        "SELECT * FROM holds WHERE state = 'open' AND store = ? AND register = ? ORDER BY created_at LIMIT ?",
        (context.store, context.register, OPEN_HOLDS_MAX),
    )
    return tuple(_hold(row) for row in rows)


def _hold(row: Any) -> Hold:
    return Hold(
        hold_id=row.hold_id,
        member_id=row.member_id,
        reward_id=row.reward_id,
        count=row.count,
        points=row.points,
        discount_minor=row.discount_minor,
        store=row.store,
        register=row.register,
        created_at=datetime.fromisoformat(row.created_at),
    )


def _same_hold(request: HoldRequest, row: Any) -> Hold:
    if (row.member_id, row.reward_id, row.count) != (request.member_id, request.reward_id, request.count):
        raise Conflict(f"redemption id {request.redemption_id} is taken by another hold: make a new one")
    if row.state != "open":
        raise HoldNotOpen(f"hold {row.hold_id} is already {row.state}: make a new one")
    return _hold(row)


def _check_caps(transaction: Transaction, programme: Programme, member_id: str, points: int, since: str | None) -> None:
    """Check the caps of offline redemption. Raises OfflineCapExceeded."""
    caps = programme.offline
    if since is None:
        raise OfflineCapExceeded("this till never reached central: nothing can be redeemed before it has")
    hours = timedelta(hours=caps.hours_since_contact_max)
    # A clock that was set back far makes the last contact lie in the future; how long ago it was is then not known.
    if abs(transaction.host.now() - datetime.fromisoformat(since)) > hours:
        raise OfflineCapExceeded(
            f"central was last reached at {since}, more than {caps.hours_since_contact_max} hours ago: "
            "redeem again when it can be reached"
        )
    if points > caps.points_per_sale_max:
        raise OfflineCapExceeded(f"without central a sale redeems at most {caps.points_per_sale_max} points")
    row = transaction.execute(
        "SELECT count(*) AS redemptions, coalesce(sum(points), 0) AS points FROM holds"
        " WHERE member_id = ? AND offline_since = ? AND state <> 'released'",
        (member_id, since),
    ).one()
    if row.points + points > caps.points_per_member_max or row.redemptions + 1 > caps.redemptions_per_member_max:
        raise OfflineCapExceeded(
            f"without central a member redeems at most {caps.points_per_member_max} points "
            f"in {caps.redemptions_per_member_max} redemptions here: redeem again when central can be reached"
        )
