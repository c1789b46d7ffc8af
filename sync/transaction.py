"""One transaction of the terminal's database, as commands see it: statements, single facts, and appending entries.

Seq and hash are assigned here, inside the writer, and nowhere else (Law 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loyalty_sdk.codec import encode
from loyalty_sdk.envelope import (
    ENVELOPE_VERSION,
    Entry,
    EntryBody,
    EntryKind,
    GrantUse,
    attachment_hash,
    chain_hash,
    encode_entry,
)
from loyalty_sdk.model import ReceiptKey
from sync.host import Host
from sync.identity import Identity
from sync.statements import PinnedConnection, Rows

__all__ = ["Head", "Transaction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last entry of the journal: its seq and chain hash."""

    seq: int
    hash: bytes
    journal: str


class Transaction:
    """A transaction that is open on the writing connection."""

    def __init__(
        self, connection: PinnedConnection, head: Head, identity: Identity, host: Host, proven: set[str] | None = None
    ) -> None:
        """`proven` outlives the transaction: see `is_proven`."""
        self.connection = connection
        self.head = head
        self.identity = identity
        self.host = host
        self._proven = set() if proven is None else proven

    @property
    def is_proven(self) -> bool:
        """Whether central was seen, since the agent started, to hold no other life of this journal.

        No disk can say so: it may have been restored while the agent was down.
        """
        return self.head.journal in self._proven

    def prove(self) -> None:
        """Note that all that central holds of this journal is ours."""
        self._proven.add(self.head.journal)

    def doubt(self) -> None:
        """Note that central may hold another life of this journal."""
        self._proven.discard(self.head.journal)

    def execute(self, statement: str, parameters: tuple[Any, ...] = ()) -> Rows:
        """Run one SQL statement with `?` parameters."""
        return self.connection.exec_driver_sql(statement, parameters)

    def meta(self, name: str) -> str | None:
        """Return a single fact, None where it was never set."""
        value: str | None = self.execute("SELECT value FROM meta WHERE name = ?", (name,)).scalar()
        return value

    def set_meta(self, **facts: str) -> None:
        """Set single facts."""
        for fact in facts.items():
            self.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", fact)

    def central_time_seen(self) -> datetime | None:
        """Return the latest time of central that this terminal has seen."""
        text = self.meta("central_time_seen")
        return datetime.fromisoformat(text) if text else None

    def see_central_time(self, central_time: datetime) -> None:
        """Note a contact with central: when, by our clock, and the latest time it told."""
        seen = self.central_time_seen()
        latest = central_time if seen is None else max(seen, central_time)
        self.set_meta(central_time_seen=encode(latest), contact_at=encode(self.host.now()))

    def confirmed_at(self) -> datetime | None:
        """Return the latest time of central at which it showed to hold all that it had acknowledged."""
        text = self.meta("confirmed_at")
        return datetime.fromisoformat(text) if text else None

    def confirm(self, central_time: datetime) -> None:
        """Note that central, at this time of its own, knew the journal as far as it had acknowledged it."""
        self.see_central_time(central_time)
        confirmed = self.confirmed_at()
        latest = central_time if confirmed is None else max(confirmed, central_time)
        self.set_meta(confirmed_at=encode(latest))

    def append(
        self,
        kind: EntryKind,
        body: EntryBody,
        *,
        entry_id: str | None = None,
        occurred_at: datetime | None = None,
        receipt_key: ReceiptKey | None = None,
        programme_version: int | None = None,
        snapshot_revision: int | None = None,
        grants: Sequence[GrantUse] = (),
        sealed: bytes | None = None,
        member_id: str | None = None,
        points: int = 0,
    ) -> Entry:
        """Append an entry; `points` is its effect on the member's balance. `sealed` travels beside it (Law 12)."""
        entry = Entry(
            v=ENVELOPE_VERSION,
            terminal=self.identity.terminal,
            journal=self.head.journal,
            seq=self.head.seq + 1,
            id=entry_id or self.host.new_id(),
            kind=kind,
            occurred_at=occurred_at or self.host.now(),
            central_time_seen=self.central_time_seen(),
            receipt_key=receipt_key,
            programme_version=programme_version,
            snapshot_revision=snapshot_revision,
            grants=tuple(grants),
            attachment_hash=None if sealed is None else attachment_hash(sealed),
            body=body,
        )
        return self._write(entry, sealed, member_id, points)

    def append_again(self, entry: Entry, *, sealed: bytes | None, member_id: str | None, points: int) -> Entry:
        """Append an entry of a damaged journal under its own id; its journal and its place in it are new."""
        again = replace(entry, journal=self.head.journal, seq=self.head.seq + 1)
        return self._write(again, sealed, member_id, points)

    def _write(self, entry: Entry, sealed: bytes | None, member_id: str | None, points: int) -> Entry:
        data = encode_entry(entry)
        head = Head(seq=entry.seq, hash=chain_hash(self.head.hash, data), journal=self.head.journal)
        self.execute(
            "INSERT INTO entries (seq, id, kind, bytes, hash, member_id, points) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (entry.seq, entry.id, entry.kind, data, head.hash, member_id, points),
        )
        if sealed is not None:
            self.execute("INSERT INTO attachments VALUES (?, ?, ?)", (entry.seq, entry.attachment_hash, sealed))
        self.head = head
        return entry
