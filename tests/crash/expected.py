"""What must be in a journal: the sum of the acknowledgements that were given."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.entries import read_entry
from tests.crash.register import Json

__all__ = ["Expected", "lines_of_journal"]


@dataclass(slots=True)
class Expected:
    """`entries`: receipt by entry id. `holds`: state by id. `watermark`: the highest that was acknowledged.

    `ending` are the holds that a call was to end, whatever became of it. `pruned` says that pruning was begun: what had
    ended may be gone.
    """

    journal: str | None = None
    entries: dict[str, str] = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)
    ending: set[str] = field(default_factory=set)
    grants: set[str] = field(default_factory=set)
    grants_closed: set[str] = field(default_factory=set)
    watermark: int = 0
    pruned: bool = False

    @classmethod
    def of(cls, lines: Iterable[Json]) -> Expected:
        """Sum up the lines of a list."""
        expected = cls()
        for line in lines:
            expected.add(line)
        return expected

    def add(self, line: Json) -> None:
        """Take one more line."""
        match line["kind"]:
            case "opened":
                self.journal = line["journal"]
            case "sale" | "reversal":
                self.entries[line["entry"]] = line["receipt"]
                if line.get("hold"):
                    self.holds[line["hold"]] = "spent"
            case "hold":
                self.holds.setdefault(line["hold"], "open")
            case "ending":
                self.ending.add(line["hold"])
            case "release":
                self.holds[line["hold"]] = "released"
            case "grant":
                self.grants.add(line["grant"])
            case "grant_closed":
                self.grants_closed.add(line["grant"])
            case "pruning":
                self.pruned = True
            case "watermark":
                self.watermark = max(self.watermark, line["seq"])


def lines_of_journal(path: Path) -> list[Json]:
    """Return the lines that all of a journal's contents would have been acknowledged by; `path` is not changed."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        meta = dict(connection.execute("SELECT name, value FROM meta"))
        entries = [read_entry(row[0]) for row in connection.execute("SELECT bytes FROM entries ORDER BY seq")]
        holds = connection.execute("SELECT hold_id, state FROM holds").fetchall()
        grants = connection.execute(
            "SELECT iif(state = 'open', 'grant', 'grant_closed'), grant_id FROM grants"
        ).fetchall()
    return [
        {"kind": "opened", "journal": meta["journal"]},
        {"kind": "watermark", "seq": int(meta["watermark"])},
        *({"kind": kind, "grant": grant} for kind, grant in grants),
        *({"kind": "release" if state == "released" else "hold", "hold": hold} for hold, state in holds),
        *(
            {"kind": entry.kind, "receipt": entry.receipt, "entry": entry.entry_id, "hold": entry.hold}
            for entry in entries
            if entry.receipt is not None
        ),
    ]
