"""Is a journal whole, and is everything in it that was acknowledged? Read with plain `sqlite3` and `hashlib`.

Nothing of the product judges here but the bytes that it stored: the chain is computed anew from docs/protocol.md, and
the states of holds and grants from the entries.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.crash.entries import read_entry
from tests.crash.expected import Expected

__all__ = ["Fault", "FaultKind", "audit"]

# lost: something acknowledged is missing; halved: entry and hold, grant or receipt do not go together;
# corrupt: the file or the chain is damaged; unusable: it does not open, or records no further sale.
FaultKind = Literal["lost", "halved", "corrupt", "unusable"]

FIRST_HASH_TAG = "loyalty-journal-v1"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a journal."""

    kind: FaultKind
    what: str


def audit(connection: sqlite3.Connection, expected: Expected) -> list[Fault]:
    """Return everything that is wrong."""
    damage = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    if damage:
        return [Fault("corrupt", f"integrity_check: {damage[0]}")]
    try:
        book = _Book(connection)
    # Rubbish within an entry's bytes passes SQLite's own check.
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return [Fault("corrupt", f"something cannot be read: {type(error).__name__}: {error}")]
    return [*book.chain(), *book.lost(expected), *book.halved(pruned=expected.pruned)]


class _Book:
    """The journal as it was read, and the laws that it must hold. Pruned entries are beyond it, receipts are not."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._meta: dict[str, str] = dict(connection.execute("SELECT name, value FROM meta"))
        self._rows = connection.execute("SELECT seq, id, bytes, hash FROM entries ORDER BY seq").fetchall()
        self._entries = {seq: read_entry(data) for seq, _, data, _ in self._rows}
        self._floor = self._rows[0][0] if self._rows else 1
        self._watermark = int(self._meta["watermark"])

    def chain(self) -> Iterator[Fault]:
        """Dense, chained from the first entry or from the floor that pruning left, acknowledged where it says so."""
        if [row[0] for row in self._rows] != list(range(self._floor, self._floor + len(self._rows))):
            yield Fault("corrupt", "the journal has gaps")
        if self._floor > self._watermark + 1:
            yield Fault("lost", f"entries up to {self._floor - 1} are gone, acknowledged are {self._watermark}")
        if int(self._meta.get("floor_seq", "0")) != self._floor - 1:
            yield Fault("halved", f"the first entry is {self._floor}, pruned were {self._meta.get('floor_seq')}")
        hash_before = self._first_hash() if self._floor == 1 else bytes.fromhex(self._meta["floor_hash"])
        for seq, entry_id, data, stored in self._rows:
            if hashlib.sha256(hash_before + data).digest() != stored:
                yield Fault("corrupt", f"the chain breaks at entry {seq}")
            if self._entries[seq].entry_id != entry_id:
                yield Fault("corrupt", f"entry {seq} is not the one that its row names")
            if seq == self._watermark and stored.hex() != self._meta["watermark_hash"]:
                yield Fault("corrupt", f"the watermark {seq} has another hash than the entry")
            hash_before = stored

    def lost(self, expected: Expected) -> Iterator[Fault]:
        """What was acknowledged and is missing."""
        if expected.journal not in (None, self._meta["journal"]):
            yield Fault("lost", f"journal {expected.journal} was replaced by {self._meta['journal']}")
        head = self._rows[-1][0] if self._rows else 0
        if not expected.watermark <= self._watermark <= head:
            yield Fault(
                "lost", f"watermark {self._watermark}: at least {expected.watermark} was stored, head is {head}"
            )
        receipts = {row[0] for row in self._connection.execute("SELECT lower(hex(entry_id)) FROM receipts")}
        here = {entry.entry_id: entry.receipt for entry in self._entries.values()}
        for entry_id, receipt in expected.entries.items():
            if entry_id.replace("-", "") not in receipts:
                yield Fault("lost", f"receipt {receipt} is missing")
            elif here.get(entry_id, receipt) != receipt:
                yield Fault("lost", f"entry {entry_id} is receipt {here[entry_id]}, not {receipt}")
        yield from self._lost_holds(expected)

    def _lost_holds(self, expected: Expected) -> Iterator[Fault]:
        holds = dict(self._connection.execute("SELECT hold_id, state FROM holds"))
        for hold, state in expected.holds.items():
            if hold not in holds and expected.pruned and (state != "open" or hold in expected.ending):
                continue  # Pruned, with the entry that ended it.
            if hold not in holds:
                yield Fault("lost", f"hold {hold} ({state}) is missing")
            elif state != "open" and holds[hold] != state:
                yield Fault("lost", f"hold {hold} was {state} and is {holds[hold]}")
        grants = dict(self._connection.execute("SELECT grant_id, state FROM grants"))
        for grant in (expected.grants | expected.grants_closed) - grants.keys():
            if expected.pruned:
                continue
            yield Fault("lost", f"grant {grant} is missing")
        for grant in expected.grants_closed:
            if grants.get(grant) == "open":
                yield Fault("lost", f"grant {grant} was closed and is open")

    def halved(self, *, pruned: bool) -> Iterator[Fault]:
        """What belongs to one transaction and is there in part, or more than once."""
        yield from self._receipts()
        yield from self._attachments()
        yield from self._holds(pruned)
        yield from self._grants(pruned)
        if not pruned:
            yield from self._closed_grants()

    def _receipts(self) -> Iterator[Fault]:
        kept = {
            seq: entry_id
            for entry_id, seq in self._connection.execute("SELECT lower(hex(entry_id)), seq FROM receipts")
            if seq >= self._floor
        }
        made = {
            seq: entry.entry_id.replace("-", "") for seq, entry in self._entries.items() if entry.receipt is not None
        }
        if kept != made:
            yield Fault("halved", f"receipts and entries differ at {sorted(set(kept.items()) ^ set(made.items()))[:4]}")
        counts = Counter(entry.receipt for entry in self._entries.values() if entry.receipt is not None)
        for receipt, count in counts.items():
            if count > 1:
                yield Fault("halved", f"receipt {receipt} is there {count} times")

    def _attachments(self) -> Iterator[Fault]:
        kept = {row[0] for row in self._connection.execute("SELECT seq FROM attachments")}
        wanted = {seq for seq, entry in self._entries.items() if entry.has_attachment and seq > self._watermark}
        if kept != wanted:
            yield Fault("halved", f"attachments and entries differ at {sorted(kept ^ wanted)[:4]}")

    def _holds(self, pruned: bool) -> Iterator[Fault]:
        """A hold ended by one entry, or by none; the entry of an ended one, or its row, may have been pruned."""
        ended = Counter((entry.hold, entry.kind) for entry in self._entries.values() if entry.hold is not None)
        for hold, state in self._connection.execute("SELECT hold_id, state FROM holds"):
            counts = (ended.pop((hold, "sale"), 0), ended.pop((hold, "release"), 0))
            if pruned and state != "open" and counts == (0, 0):
                continue
            if counts != {"open": (0, 0), "spent": (1, 0), "released": (0, 1)}[state]:
                yield Fault("halved", f"hold {hold} is {state} with {counts[0]} sales and {counts[1]} releases")
        for hold, kind in () if pruned else ended:
            yield Fault("halved", f"a {kind} names hold {hold}, which is missing")

    def _grants(self, pruned: bool) -> Iterator[Fault]:
        """Held is what open holds have; spent what sales used, less what voids gave back to grants that were open."""
        held: Counter[str] = Counter()
        for grant, points in self._connection.execute(
            "SELECT grant_id, hold_grants.points FROM hold_grants JOIN holds USING (hold_id) WHERE state = 'open'"
        ):
            held[grant] += points
        spent = self._spent()
        # What a sale spent cannot be known once the sale is pruned.
        spent_column = "NULL" if pruned else "iif(state = 'open', spent, NULL)"
        for grant, is_held, is_spent in self._connection.execute(f"SELECT grant_id, held, {spent_column} FROM grants"):
            if is_held != held[grant] or is_spent not in (None, spent[grant]):
                yield Fault(
                    "halved",
                    f"grant {grant} has {is_held} held and {is_spent} spent, not {held[grant]} and {spent[grant]}",
                )

    def _closed_grants(self) -> Iterator[Fault]:
        """A grant is closed if an entry says so, once."""
        closed = Counter(entry.closes for entry in self._entries.values() if entry.closes is not None)
        states = self._connection.execute("SELECT grant_id, state FROM grants WHERE state = 'closed'")
        if closed != Counter({grant: 1 for grant, _ in states}):
            yield Fault("halved", "closed grants and the entries that close them differ")

    def _spent(self) -> Counter[str]:
        sales = {entry.receipt: entry for entry in self._entries.values() if entry.kind == "sale"}
        voided = [sales[entry.voids] for entry in self._entries.values() if entry.voids in sales and entry.voids]
        spent: Counter[str] = Counter()
        for entry in sales.values():
            spent.update(dict(entry.uses))
        for entry in voided:
            spent.subtract(dict(entry.uses))
        return spent

    def _first_hash(self) -> bytes:
        opened = json.loads(self._rows[0][2])
        previous = opened["body"].get("previous_hash") or ""
        text = "\n".join((FIRST_HASH_TAG, opened["terminal"], self._meta["journal"], previous))
        return hashlib.sha256(text.encode()).digest()
