"""What `loyalty-central verify` finds to be different: all are counted, some are kept to be shown."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Difference", "Differences"]

KEPT_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is stored otherwise than it is computed; `where` names the member, journal or entry."""

    what: str
    where: str
    stored: str
    computed: str


@dataclass(slots=True)
class Differences:
    """Everything that was found, in order; `kept` has the first KEPT_MAX of `count`."""

    count: int = 0
    kept: list[Difference] = field(default_factory=list)

    def compare(self, what: str, where: str, stored: object, computed: object) -> None:
        """Note a difference where there is one."""
        if stored == computed:
            return
        self.count += 1
        if len(self.kept) < KEPT_MAX:
            self.kept.append(Difference(what=what, where=where, stored=str(stored), computed=str(computed)))
