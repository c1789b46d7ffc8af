"""What the agent does for a POS, call by call: asks central where that is worth the wait, and always answers without.

Recording goes through the writer and returns after the commit; reading uses connections of its own. No HTTP here.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import CurrencyMismatch, LoyaltyError, OutcomeUnknown, ScanUnreadable
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
from loyalty_sdk.model import Hold, Member, Quote, Reversal, Sale
from loyalty_sdk.protocol import GrantRequest, IdentifyRequest, MemberAnswer
from loyalty_sdk.rules import points_earned, reward_offers
from sync.answers import StoreMember
from sync.central import CentralFailure
from sync.grants import free_points
from sync.holds import CreateHold, ReleaseHold, check_reward, find_hold, open_holds
from sync.host import Host
from sync.identity import Identity
from sync.replica import MemberView, alias_digest, current_programme, member_by_alias, member_view
from sync.reversals import RecordReversal
from sync.sales import RecordSale, request_digest
from sync.store import Store
from sync.writer import Writer
from terminal_agent.central_line import CentralLine, is_refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sync.transaction import Transaction

    T = TypeVar("T")

__all__ = ["Service"]

ALIAS_LENGTH_MAX = 128

_log = logging.getLogger(__name__)


class Service:
    """The calls of the local API on the real journal."""

    def __init__(self, *, store: Store, writer: Writer, central: CentralLine, identity: Identity, host: Host) -> None:
        self._store = store
        self._writer = writer
        self._central = central
        self._identity = identity
        self._host = host

    async def identify(self, call: IdentifyCall) -> Member:
        """Resolve a scanned or keyed code. Raises ScanUnreadable."""
        alias = clean_alias(call.data)
        digest = alias_digest(self._identity, alias)
        try:
            question = IdentifyRequest(alias=alias, journal=self._store.journal, grant_ahead=not call.context.training)
            answer = await self._central.identify(question)
        except CentralFailure as error:
            if is_refusal(error, "alias-unknown"):
                return _unknown(alias)
            _log.info("identify without central: %s", error)
            return self._identify_here(alias, digest)
        if not await self._keep(StoreMember(answer=answer, alias_digest=digest, journal=question.journal)):
            return _member_of_answer(answer)
        return self._known(answer.snapshot.member_id, online=True)

    async def quote(self, request: QuoteRequest) -> Quote:
        """Work out what a basket earns and what may be redeemed. Raises CurrencyMismatch."""
        with self._store.reading() as connection:
            programme = current_programme(connection)
            view = None if request.member_id is None else member_view(connection, request.member_id)
        if programme is not None and programme.currency != request.basket.currency:
            raise CurrencyMismatch(
                f"the basket is in {request.basket.currency}, the programme counts in {programme.currency}: "
                "quote in the programme's currency"
            )
        balance = None if view is None else view.balance
        return Quote(
            basket=request.basket,
            member_id=request.member_id,
            points_earned=0 if programme is None else points_earned(programme, request.basket),
            rewards=() if programme is None else reward_offers(programme, request.basket, balance),
            programme_version=None if programme is None else programme.version,
            snapshot_revision=None if view is None else view.revision,
            balance=balance,
            as_of=None if view is None else view.as_of,
        )

    async def hold(self, request: HoldRequest) -> Hold:
        """Earmark points for a reward: of an exact grant while central answers, else of one granted ahead."""
        online = await self._fetch_grant(request)
        return await self._write(CreateHold(request=request, online=online))

    async def release(self, request: ReleaseRequest) -> Hold:
        """End a hold without a sale."""
        return await self._write(ReleaseHold(request=request))

    async def open_holds(self, request: OpenHoldsRequest) -> OpenHolds:
        """List what a register has to spend or release."""
        with self._store.reading() as connection:
            return OpenHolds(holds=open_holds(connection, request.context))

    async def record_sale(self, request: SaleRequest) -> Sale:
        """Record a sale durably."""
        entry_id = self._host.new_id()
        command = RecordSale(
            request=request,
            digest=request_digest(self._identity, request),
            entry_id=entry_id,
            sealed=self._seal(request.member_id, request.alias, entry_id),
        )
        return await self._write(command)

    async def reverse_sale(self, request: ReversalRequest) -> Reversal:
        """Record a reversal durably."""
        entry_id = self._host.new_id()
        command = RecordReversal(
            request=request,
            digest=request_digest(self._identity, request),
            entry_id=entry_id,
            sealed=self._seal(request.member_id, request.alias, entry_id),
        )
        return await self._write(command)

    async def _fetch_grant(self, request: HoldRequest) -> bool:
        """Ask central for an exact grant; False where it did not answer."""
        with self._store.reading() as connection:
            if find_hold(connection, request.redemption_id) is not None:
                return True
            _, offer = check_reward(connection, request)
            free = free_points(connection, request.member_id, self._host.now())
        points = offer.points * request.count
        question = GrantRequest(
            redemption_id=request.redemption_id,
            member_id=request.member_id,
            journal=self._store.journal,
            points=points,
            points_min=max(1, points - free),
        )
        try:
            answer = await self._central.grant(question)
        except CentralFailure as error:
            _log.info("no exact grant: %s", error)
            return is_refusal(error, "insufficient-points")
        return await self._keep(
            StoreMember(answer=answer, redemption_id=request.redemption_id, journal=question.journal)
        )

    def _identify_here(self, alias: str, digest: bytes) -> Member:
        with self._store.reading() as connection:
            member_id = member_by_alias(connection, digest)
        return _unconfirmed(alias) if member_id is None else self._known(member_id, online=False)

    def _known(self, member_id: str, *, online: bool) -> Member:
        with self._store.reading() as connection:
            view = member_view(connection, member_id)
        if view is None:
            return Member(state="known", message="the balance is not known here yet", member_id=member_id)
        return _member(view, online=online)

    def _seal(self, member_id: str | None, alias: str | None, entry_id: str) -> bytes | None:
        if member_id is not None or alias is None:
            return None
        return self._identity.seal(dumps({"alias": clean_alias(alias)}), entry_id)

    async def _keep(self, command: StoreMember) -> bool:
        """Keep an answer of central; False where the journal takes nothing or the answer does not fit (Law 11)."""
        try:
            await self._write(command)
        except OutcomeUnknown as error:
            # The store has said why; where a new journal was begun, the answer is about the one before.
            _log.warning("an answer of central was not kept: %s", error)
            return False
        except (LoyaltyError, SQLAlchemyError) as error:
            _log.error("an answer of central could not be kept: %s", error)
            return False
        return True

    async def _write(self, command: Callable[[Transaction], T]) -> T:
        return await asyncio.wrap_future(self._writer.submit(command))


def clean_alias(data: str) -> str:
    """Return the code as it is looked up. Raises ScanUnreadable."""
    alias = data.strip()
    if not 1 <= len(alias) <= ALIAS_LENGTH_MAX or not alias.isprintable():
        raise ScanUnreadable("the code is empty, too long or not printable: scan it again, or key it in")
    return alias


def _member(view: MemberView, *, online: bool) -> Member:
    if online:
        message = f"{view.balance} points"
    else:
        message = f"{view.balance} points as of {view.as_of.isoformat(timespec='minutes')}; central is not reached"
    return Member(
        state="known",
        message=message,
        member_id=view.member_id,
        name_masked=view.name_masked,
        tier=view.tier,
        balance=view.balance,
        as_of=view.as_of,
        snapshot_revision=view.revision,
        online=online,
    )


def _member_of_answer(answer: MemberAnswer) -> Member:
    """What central said of a member, where it could not be kept here."""
    snapshot = answer.snapshot
    return Member(
        state="known",
        message=f"{snapshot.balance} points at central",
        member_id=snapshot.member_id,
        name_masked=snapshot.name_masked,
        tier=snapshot.tier,
        balance=snapshot.balance,
        as_of=snapshot.as_of,
        snapshot_revision=snapshot.revision,
        online=True,
    )


def _unknown(alias: str) -> Member:
    message = "central knows no such card: check the code, or enrol the card; the sale can be recorded with it"
    return Member(state="unknown", message=message, alias=alias, online=True)


def _unconfirmed(alias: str) -> Member:
    message = "the card was not seen here before and central is not reached: the sale earns once it is confirmed"
    return Member(state="unconfirmed", message=message, alias=alias)
