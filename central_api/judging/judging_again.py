"""Judges every entry of a tenant once more, in a scratch database.

It begins with what cannot have been miscounted: the bytes of the entries, the programme's versions, and the decisions
of central (members, grants, which member an alias is, which entry was first with a receipt). Grants are set aside
before anything is judged, the member owing what is not earned yet: by Law 7 the same entries and decisions give the
same figures in whatever order. Entries come in the order in which they were judged last, since one return takes what
another leaves. Nothing is written to the database that is verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, Tuple, select, tuple_

from central_api.capabilities import Capabilities
from central_api.judging.reading import read_entry
from central_api.judging.sitting import Sitting
from central_api.ledger.books import GRANT_COLUMNS, Books
from central_api.ledger.fold import Debit
from central_api.ledger.records import EntryRow, Grant, JudgingFailed, Place
from central_api.storage.schema import (
    aliases,
    attachments,
    entries,
    grants,
    journals,
    members,
    programmes,
    receipts,
    tenants,
    terminals,
)
from central_api.storage.schema_office import activations, merges
from central_api.storage.statements import insert_missing, insert_rows

__all__ = ["Scratch"]

ROWS_AT_ONCE = 500
FAILED = "judging-failed"


class Scratch:
    """A second ledger of one tenant: `take` fills it from the one that is verified, `judge_all` judges."""

    def __init__(self, found: Connection, scratch: Connection, capabilities: Capabilities, tenant: str) -> None:
        self._found = found
        self._capabilities = capabilities
        self._tenant = tenant
        self._set_aside: set[Place] = set()
        self.connection = scratch

    def take(self) -> None:
        """Copy the decisions of central, and set aside what it granted."""
        for table in (tenants, programmes, activations, terminals, members, merges, journals, aliases, receipts):
            self._copy(table)
        for rows in self.pages(self._found, grants):
            self._set_grants_aside(rows)

    def judge_all(self, advance: Callable[[int], None]) -> None:
        """Judge every entry; `advance` hears how many are done."""
        done = 0
        for rows in self._sittings():
            self._set_aside |= {(row.terminal, row.journal, row.seq) for row in rows if row.reason == FAILED}
            self._judge(rows)
            done += len(rows)
            advance(done)

    def _judge(self, rows: Sequence[Row[Any]]) -> None:
        """A judge that breaks over an entry breaks off the sitting; it sits again with that entry set aside."""
        while True:
            sitting = Sitting(self.connection, self._capabilities, self._tenant, self._set_aside)
            try:
                sitting.judge_new(self._to_judge(rows))
            except JudgingFailed as failure:
                self._set_aside.add(failure.place)
            else:
                sitting.write()
                return

    def _to_judge(self, rows: Sequence[Row[Any]]) -> list[EntryRow]:
        found = [self._entry_row(row) for row in rows]
        named = {one.alias_digest: row.member_id for one, row in zip(found, rows, strict=True) if _knows(one, row)}
        insert_missing(self.connection, aliases, [self._alias(*item) for item in named.items()])
        return found

    def _entry_row(self, row: Row[Any]) -> EntryRow:
        """An entry as it arrived. An attachment that was sealed anew for its member is not opened: it says who."""
        opened = row.attachment_of is not None
        made = EntryRow(
            terminal=row.terminal,
            journal=row.journal,
            seq=row.seq,
            data=row.bytes,
            hash=row.hash,
            received_at=row.received_at,
            effective_at=row.received_at,
            sealed=None if opened else row.sealed,
        )
        read_entry(made, self._capabilities.keys, self._tenant)
        if made.entry is not None and row.member_id is not None and made.entry.attachment_hash is not None:
            made.alias_digest = f"member {row.member_id}"
        if made.entry is not None and row.reason == "attachment-differs":
            made.unfit = row.reason
        made.is_duplicate = made.entry is not None and row.id is None and not made.unfit
        return made

    def _alias(self, digest: str | None, member_id: str) -> dict[str, Any]:
        return {
            "tenant": self._tenant,
            "digest": digest,
            "sealed": b"",
            "kind": "verified",
            "member_id": member_id,
        }

    def _sittings(self) -> Iterator[list[Row[Any]]]:
        """Entries with their attachments, as they sat: in order, or by upload where a release judged that told none."""
        arrival = (entries.c.received_at, entries.c.terminal, entries.c.journal)
        attached = (attachments.c.tenant == entries.c.tenant) & (attachments.c.entry_id == entries.c.id)
        query = (
            select(entries, attachments.c.sealed, attachments.c.member_id.label("attachment_of"))
            .join_from(entries, attachments, attached, isouter=True)
            .where(entries.c.tenant == self._tenant)
            .order_by(entries.c.sitting, entries.c.turn, *arrival, entries.c.seq)
            .execution_options(yield_per=ROWS_AT_ONCE)
        )
        for _, rows in groupby(self._found.execute(query), key=_sitting_of):
            yield list(rows)

    def _set_grants_aside(self, rows: Sequence[Row[Any]]) -> None:
        books = Books(self.connection, self._tenant, self._capabilities.now())
        books.accounts.fetch(row.member_id for row in rows)
        for row in rows:
            held: Mapping[str, Any] = {name: getattr(row, name) for name in GRANT_COLUMNS}
            grant = Grant(**{**held, "spent": 0, "released": 0, "overdrawn": 0, "state": "open"})
            account = books.accounts.get(grant.member_id)
            if account is None:
                raise ValueError(f"grant {grant.grant_id} belongs to no member")
            books.grant_changed(grant)
            movements = account.recover(grant.terminal, grant.points)
            books.accounts.take(grant.member_id, Debit(grant.grant_id, grant.points, grant.issued_at), "grant")
            books.book(
                grant.member_id,
                movements,
                terminal=grant.terminal,
                effective_at=grant.issued_at,
                reason="granted",
                grant_id=grant.grant_id,
            )
        books.write()

    def _copy(self, table: Table) -> None:
        for rows in self.pages(self._found, table):
            insert_rows(self.connection, table, [dict(row._mapping) for row in rows])

    def pages(self, connection: Connection, table: Table) -> Iterator[list[Row[Any]]]:
        """Give a table's rows of this tenant, in either database, page by page in the order of its primary key."""
        order = [column for column in table.primary_key.columns if column.name != "tenant"] or [table.c.tenant]
        query = select(table).where(table.c.tenant == self._tenant).order_by(*order).limit(ROWS_AT_ONCE)
        last: Any = None
        while rows := list(connection.execute(query if last is None else query.where(tuple_(*order) > last))):
            yield rows
            if len(rows) < ROWS_AT_ONCE:
                return
            last = _place_of(rows[-1], order)


def _place_of(row: Row[Any], order: Sequence[Column[Any]]) -> Tuple:
    return tuple_(*(getattr(row, column.name) for column in order), types=[column.type for column in order])


def _sitting_of(row: Row[Any]) -> tuple[Any, ...]:
    return (row.sitting,) if row.sitting else (0, row.received_at, row.terminal, row.journal)


def _knows(one: EntryRow, row: Row[Any]) -> bool:
    """Whether central found the member of an entry by its alias."""
    return one.alias_digest is not None and one.alias_digest.startswith("member ") and row.member_id is not None
