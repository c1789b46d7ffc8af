"""Journal entries, the quarantine and terminals for the back office. See `loyalty_sdk.office`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loyalty_sdk.protocol import Outcome

__all__ = [
    "QUARANTINE_JUDGED_MAX",
    "EntryList",
    "EntryView",
    "JudgedEntry",
    "QuarantineJudged",
    "QuarantineRequest",
    "TerminalCode",
    "TerminalJournal",
    "TerminalList",
    "TerminalRequest",
    "TerminalState",
    "TerminalView",
]

QUARANTINE_JUDGED_MAX = 200
TerminalState = Literal["new", "enrolled", "revoked"]


# Journals


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """An entry and its outcome. `entry_id` is its own id or, where it has none, `terminal/journal/seq`.

    `points` is the net effect on the member's balance, None where there is none. `clamped` says that the terminal's
    clock was not believed. `data`, the exact bytes, is only in GET /v1/entries/{entry_id}.
    """

    entry_id: str
    terminal: str
    journal: str
    seq: int
    kind: str
    member_id: str
    outcome: Outcome
    reason: str
    points: int | None
    effective_at: datetime
    received_at: datetime
    clamped: bool
    hash: str
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryList:
    """GET /v1/entries?terminal&journal&member_id&outcome, …/members/{member_id}/entries and /v1/quarantine.

    A member's and the quarantine in order of `effective_at`, others by terminal, journal and seq.
    """

    items: tuple[EntryView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRequest:
    """POST /v1/quarantine/judge → QuarantineJudged: judge these entries anew, or, with `all`, every one.

    At most QUARANTINE_JUDGED_MAX are judged by one call; the next one goes on with the answer's `next_cursor`.
    """

    entries: tuple[str, ...] = ()
    all: bool = False
    cursor: str | None = None

    def __post_init__(self) -> None:
        if self.all == bool(self.entries):
            raise ValueError("name entries, or set all to true")
        if len(self.entries) > QUARANTINE_JUDGED_MAX:
            raise ValueError(f"entries: at most {QUARANTINE_JUDGED_MAX} at a time")
        if self.cursor is not None and not self.all:
            raise ValueError("cursor belongs to all")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEntry:
    """What became of one entry that was judged anew."""

    entry_id: str
    terminal: str
    journal: str
    seq: int
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineJudged:
    """What was judged anew, in canonical order, and where to go on; None when all were judged."""

    judged: tuple[JudgedEntry, ...]
    next_cursor: str | None = None


# Terminals


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalJournal:
    """One journal of a terminal: central holds it whole up to `watermark`.

    `lag` counts the entries that the terminal had beyond that at its last contact, None where it did not say.
    """

    journal: str
    watermark: int
    lag: int | None
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalView:
    """GET /v1/terminals/{terminal}. `reserved` points of `grants_open` grants are set aside there.

    `last_contact_at` is when it last asked for changes or delivered an entry, to the minute; None before the first.
    `agent_version` is that of its enrolment. `journal` is the newest.
    """

    terminal: str
    state: TerminalState
    agent_version: str
    created_at: datetime
    enrolled_at: datetime | None
    last_contact_at: datetime | None
    grants_open: int
    reserved: int
    journal: TerminalJournal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalList:
    """GET /v1/terminals: in order of their names."""

    items: tuple[TerminalView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalRequest:
    """POST /v1/terminals → TerminalCode: make a terminal, or a new code for one that is new or revoked."""

    terminal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalCode:
    """The one-time code that enrols a terminal; it is told once."""

    terminal: str
    code: str
    expires_at: datetime
