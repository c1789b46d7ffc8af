"""The witness of one terminal: notes every entry as it was when its commit had ended, and finds any later change.

It reads the database with plain SQL and keeps its own list, so that what a terminal later says about its journal can
be held against what it had said.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sync.store import Store

__all__ = ["Noted", "Witness"]

_NEW = (
    "SELECT e.seq, e.id, e.bytes, e.hash, a.hash, a.sealed FROM entries e LEFT JOIN attachments a ON a.seq = e.seq"
    " WHERE e.seq > ? ORDER BY e.seq"
)
_OUTSTANDING = "SELECT grant_id, iif(state = 'open', points, held) FROM grants"


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry as it was committed."""

    seq: int
    entry_id: str
    data: bytes
    hash: bytes


class Witness:
    """All that one terminal committed, by journal; and what was wrong with it.

    Where its disk went back to an older image, `branches` holds the journals as they had been, `lost` the ids of what
    came after, and `loss_bound` the points of each grant that was open in the image, or held of a closed one.
    """

    def __init__(self, terminal: str) -> None:
        self._terminal = terminal
        self.journals: dict[str, list[Noted]] = {}
        self.attachments: dict[str, tuple[str, bytes]] = {}
        self.branches: list[tuple[str, list[Noted]]] = []
        self.lost: set[str] = set()
        self.loss_bound: Counter[str] = Counter()
        self.faults: list[str] = []
        self.is_copy = False

    @property
    def has_gone_back(self) -> bool:
        """Whether central may know another life of this disk: it went back to an image, or was cloned."""
        return self.is_copy or bool(self.branches)

    def observe(self, store: Store) -> None:
        """Note what was committed since the last time."""
        head = store._head
        if head is None:
            return
        noted = self.journals.setdefault(head.journal, [])
        if head.seq == len(noted):
            return
        driver: Any = store._database.writer.connection.driver_connection  # A reading of its own would take longer.
        for seq, entry_id, data, digest, attachment_hash, sealed in driver.execute(_NEW, (len(noted),)):
            self._note(noted, Noted(seq, entry_id, data, digest))
            if sealed is not None:
                self.attachments[entry_id] = attachment_hash, sealed

    def restore(self, image: bytes) -> None:
        """The disk goes back to an image: keep what is lost aside, and how much may be spent a second time."""
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(image)
            (journal,) = connection.execute("SELECT value FROM meta WHERE name = 'journal'").fetchone()
            (head_seq,) = connection.execute("SELECT max(seq) FROM entries").fetchone()
            self.loss_bound.update(dict(connection.execute(_OUTSTANDING)))
        names = list(self.journals)
        for name in names[names.index(journal) :]:
            self._lose(name, head_seq if name == journal else 0)

    def cloned(self) -> Witness:
        """Return the witness of a clone: it has seen what the disk holds, and both are copies from now on."""
        clone = Witness(self._terminal)
        clone.journals = {journal: list(noted) for journal, noted in self.journals.items()}
        clone.attachments = dict(self.attachments)
        clone.branches = list(self.branches)
        clone.lost = set(self.lost)
        clone.is_copy = self.is_copy = True
        return clone

    def _lose(self, journal: str, head_seq: int) -> None:
        noted = self.journals[journal]
        self.branches.append((journal, list(noted)))
        self.lost |= {entry.entry_id for entry in noted[head_seq:]}
        del noted[head_seq:]

    def lives(self, journal: str) -> list[list[Noted]]:
        """A journal as it is, then as it had been before each time the disk went back."""
        return [self.journals[journal], *(noted for name, noted in self.branches if name == journal)]

    def first_hash(self, journal: str, previous_hash: str = "") -> bytes:
        """The hash before the first entry, by docs/protocol.md and hashlib alone."""
        text = f"loyalty-journal-v1\n{self._terminal}\n{journal}\n{previous_hash}"
        return hashlib.sha256(text.encode()).digest()

    def _note(self, noted: list[Noted], entry: Noted) -> None:
        if entry.seq != len(noted) + 1:
            self.faults.append(f"{self._terminal}: entry {entry.seq} follows entry {len(noted)}: the journal has a gap")
        if noted and hashlib.sha256(noted[-1].hash + entry.data).digest() != entry.hash:
            self.faults.append(f"{self._terminal}: entry {entry.seq} does not continue the chain")
        noted.append(entry)
