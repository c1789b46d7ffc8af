"""The ledger's unit of work: loads what a transaction needs, keeps it in memory, writes it with few statements.

Entries are judged one after the other against what the books hold, so that each sees what those before it booked; then
`write` sends each table once. It decides nothing: see `central_api.judging.judgement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, select

from central_api.ledger.accounts import Movement
from central_api.ledger.awaited import waits_for_alias, waits_for_receipt
from central_api.ledger.member_accounts import MemberAccounts
from central_api.ledger.records import EntryRow, Grant, GrantUsed, Sale
from central_api.ledger.settling import Booking
from central_api.ledger.totals import note_transfers
from central_api.programmes.versions import programmes_loaded
from central_api.storage.locks import lock_bells, lock_members, lock_sales, locks_rows
from central_api.storage.schema import (
    aliases,
    entries,
    grant_uses,
    grants,
    interest,
    receipts,
    returned_lines,
    sales,
    transfers,
)
from central_api.storage.shelf import Shelf
from central_api.storage.statements import (
    among,
    among_keys,
    given,
    insert_missing,
    insert_rows,
    select_rows,
    upsert_rows,
)
from loyalty_sdk.envelope import Entry, decode_entry
from loyalty_sdk.model import ReceiptKey
from loyalty_sdk.programme import Programme

__all__ = ["Books"]

# What happens to a grant while entries are judged; a recall, which locks no member, is left as it is.
GRANT_FIGURES = ("spent", "released", "overdrawn", "state")
GRANT_COLUMNS = tuple(field.name for field in fields(Grant))
SALE_COLUMNS = tuple(field.name for field in fields(Sale) if field.name != "returned")
RECEIPT_COLUMNS = ("store", "register", "business_date", "series", "number")


_GRANTS = select(*(grants.c[name] for name in GRANT_COLUMNS)).where(given(grants.c.tenant), among(grants.c.grant_id))
_SALES = select(*(sales.c[name] for name in SALE_COLUMNS)).where(given(sales.c.tenant), among(sales.c.entry_id))
_BUYERS = select(sales.c.entry_id, sales.c.member_id).where(given(sales.c.tenant), among(sales.c.entry_id))
_RETURNED_LINES = select(returned_lines).where(given(returned_lines.c.tenant), among(returned_lines.c.sale_id))
_GRANT_USES = (
    select(grant_uses).where(given(grant_uses.c.tenant), among(grant_uses.c.entry_id)).order_by(grant_uses.c.grant_id)
)
_RECEIPTS = select(*(receipts.c[name] for name in RECEIPT_COLUMNS), receipts.c.entry_id).where(
    given(receipts.c.tenant),
    among_keys("receipts", *(receipts.c[name] for name in RECEIPT_COLUMNS)),
)
_ALIASES = select(aliases.c.digest, aliases.c.member_id).where(given(aliases.c.tenant), among(aliases.c.digest))
_ENTRIES = select(entries.c.id, entries.c.bytes).where(given(entries.c.tenant), among(entries.c.id))


class Books:
    """The books of one tenant in one transaction. `recorded_at` is the time that its transfers get."""

    def __init__(self, connection: Connection, tenant: str, recorded_at: datetime) -> None:
        self.connection = connection
        self.tenant = tenant
        self.recorded_at = recorded_at
        self.accounts = MemberAccounts(
            connection, tenant, recorded_at, lock=self._lock_members, book=self._book_settled
        )
        self.grants: Shelf[str, Grant] = Shelf(self._load_grants)
        self.sales: Shelf[str, Sale] = Shelf(self._load_sales)
        self.grant_uses: Shelf[str, tuple[GrantUsed, ...]] = Shelf(self._load_grant_uses)
        self.receipts: Shelf[ReceiptKey, str] = Shelf(self._load_receipts)
        self.aliases: Shelf[str, str] = Shelf(self._load_aliases)
        self.entries: Shelf[str, Entry] = Shelf(self._load_entries)
        self.programmes: Shelf[int, Programme] = Shelf(
            lambda versions: programmes_loaded(connection, tenant, versions, recorded_at)
        )
        self._locked: set[str] = set()
        self._touched: set[str] = set()
        self._transfers: list[dict[str, Any]] = []
        self._numbers: dict[str, int] = {}
        self._grants_changed: set[str] = set()
        self._sales_changed: set[str] = set()
        self._interest: set[tuple[str, str]] = set()
        self._new_receipts: dict[ReceiptKey, str] = {}
        self._new_uses: set[str] = set()

    def book(
        self,
        member_id: str,
        movements: Iterable[Movement],
        *,
        terminal: str,
        effective_at: datetime,
        reason: str,
        entry_id: str | None = None,
        grant_id: str | None = None,
        cause: str = "",
    ) -> None:
        """Keep movements as transfers; their ids come from what caused them, so that nothing can be booked twice."""
        cause = cause or entry_id or grant_id or ""
        self._touched.add(member_id)
        for movement in movements:
            self._numbers[cause] = self._numbers.get(cause, 0) + 1
            self._transfers.append(
                {
                    "tenant": self.tenant,
                    "id": f"{cause}/{self._numbers[cause]}",
                    "member_id": member_id,
                    "from_account": movement.source,
                    "to_account": movement.target,
                    "points": movement.points,
                    "entry_id": entry_id,
                    "grant_id": grant_id,
                    "terminal": terminal,
                    "effective_at": effective_at,
                    "recorded_at": self.recorded_at,
                    "reason": reason,
                }
            )

    def grant_changed(self, grant: Grant) -> None:
        """Keep a grant that is new or changed."""
        self.grants.put(grant.grant_id, grant)
        self._grants_changed.add(grant.grant_id)

    def sale_changed(self, sale: Sale) -> None:
        """Keep a sale that is new or changed."""
        self.sales.put(sale.entry_id, sale)
        self._sales_changed.add(sale.entry_id)

    def grants_used(self, entry_id: str, uses: tuple[GrantUsed, ...]) -> None:
        """Keep how a sale used its grants."""
        self.grant_uses.put(entry_id, uses)
        self._new_uses.add(entry_id)

    def claim_receipt(self, key: ReceiptKey, entry_id: str) -> None:
        """Give a receipt key to an entry for ever."""
        self.receipts.put(key, entry_id)
        self._new_receipts[key] = entry_id

    def wants(self, member_id: str, terminal: str) -> None:
        """Note that a terminal is to hear of a member."""
        self._interest.add((member_id, terminal))

    def fetch(self, rows: Sequence[EntryRow]) -> None:
        """Lock and load what judging these entries needs, a query for each table instead of one for each entry."""
        read = [row.entry for row in rows if row.entry is not None]
        if locks_rows(self.connection):
            self._lock(rows, read)
        self.programmes.fetch(entry.programme_version for entry in read if entry.programme_version is not None)
        self.aliases.fetch(row.alias_digest for row in rows if row.alias_digest is not None)
        originals = [original for entry in read if (original := getattr(entry.body, "original", None)) is not None]
        self.receipts.fetch([*(entry.receipt_key for entry in read if entry.receipt_key), *originals])
        sold = [sale_id for original in originals if (sale_id := self.receipts.get(original)) is not None]
        self.sales.fetch(sold)
        self.entries.fetch(sold)
        self.grant_uses.fetch(sold)
        self.grants.fetch([use.grant_id for entry in read for use in entry.grants])
        self.accounts.fetch([*_members_named(read), *self._members_found(rows, sold)])
        self.accounts.facts.lots.fetch(
            (sale.member_id, key) for key in sold if (sale := self.sales.get(key)) is not None and sale.member_id
        )

    def _lock(self, rows: Sequence[EntryRow], read: Sequence[Entry]) -> None:
        """Lock the members, the sales that come back, and the bells of what has not arrived."""
        digests = {row.alias_digest for row in rows if row.alias_digest is not None}
        originals = {original for entry in read if (original := getattr(entry.body, "original", None)) is not None}
        known, sold = self._load_aliases(list(digests)), self._sales_of(originals)
        missing = [waits_for_alias(digest) for digest in digests - known.keys()]
        missing += [waits_for_receipt(key) for key in originals - sold.keys()]
        if missing:
            lock_bells(self.connection, self.tenant, missing, waits=True)
            known, sold = self._load_aliases(list(digests)), self._sales_of(originals)
        buyers = (member_id for _, member_id in sold.values() if member_id is not None)
        self._lock_members([*_members_named(read), *known.values(), *buyers])
        lock_sales(self.connection, self.tenant, (entry_id for entry_id, _ in sold.values()))

    def _lock_members(self, member_ids: Iterable[str]) -> None:
        missing = set(member_ids) - self._locked
        lock_members(self.connection, self.tenant, missing)
        self._locked |= missing

    def write(self) -> None:
        """Send everything to the database, and what changed to the feed."""
        self.accounts.write_facts()
        rows = [self._row(member_id=member_id, terminal=terminal) for member_id, terminal in sorted(self._interest)]
        insert_missing(self.connection, interest, rows)
        self.accounts.write(self._touched, {member_id for member_id, _ in self._interest})
        self._write_grants()
        self._write_sales()
        insert_rows(self.connection, receipts, [self._receipt_row(*item) for item in self._new_receipts.items()])
        insert_rows(self.connection, transfers, self._transfers)
        note_transfers(self.connection, self._transfers)

    def _book_settled(self, member_id: str, booking: Booking) -> None:
        self.book(
            member_id,
            booking.movements,
            terminal="",
            effective_at=booking.effective_at,
            reason=booking.reason,
            cause=booking.cause,
        )

    def _write_grants(self) -> None:
        changed = [grant for key in sorted(self._grants_changed) if (grant := self.grants.get(key))]
        rows = [self._row(**{name: getattr(grant, name) for name in GRANT_COLUMNS}) for grant in changed]
        upsert_rows(self.connection, grants, rows, changing=GRANT_FIGURES)

    def _write_sales(self) -> None:
        changed = [sale for key in sorted(self._sales_changed) if (sale := self.sales.get(key))]
        rows = [self._row(**{name: getattr(sale, name) for name in SALE_COLUMNS}) for sale in changed]
        upsert_rows(self.connection, sales, rows)
        lines = [
            self._row(sale_id=sale.entry_id, line=line, quantity=str(quantity))
            for sale in changed
            for line, quantity in sale.returned.items()
        ]
        upsert_rows(self.connection, returned_lines, lines)
        uses = [
            self._row(entry_id=key, grant_id=use.grant_id, points=use.points, overdrawn=use.overdrawn)
            for key in sorted(self._new_uses)
            for use in self.grant_uses.get(key) or ()
        ]
        upsert_rows(self.connection, grant_uses, uses)

    def _row(self, **values: Any) -> dict[str, Any]:
        return {"tenant": self.tenant, **values}

    def _receipt_row(self, key: ReceiptKey, entry_id: str) -> dict[str, Any]:
        return self._row(
            store=key.store,
            register=key.register,
            business_date=key.business_date.isoformat(),
            series=key.series,
            number=key.number,
            entry_id=entry_id,
        )

    def _members_found(self, rows: Sequence[EntryRow], sold: Sequence[str]) -> list[str]:
        by_alias = [self.aliases.get(row.alias_digest) for row in rows if row.alias_digest is not None]
        by_sale = [sale.member_id for key in sold if (sale := self.sales.get(key)) is not None]
        return [member_id for member_id in (*by_alias, *by_sale) if member_id is not None]

    def _load_grants(self, grant_ids: Sequence[str]) -> Mapping[str, Grant]:
        return {row.grant_id: Grant(**row._asdict()) for row in self._rows(_GRANTS, grant_id=grant_ids)}

    def _load_sales(self, entry_ids: Sequence[str]) -> Mapping[str, Sale]:
        found = {row.entry_id: Sale(**row._asdict()) for row in self._rows(_SALES, entry_id=entry_ids)}
        if found:
            for row in self._rows(_RETURNED_LINES, sale_id=list(found)):
                found[row.sale_id].returned[row.line] = Decimal(row.quantity)
        return found

    def _load_grant_uses(self, entry_ids: Sequence[str]) -> Mapping[str, tuple[GrantUsed, ...]]:
        found: dict[str, tuple[GrantUsed, ...]] = {}
        for row in self._rows(_GRANT_USES, entry_id=entry_ids):
            use = GrantUsed(grant_id=row.grant_id, points=row.points, overdrawn=row.overdrawn)
            found[row.entry_id] = (*found.get(row.entry_id, ()), use)
        return found

    def _sales_of(self, keys: Iterable[ReceiptKey]) -> dict[ReceiptKey, tuple[str, str | None]]:
        """Entry id and member of those sales that are applied, by their receipt keys."""
        found = Shelf(self._load_receipts)
        found.fetch(keys)
        by_entry = {entry_id: key for key, entry_id in found.items()}
        rows = self._rows(_BUYERS, entry_id=list(by_entry)) if by_entry else ()
        return {by_entry[row.entry_id]: (row.entry_id, row.member_id) for row in rows}

    def _load_receipts(self, keys: Sequence[ReceiptKey]) -> Mapping[ReceiptKey, str]:
        wanted = {_receipt_values(key): key for key in keys}
        rows = self._rows(_RECEIPTS, receipts=list(wanted))
        return {wanted[(row[0], row[1], row[2], row[3], row[4])]: row.entry_id for row in rows}

    def _load_aliases(self, digests: Sequence[str]) -> Mapping[str, str]:
        return {row.digest: row.member_id for row in self._rows(_ALIASES, digest=digests)} if digests else {}

    def _load_entries(self, entry_ids: Sequence[str]) -> Mapping[str, Entry]:
        """Only entries that can be read have an id."""
        return {row.id: decode_entry(row.bytes) for row in self._rows(_ENTRIES, id=entry_ids)}

    def _rows(self, statement: Select[Any], **values: Any) -> Iterable[Any]:
        return select_rows(self.connection, statement, self._row(**values))


def _members_named(read: Sequence[Entry]) -> list[str]:
    named = (getattr(entry.body, "member_id", None) for entry in read)
    return [member_id for member_id in named if member_id is not None]


def _receipt_values(key: ReceiptKey) -> tuple[str, str, str, str, str]:
    return (key.store, key.register, key.business_date.isoformat(), key.series, key.number)
