"""Counting an X or Z report from the journal: reads, and decides nothing.

The receipts table names every receipt of a business date for ever, by a digest of its key; register and amounts stand
in the entries alone, which leave the journal after its retention. So what is missing can be counted, but not be told
apart by register: a report says how many receipts of the date it could not see.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date

from loyalty_sdk.envelope import Entry, ReversalBody, SaleBody, decode_entry
from sync.statements import PinnedConnection

__all__ = ["Counted", "count"]

_OF_DATE = (
    "SELECT r.entry_id, e.bytes FROM receipts r LEFT JOIN entries e ON e.seq = r.seq WHERE r.key >= ? AND r.key < ?"
)


@dataclass(slots=True, kw_only=True)
class Counted:
    """The sums of one register and date; `entry_ids` are the receipts in them. Fields are those of `Report`."""

    entry_ids: list[bytes] = field(default_factory=list)
    member_ids: set[str] = field(default_factory=set)
    currency: str | None = None
    sales: int = 0
    sales_minor: int = 0
    member_sales: int = 0
    reversals: int = 0
    reversed_minor: int = 0
    points_earned: int = 0
    points_pending: int = 0
    points_redeemed: int = 0
    discount_minor: int = 0
    points_taken_back: int = 0
    points_given_back: int = 0
    receipts_missing: int = 0
    reversals_unvalued: int = 0
    other_currency: int = 0

    def add(self, entry: Entry) -> None:
        """Count a sale or a reversal."""
        self.entry_ids.append(uuid.UUID(entry.id).bytes)
        if isinstance(entry.body, SaleBody):
            self._add_sale(entry.body, pending=entry.attachment_hash is not None)
        elif isinstance(entry.body, ReversalBody):
            self._add_reversal(entry.body)

    def _add_sale(self, sale: SaleBody, *, pending: bool) -> None:
        discount = 0 if sale.redemption is None else sale.redemption.discount_minor
        self.sales += 1
        if self._is_ours(sale.basket.currency):
            self.sales_minor += sale.basket.total_minor - discount + sale.rounding_minor
            self.discount_minor += discount
        if sale.member_id is not None:
            self.member_sales += 1
            self.member_ids.add(sale.member_id)
            self.points_earned += sale.points_earned
            self.points_redeemed += 0 if sale.redemption is None else sale.redemption.points
        elif pending:
            self.points_pending += sale.points_earned

    def _add_reversal(self, reversal: ReversalBody) -> None:
        self.reversals += 1
        if reversal.basket is None or self._is_ours(reversal.basket.currency):
            self.reversed_minor += sum(tender.amount_minor for tender in reversal.tenders)
        if reversal.points_debited is None or reversal.points_credited is None:
            self.reversals_unvalued += 1
        elif reversal.member_id is not None:
            self.points_taken_back += reversal.points_debited
            self.points_given_back += reversal.points_credited

    def _is_ours(self, currency: str) -> bool:
        self.currency = self.currency or currency
        self.other_currency += currency != self.currency
        return currency == self.currency


def count(
    connection: PinnedConnection,
    *,
    store: str,
    register: str,
    business_date: date,
    currency: str | None,
    closed: Collection[bytes],
) -> Counted:
    """Count the receipts of a register and date that no Z report contains yet (`closed`, by entry id)."""
    counted = Counted(currency=currency)
    for entry_id, data in _rows(connection, business_date):
        if entry_id in closed:
            continue
        if data is None:
            counted.receipts_missing += 1
            continue
        entry = decode_entry(data)
        key = entry.receipt_key
        if key is not None and (key.store, key.register, key.business_date) == (store, register, business_date):
            counted.add(entry)
    return counted


def _rows(connection: PinnedConnection, business_date: date) -> Iterable[tuple[bytes, bytes | None]]:
    """Every receipt of a date, of all registers; the key begins with the date's ordinal (`sync.journal`)."""
    ordinal = business_date.toordinal()
    bounds = tuple(day.to_bytes(3, "big") for day in (ordinal, ordinal + 1))
    return ((row.entry_id, row.bytes) for row in connection.exec_driver_sql(_OF_DATE, bounds))
