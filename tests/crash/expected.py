"""What must be in a journal: the sum of the acknowledgements that were given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.crash.register import Json

__all__ = ["Expected"]


@dataclass(slots=True)
class Expected:
    """`entries`: receipt by entry id. `holds`: state by id. `watermark`: the highest that was acknowledged."""

    journal: str | None = None
    entries: dict[str, str] = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)
    grants: set[str] = field(default_factory=set)
    watermark: int = 0

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
            case "release":
                self.holds[line["hold"]] = "released"
            case "grant":
                self.grants.add(line["grant"])
            case "watermark":
                self.watermark = max(self.watermark, line["seq"])
