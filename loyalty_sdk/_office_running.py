"""API keys, jobs, totals and the audit trail for the back office. See `loyalty_sdk.office`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

__all__ = [
    "ActKind",
    "ActList",
    "ActView",
    "JobList",
    "JobState",
    "JobView",
    "KeyList",
    "KeyRequest",
    "KeyRotation",
    "KeySecret",
    "KeyView",
    "Scope",
    "TotalList",
    "TotalView",
]

Scope = Literal["read-only", "back-office", "administrator"]
JobState = Literal["new", "running", "done", "failed", "stopped", "killed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """An API key without its secret. `replaces` is the first key of the line that this one was rotated from.

    From `expires_at` on, where it is set, it no longer works; `revoked_at` says that it was ended by a person.
    """

    key_id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    replaces: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """GET /v1/keys: in the order in which they were made."""

    items: tuple[KeyView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """POST /v1/keys → KeySecret."""

    name: str
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    """POST /v1/keys/{key_id}/rotate → KeySecret: a new key of the same name and scope; this one ends after `hours`."""

    hours: int = 24

    def __post_init__(self) -> None:
        if not 0 <= self.hours <= 720:
            raise ValueError("hours must be from 0 to 720")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySecret:
    """A new key and its `secret`, the whole text of the bearer token. It is told once and kept nowhere."""

    key: KeyView
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job of central, done every `every_s` seconds: what it is, how its last run went, how many things that did.

    `new` never ran; `stopped` goes on where it was at its next run, and so does `killed`, whose process died. `note` is
    what a person is to know of the last run, `error` what it failed with.
    """

    job: str
    text: str
    every_s: int
    state: JobState
    started_at: datetime | None
    finished_at: datetime | None
    done: int
    note: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """GET /v1/jobs: all jobs, in one page."""

    items: tuple[JobView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalView:
    """One day (UTC) of the whole programme in points: what was booked on it, what is outstanding at its end.

    `issued` is net of what returns took back, `redeemed` and `expired` of what came back; `offline_loss` is what
    terminals spent beyond their grants and people wrote off. `outstanding` is what members have (available, pending and
    reserved) less what they owe.
    """

    day: date
    issued: int
    redeemed: int
    expired: int
    offline_loss: int
    outstanding: int
    transfers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalList:
    """GET /v1/totals?from&to: both days included, the earliest first; by default the last 30 days."""

    items: tuple[TotalView, ...]
    next_cursor: str | None = None


ActKind = Literal[
    "grant-recalled",
    "grants-recalled",
    "key-added",
    "key-revoked",
    "key-rotated",
    "programme-activated",
    "programme-withdrawn",
    "recovery-begun",
    "recovery-overridden",
    "terminal-added",
    "terminal-enrolled",
    "terminal-revoked",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActView:
    """What somebody did: `actor` is `key:ID`, `terminal:NAME` or `command line`.

    `subject` is what it was done to: the name of a terminal, the id of a key or grant, a version of the programme, an
    epoch; `*` is every terminal. `detail` says more: of a key its scope or successor, of a recall how many grants.
    """

    act_id: str
    acted_at: datetime
    actor: str
    act: ActKind
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActList:
    """GET /v1/audit: the newest first."""

    items: tuple[ActView, ...]
    next_cursor: str | None = None
