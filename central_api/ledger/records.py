"""The ledger's records while a transaction works on them. Data only; `books.py` loads and writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from loyalty_sdk.envelope import Entry
from loyalty_sdk.protocol import EntryOutcome, Outcome

__all__ = ["EntryRow", "Grant", "GrantUsed", "Sale", "Unfit", "Verdict"]


@dataclass(slots=True, kw_only=True)
class Grant:
    """A grant; `reserved` is what is still set aside of it, for holds and for redeeming."""

    grant_id: str
    member_id: str
    terminal: str
    points: int
    not_after: datetime
    document: str
    key_id: str
    signature: bytes
    issued_at: datetime
    redemption_id: str | None = None
    points_wanted: int | None = None
    spent: int = 0
    released: int = 0
    overdrawn: int = 0
    state: str = "open"
    recalled: int = 0

    @property
    def reserved(self) -> int:
        """Points that are neither spent nor released."""
        return self.points - self.spent - self.released


@dataclass(slots=True, kw_only=True)
class Sale:
    """An applied sale, as reversals need it; `returned` is what came back of each line (from 1) so far."""

    entry_id: str
    terminal: str
    journal: str
    member_id: str | None
    programme_version: int | None
    points_earned: int
    points_redeemed: int
    discount_minor: int
    points_overdrawn: int = 0
    points_debited: int = 0
    points_credited: int = 0
    returned: dict[int, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUsed:
    """What a sale took of one grant: `points` from what was reserved, `overdrawn` beyond it."""

    grant_id: str
    points: int
    overdrawn: int


Place = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What central made of an entry. `waits_for` says what a held entry waits for."""

    outcome: Outcome
    reason: str = ""
    points: int | None = None
    member_id: str | None = None
    waits_for: str = ""


class Unfit(Exception):
    """An entry is not applied; raised before anything is booked for it."""

    def __init__(self, outcome: Outcome, reason: str, waits_for: str = "", member_id: str | None = None) -> None:
        super().__init__(reason)
        self.verdict = Verdict(outcome=outcome, reason=reason, waits_for=waits_for, member_id=member_id)


class JudgingFailed(Exception):
    """A judge broke over one entry: the upload is taken again with that entry quarantined (Law 6)."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"judging entry {place[2]} of journal {place[1]} of terminal {place[0]} failed")
        self.place = place


@dataclass(slots=True, kw_only=True)
class EntryRow:
    """An authentic entry: where it stands, its exact bytes, and what central made of it.

    `entry` is None where the bytes cannot be read; `unfit` then says why. `sealed` is its attachment as the terminal
    sealed it, `opened` the same in clear. `waited_for` is what a stored entry was held for. `turn` counts the entries
    that its sitting judged.
    """

    terminal: str
    journal: str
    seq: int
    data: bytes
    hash: bytes
    received_at: datetime
    effective_at: datetime
    clamped: bool = False
    entry: Entry | None = None
    id_claimed: str = ""
    sealed: bytes | None = None
    opened: bytes | None = None
    alias_digest: str | None = None
    unfit: str = ""
    is_duplicate: bool = False
    waited_for: str = ""
    turn: int = 0
    verdict: Verdict = Verdict(outcome="quarantined")

    @property
    def id(self) -> str | None:
        """The id that is this entry's for ever, None where it cannot be read or belongs to an earlier entry."""
        return self.entry.id if self.entry is not None and not self.is_duplicate else None

    @property
    def place(self) -> Place:
        """Where the entry stands: terminal, journal, seq."""
        return self.terminal, self.journal, self.seq

    def to_outcome(self) -> EntryOutcome:
        """Return the outcome as it travels."""
        return EntryOutcome(
            seq=self.seq,
            id=self.id or self.id_claimed,
            outcome=self.verdict.outcome,
            reason=self.verdict.reason,
            points=self.verdict.points,
        )
