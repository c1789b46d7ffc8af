"""Recording a reversal: void, linked return in whole or part, unlinked return.

Where the original sale is in this journal, the points are worked out here by the same rules that central uses. Where it
is not, the entry goes without points and central works them out: the shop never waits for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from loyalty_sdk.envelope import Entry, ReversalBody, SaleBody
from loyalty_sdk.errors import CurrencyMismatch, ReceiptConflict, ReversalRefused
from loyalty_sdk.local import ReversalRequest
from loyalty_sdk.model import ReceiptKey, ReturnLine, Reversal, ReversalKind
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import points_available_at, points_earned, points_returned
from sync.grants import restore_spent
from sync.journal import ReceiptRow, entry_at, find_receipt, recorded_before, remember_receipt
from sync.replica import current_programme, member_view, programme_version
from sync.sales import receipt_key_of
from sync.statements import PinnedConnection
from sync.transaction import Transaction

__all__ = ["RecordReversal", "reversal_of_entry"]

Quantities = Mapping[int, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """The points of a reversal, the member they belong to and the programme version that they come from."""

    debited: int | None
    credited: int | None
    member_id: str | None
    programme_version: int | None
    pending: bool = False

    @property
    def net(self) -> int:
        if self.member_id is None or self.debited is None or self.credited is None:
            return 0
        return self.credited - self.debited

    @property
    def effect(self) -> int:
        """What the reversal does to the member's balance, of which pending points are no part."""
        return self.net + (self.debited or 0) if self.member_id is not None and self.pending else self.net


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReversal:
    """Command: record a reversal. `sealed` is the attachment of an unknown alias, sealed for `entry_id`."""

    request: ReversalRequest
    digest: bytes
    entry_id: str
    sealed: bytes | None = None

    def __call__(self, transaction: Transaction) -> Reversal:
        """Return the reversal, or the earlier recording of the same request. Raises ReversalRefused, Conflict."""
        key = receipt_key_of(self.request)
        earlier = recorded_before(transaction, key, self.digest)
        if earlier is not None:
            return self._recorded(transaction, earlier, key)
        original = self._original(transaction)
        if original is None:
            points, lines = self._unlinked_points(transaction), self.request.lines
        else:
            points, lines = self._linked_points(transaction, original)
        kind = self._kind(transaction, original)
        entry = self._append(transaction, key, kind, points, lines)
        if original is not None:
            transaction.execute("INSERT INTO reversals VALUES (?, ?)", (original.seq, entry.seq))
            if kind == "void":
                restore_spent(transaction, original.grants)
        credited = points.credited or 0
        remember_receipt(transaction, key, self.digest, entry, points=points.net, points_redeemed=credited)
        return reversal_of_entry(transaction.connection, entry)

    def _recorded(self, transaction: Transaction, earlier: ReceiptRow, key: ReceiptKey) -> Reversal:
        """Answer a retry with the recorded reversal; once its entry was pruned, from what is kept for ever."""
        entry = entry_at(transaction.connection, earlier.seq)
        if entry is not None and isinstance(entry.body, ReversalBody):
            return reversal_of_entry(transaction.connection, entry, recorded_before=True)
        if entry is not None:
            raise ReceiptConflict(
                f"receipt {key} is already recorded as entry {earlier.entry_id}, which is no reversal"
            )
        return Reversal(
            entry_id=earlier.entry_id,
            receipt=key,
            kind=self.request.kind,
            member_id=self.request.member_id,
            points_debited=earlier.points_redeemed - earlier.points,
            points_credited=earlier.points_redeemed,
            balance=None,
            as_of=None,
            recorded_before=True,
        )

    def _kind(self, transaction: Transaction, original: Entry | None) -> ReversalKind:
        """Make a void of a sale that was taken over from a damaged journal a full return.

        Central may know that sale in the journal before, and a void undoes grants in its own journal only.
        """
        taken_over = int(transaction.meta("recorded_again_seq") or 0)
        if self.request.kind == "void" and original is not None and original.seq <= taken_over:
            return "return"
        return self.request.kind

    def _original(self, transaction: Transaction) -> Entry | None:
        """The sale that is reversed, where this journal holds it."""
        if self.request.original is None:
            return None
        row = find_receipt(transaction.connection, self.request.original)
        entry = None if row is None else entry_at(transaction.connection, row.seq)
        if entry is not None and not isinstance(entry.body, SaleBody):
            raise ReversalRefused(f"receipt {self.request.original} is no sale: name the sale's own receipt")
        return entry

    def _linked_points(self, transaction: Transaction, original: Entry) -> tuple[_Points, tuple[ReturnLine, ...]]:
        """What this return takes and gives: all that has come back with it, less what had come back before it."""
        assert isinstance(original.body, SaleBody)
        before = _returned_before(transaction, original)
        lines = _all_left(original.body, before) if self.request.lines is None else self.request.lines
        after = _returned_after(original.body, before, lines)
        if self.request.kind == "void" and before:
            raise ReversalRefused("part of this sale was returned before: return the rest instead of voiding it")
        programme = programme_version(transaction.connection, original.programme_version)
        debited = credited = 0
        nobody = original.body.member_id is None and original.attachment_hash is None
        if programme is not None and not nobody:
            redemption = original.body.redemption
            discount = 0 if redemption is None else redemption.discount_minor
            redeemed = 0 if redemption is None else redemption.points
            until_now = points_returned(programme, original.body.basket, discount, redeemed, before)
            with_this = points_returned(programme, original.body.basket, discount, redeemed, after)
            debited, credited = with_this.debited - until_now.debited, with_this.credited - until_now.credited
        points = _Points(
            debited=debited,
            credited=credited,
            member_id=original.body.member_id,
            programme_version=original.programme_version,
            pending=programme is not None and _is_pending(programme, original, self._now(transaction)),
        )
        return points, lines

    def _unlinked_points(self, transaction: Transaction) -> _Points:
        """An unlinked return takes what the rules give for its basket; for a sale not known here central decides."""
        programme = current_programme(transaction.connection)
        version = None if programme is None else programme.version
        basket = self.request.basket
        if basket is None:
            return _Points(debited=None, credited=None, member_id=None, programme_version=version)
        if programme is not None and basket.currency != programme.currency:
            raise CurrencyMismatch(f"the basket is in {basket.currency}, the programme counts in {programme.currency}")
        if any(line.quantity < 0 for line in basket.lines):
            raise ReversalRefused("what comes back in an unlinked return has positive quantities")
        debited = 0 if programme is None else points_earned(programme, basket)
        return _Points(debited=debited, credited=0, member_id=self.request.member_id, programme_version=version)

    def _now(self, transaction: Transaction) -> datetime:
        return self.request.occurred_at or transaction.host.now()

    def _append(
        self,
        transaction: Transaction,
        key: ReceiptKey,
        kind: ReversalKind,
        points: _Points,
        lines: tuple[ReturnLine, ...] | None,
    ) -> Entry:
        view = None if points.member_id is None else member_view(transaction.connection, points.member_id)
        body = ReversalBody(
            kind=kind,
            cashier=self.request.context.cashier,
            member_id=points.member_id,
            tenders=self.request.tenders,
            original=self.request.original,
            lines=lines,
            basket=self.request.basket,
            points_debited=points.debited,
            points_credited=points.credited,
        )
        return transaction.append(
            "reversal",
            body,
            entry_id=self.entry_id,
            occurred_at=self.request.occurred_at,
            receipt_key=key,
            programme_version=points.programme_version,
            snapshot_revision=None if view is None else view.revision,
            sealed=self.sealed,
            member_id=points.member_id,
            points=points.effect,
        )


def reversal_of_entry(connection: PinnedConnection, entry: Entry, *, recorded_before: bool = False) -> Reversal:
    """Return what a POS is told of a reversal entry, with the member's balance as it is now."""
    assert isinstance(entry.body, ReversalBody)
    assert entry.receipt_key is not None
    body = entry.body
    view = None if body.member_id is None else member_view(connection, body.member_id)
    anonymous = body.member_id is None and entry.attachment_hash is None and body.kind == "unlinked_return"
    return Reversal(
        entry_id=entry.id,
        receipt=entry.receipt_key,
        kind=body.kind,
        member_id=body.member_id,
        points_debited=0 if anonymous else body.points_debited,
        points_credited=0 if anonymous else body.points_credited,
        balance=None if view is None else view.balance,
        as_of=None if view is None else view.as_of,
        recorded_before=recorded_before,
    )


def _is_pending(programme: Programme, original: Entry, now: datetime) -> bool:
    """Whether what a sale earned cannot be spent yet."""
    return points_available_at(programme, original.occurred_at) > now


def _returned_before(transaction: Transaction, original: Entry) -> dict[int, Decimal]:
    """What came back of a sale so far, by line, as far as this journal knows."""
    rows = transaction.execute("SELECT seq FROM reversals WHERE original_seq = ?", (original.seq,))
    returned: dict[int, Decimal] = {}
    for row in rows:
        entry = entry_at(transaction.connection, row.seq)
        lines = entry.body.lines if entry is not None and isinstance(entry.body, ReversalBody) else None
        for line in lines or ():
            returned[line.line] = returned.get(line.line, Decimal(0)) + line.quantity
    return returned


def _all_left(sale: SaleBody, before: Quantities) -> tuple[ReturnLine, ...]:
    left = (
        (number, line.quantity - before.get(number, Decimal(0)))
        for number, line in enumerate(sale.basket.lines, start=1)
    )
    lines = tuple(ReturnLine(line=number, quantity=quantity) for number, quantity in left if quantity > 0)
    if not lines:
        raise ReversalRefused("nothing of this sale is left to return: it was reversed before")
    return lines


def _returned_after(sale: SaleBody, before: Quantities, lines: tuple[ReturnLine, ...]) -> dict[int, Decimal]:
    """What has come back with these lines. Raises ReversalRefused where it is more than was sold."""
    after = dict(before)
    for line in lines:
        if line.line > len(sale.basket.lines):
            raise ReversalRefused(f"the sale has {len(sale.basket.lines)} lines, there is no line {line.line}")
        sold = sale.basket.lines[line.line - 1].quantity
        after[line.line] = after.get(line.line, Decimal(0)) + line.quantity
        if after[line.line] > sold:
            left = max(sold - before.get(line.line, Decimal(0)), Decimal(0))
            raise ReversalRefused(f"line {line.line}: {line.quantity} would come back, {left} are left of {sold} sold")
    return after
