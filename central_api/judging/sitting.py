"""One sitting of judgement: new entries in their order, and held ones again once what they waited for is there.

Each entry keeps the number of the sitting that judged it last, and its turn in it: `verify` judges in that order.
It keeps entries, attachments and what is held; what they move is kept by Books. Nothing is sent before `write`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.exc import DBAPIError

from central_api.capabilities import Capabilities
from central_api.judging.judgement import judge, judge_new
from central_api.judging.reading import read_entry
from central_api.keys import KeyRing
from central_api.ledger import feed
from central_api.ledger.awaited import waits_for_receipt
from central_api.ledger.books import Books
from central_api.ledger.records import EntryRow, JudgingFailed, Place, Verdict
from central_api.storage.locks import lock_bells
from central_api.storage.personal import member_keys_of
from central_api.storage.postgresql import is_conflict, is_lost
from central_api.storage.schema import attachments, entries, waiting
from central_api.storage.shelf import Shelf
from central_api.storage.sittings import next_sitting
from central_api.storage.statements import among, given, insert_missing, insert_rows, select_rows, upsert_rows
from loyalty_sdk.envelope import Entry, attachment_hash

__all__ = ["ATTACHMENT_PURPOSE", "Sitting", "attachment_place"]

ATTACHMENT_PURPOSE = "attachment\n"

_log = logging.getLogger(__name__)

# What changes of an entry that is judged again.
VERDICT_COLUMNS = ("outcome", "reason", "points", "member_id", "sitting", "turn")
# What may change of one that is judged anew; its bytes, hash and place never do.
JUDGED_COLUMNS = ("id", "id_claimed", "kind", "effective_at", "clamped", *VERDICT_COLUMNS)

_WAITING = (
    select(waiting.c.waits_for, entries, attachments.c.sealed)
    .join_from(waiting, entries, (entries.c.tenant == waiting.c.tenant) & (entries.c.id == waiting.c.entry_id))
    .join(
        attachments,
        (attachments.c.tenant == waiting.c.tenant) & (attachments.c.entry_id == waiting.c.entry_id),
        isouter=True,
    )
    .where(given(waiting.c.tenant), among(waiting.c.waits_for))
    .order_by(entries.c.effective_at, entries.c.terminal, entries.c.journal, entries.c.seq)
)


class Sitting:
    """Judges within one transaction for one tenant; what is `set_aside` is quarantined without being judged."""

    def __init__(
        self, connection: Connection, capabilities: Capabilities, tenant: str, set_aside: Set[Place] = frozenset()
    ) -> None:
        self.books = Books(connection, tenant, capabilities.now())
        self._connection = connection
        self._capabilities = capabilities
        self._tenant = tenant
        self._set_aside = set(set_aside)
        self._waiting: Shelf[str, list[EntryRow]] = Shelf(self._load_waiting)
        self._new: list[EntryRow] = []
        self._again: list[EntryRow] = []
        self._anew: list[EntryRow] = []
        self._turns = 0
        self._sitting = 0

    def judge_new(self, rows: Sequence[EntryRow]) -> None:
        """Judge entries that have just arrived; each sees what those before it did."""
        self._fetch(rows)
        self._waiting.fetch(name for row in rows if (name := _wakes(row.entry)))
        for row in rows:
            self._new.append(row)
            row.verdict = self._judged(row, judge_new)
            self._after(row)

    def judge_anew(self, rows: Sequence[EntryRow]) -> None:
        """Judge entries that are stored as quarantined, after what was wrong here was mended."""
        self._fetch(rows)
        self._waiting.fetch(name for row in rows if (name := _wakes(row.entry)))
        for row in rows:
            row.verdict = self._judged(row, judge_new)
            self._anew.append(row)
            self._after(row)

    def judge_waiting(self, names: Iterable[str]) -> None:
        """Judge again what waits for these. Every entry is judged once for each thing that came."""
        queue = list(names)
        self._waiting.fetch(queue)
        while queue:
            name = queue.pop(0)
            rows, kept = self._waiting.get(name) or [], list[EntryRow]()
            self._waiting.put(name, kept)
            for row in rows:
                row.verdict = self._judged(row, judge)
                if row.verdict.outcome == "held":
                    self._keep_waiting(row)
                elif row.verdict.outcome == "applied" and (next_name := _wakes(row.entry)):
                    queue.append(next_name)

    def write(self) -> None:
        """Send everything to the database."""
        judged = (*self._new, *self._anew, *self._changed())
        if judged:
            self._sitting = next_sitting(self._connection)
        insert_rows(self._connection, entries, [self._entry_values(row) for row in self._new])
        self._write_again()
        self._write_anew()
        held = [row for row in judged if row.verdict.waits_for]
        names = [self._row(waits_for=row.verdict.waits_for, entry_id=row.id) for row in held]
        insert_missing(self._connection, waiting, names)
        self._write_attachments(judged)
        self.books.write()

    def _fetch(self, rows: Sequence[EntryRow]) -> None:
        """Load what judging needs. Entries for which that breaks, as by a member's damaged row, are set aside."""
        wanted = [row for row in rows if row.place not in self._set_aside]
        try:
            self.books.fetch(wanted)
        except Exception as error:
            # After an error of the database, it would refuse every one.
            if isinstance(error, DBAPIError):
                raise
            well = [row for row in wanted if self._loads(row)]
            if len(well) == len(wanted):
                raise
            self.books.fetch(well)

    def _loads(self, row: EntryRow) -> bool:
        try:
            Books(self._connection, self._tenant, self.books.recorded_at).fetch([row])
        except Exception as error:
            if isinstance(error, DBAPIError):
                raise
            _log.exception("what judging entry %s needs cannot be read; it is quarantined", attachment_place(row))
            self._set_aside.add(row.place)
            return False
        return True

    def _judged(self, row: EntryRow, judge_row: Callable[[Books, KeyRing, EntryRow], Verdict]) -> Verdict:
        self._turns += 1
        row.turn = self._turns
        if row.place in self._set_aside:
            return Verdict(outcome="quarantined", reason="judging-failed")
        try:
            return judge_row(self.books, self._capabilities.keys, row)
        except Exception as error:
            # Where another writer was met, or the server was lost, nothing is wrong with the entry.
            if isinstance(error, DBAPIError) and (is_conflict(error) or is_lost(error)):
                raise
            raise JudgingFailed(row.place) from error

    def _changed(self) -> list[EntryRow]:
        """The stored entries that no longer wait for what they waited for."""
        return [row for row in self._again if row.verdict.waits_for != row.waited_for]

    def _after(self, row: EntryRow) -> None:
        if row.verdict.outcome == "held":
            self._keep_waiting(row)
        elif row.verdict.outcome == "applied" and (name := _wakes(row.entry)):
            self.judge_waiting([name])

    def _keep_waiting(self, row: EntryRow) -> None:
        name = row.verdict.waits_for
        self._waiting.put(name, [*(self._waiting.get(name) or ()), row])

    def _write_again(self) -> None:
        """Only what was stored before: an entry of this upload is stored with its last verdict."""
        changed = self._changed()
        if not changed:
            return
        these = (waiting.c.waits_for == bindparam("name")) & (waiting.c.entry_id == bindparam("entry"))
        self._connection.execute(
            delete(waiting).where(waiting.c.tenant == self._tenant, these),
            [{"name": row.waited_for, "entry": row.id} for row in changed],
        )
        self._connection.execute(
            update(entries)
            .where(entries.c.tenant == self._tenant, entries.c.id == bindparam("entry"))
            .values({name: bindparam(f"new_{name}") for name in VERDICT_COLUMNS}),
            [{"entry": row.id, **_new(self._verdict_values(row), VERDICT_COLUMNS)} for row in changed],
        )
        told = [(row.terminal, f"{row.journal}/{row.seq}") for row in changed]
        feed.entries_judged_again(self._connection, self._tenant, told, self.books.recorded_at)

    def _write_anew(self) -> None:
        """Write what was quarantined at its place: only now it may have got an id."""
        if not self._anew:
            return
        places: dict[str, Any] = {name: bindparam(f"at_{name}") for name in ("terminal", "journal", "seq")}
        statement = update(entries).where(
            entries.c.tenant == self._tenant, *(entries.c[name] == value for name, value in places.items())
        )
        self._connection.execute(
            statement.values({name: bindparam(f"new_{name}") for name in JUDGED_COLUMNS}),
            [_place_and_verdict(self._entry_values(row)) for row in self._anew],
        )
        # Those that can be read now are kept under their id.
        moved = [attachment_place(row) for row in self._anew if row.id]
        unread = (attachments.c.tenant == self._tenant) & attachments.c.entry_id.in_(moved)
        self._connection.execute(delete(attachments).where(unread))
        told = [(row.terminal, f"{row.journal}/{row.seq}") for row in self._anew]
        feed.entries_judged_again(self._connection, self._tenant, told, self.books.recorded_at)

    def _write_attachments(self, judged: Sequence[EntryRow]) -> None:
        """Keep them under their entry's id; what belongs to bytes that nobody can read stays under their place."""
        rows = [row for row in judged if row.sealed is not None and (row.id or row.verdict.outcome == "quarantined")]
        members = sorted({row.verdict.member_id for row in rows if row.verdict.member_id is not None})
        keys = member_keys_of(self._connection, self._capabilities, self._tenant, members)
        upsert_rows(self._connection, attachments, [self._attachment_values(row, keys) for row in rows])

    def _attachment_values(self, row: EntryRow, keys: Mapping[str, Any]) -> dict[str, Any]:
        """Re-encrypt under the member's own key; what belongs to nobody yet stays sealed to central."""
        key = keys.get(row.verdict.member_id or "")
        sealed = row.sealed
        if key is not None and row.opened is not None:
            sealed = key.seal(self._capabilities, ATTACHMENT_PURPOSE + (row.id or ""), row.opened)
        return self._row(
            entry_id=row.id or attachment_place(row),
            attachment_hash=attachment_hash(row.sealed or b""),
            member_id=row.verdict.member_id if sealed is not row.sealed else None,
            sealed=sealed,
        )

    def _entry_values(self, row: EntryRow) -> dict[str, Any]:
        return self._row(
            terminal=row.terminal,
            journal=row.journal,
            seq=row.seq,
            id=row.id,
            id_claimed="" if row.id else row.id_claimed,
            kind=row.entry.kind if row.entry is not None else None,
            bytes=row.data,
            hash=row.hash,
            received_at=row.received_at,
            effective_at=row.effective_at,
            clamped=int(row.clamped),
            **self._verdict_values(row),
        )

    def _verdict_values(self, row: EntryRow) -> dict[str, Any]:
        return {
            "outcome": row.verdict.outcome,
            "reason": row.verdict.reason,
            "points": row.verdict.points,
            "member_id": row.verdict.member_id,
            "sitting": self._sitting,
            "turn": row.turn,
        }

    def _row(self, **values: Any) -> dict[str, Any]:
        return {"tenant": self._tenant, **values}

    def _load_waiting(self, names: Sequence[str]) -> Mapping[str, list[EntryRow]]:
        lock_bells(self._connection, self._tenant, names, waits=False)
        found: dict[str, list[EntryRow]] = {}
        for values in select_rows(self._connection, _WAITING, self._row(waits_for=names)):
            row = self._stored_row(values)
            found.setdefault(row.waited_for, []).append(row)
            self._again.append(row)
        self.books.fetch([row for rows in found.values() for row in rows])
        return found

    def _stored_row(self, values: Any) -> EntryRow:
        row = EntryRow(
            terminal=values.terminal,
            journal=values.journal,
            seq=values.seq,
            data=values.bytes,
            hash=values.hash,
            received_at=values.received_at,
            effective_at=values.effective_at,
            sealed=values.sealed,
            waited_for=values.waits_for,
            verdict=Verdict(outcome="held", reason=values.reason, waits_for=values.waits_for),
        )
        read_entry(row, self._capabilities.keys, self._tenant)
        return row


def _wakes(entry: Entry | None) -> str:
    """What waits for this entry: the returns of a sale."""
    if entry is None or entry.kind != "sale" or entry.receipt_key is None:
        return ""
    return waits_for_receipt(entry.receipt_key)


def attachment_place(row: EntryRow) -> str:
    """Return the name under which the attachment of an entry without an id is kept; no id looks like it."""
    return f"{row.terminal}/{row.journal}/{row.seq}"


def _place_and_verdict(values: Mapping[str, Any]) -> dict[str, Any]:
    place = {f"at_{name}": values[name] for name in ("terminal", "journal", "seq")}
    return place | _new(values, JUDGED_COLUMNS)


def _new(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {f"new_{name}": values[name] for name in names}
