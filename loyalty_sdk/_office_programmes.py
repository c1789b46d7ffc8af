"""The programme's versions for the back office: checked, tried out, activated. See `loyalty_sdk.office`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loyalty_sdk.protocol import SignedDocument

__all__ = [
    "DryRunMember",
    "DryRunRedemption",
    "DryRunReport",
    "DryRunRequest",
    "DryRunRule",
    "DryRunSale",
    "Finding",
    "ProgrammeCandidate",
    "ProgrammeCheck",
    "ProgrammeList",
    "ProgrammeRequest",
    "ProgrammeState",
    "ProgrammeView",
]

ProgrammeState = Literal["scheduled", "in_force", "superseded", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeView:
    """One version of the programme. `signed` is only in GET /v1/programmes/{version}, not in the list.

    `superseded` since a higher version came into force; `withdrawn` before its date came, and never in force.
    """

    version: int
    name: str
    state: ProgrammeState
    activated_at: datetime
    in_force_at: datetime
    withdrawn_at: datetime | None = None
    signed: SignedDocument | None = None
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeList:
    """GET /v1/programmes: the newest version first."""

    items: tuple[ProgrammeView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeRequest:
    """POST /v1/programmes → ProgrammeView: check, sign and keep a version; in force at once, or at `in_force_at`.

    `document` is the exact text (docs/programme.md). A document that is not in order is `programme-invalid`.
    """

    document: str
    in_force_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeCandidate:
    """POST /v1/programmes/validate → ProgrammeCheck: nothing is kept."""

    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about a document: where (`earning[1].rounding.mode`, empty for the whole), and what would be right.

    An error keeps it from being activated; a warning names what a retailer would regret.
    """

    severity: Literal["error", "warning"]
    place: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeCheck:
    """Whether a document could be activated, and everything that was found."""

    valid: bool
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunRequest:
    """POST /v1/programmes/dry-run → DryRunReport: what the sales of the last `days` would have earned."""

    document: str
    days: int = 30

    def __post_init__(self) -> None:
        if not 1 <= self.days <= 366:
            raise ValueError("days must be from 1 to 366")


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunRule:
    """What one earning rule gave by the programme of each sale, and what it would give."""

    rule_id: str
    points_before: int
    points_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunMember:
    """What the sales of one member earned and would earn."""

    member_id: str
    points_before: int
    points_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunSale:
    """One recorded sale that would earn something else."""

    entry_id: str
    terminal: str
    member_id: str
    effective_at: datetime
    points_before: int
    points_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunRedemption:
    """One recorded redemption that would not be possible, and why."""

    entry_id: str
    terminal: str
    member_id: str
    effective_at: datetime
    reward_id: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunReport:
    """Sums over `sales` applied sales of members since `since`, of which `changed` would earn something else.

    `skipped` sales are in another currency. A redemption takes `points_redeemed_after` at the new price; one that would
    not be possible takes none, and its sale earns on the whole basket. `rules` are in the order of the new document,
    then those that it no longer has. `members_gaining`, `members_losing` and `examples` differ most, the most in front;
    `redemptions_lost` says how many would not be possible, `lost` shows the first of them.
    """

    version: int
    days: int
    since: datetime
    sales: int
    skipped: int
    changed: int
    points_before: int
    points_after: int
    redemptions: int
    redemptions_lost: int
    points_redeemed_before: int
    points_redeemed_after: int
    rules: tuple[DryRunRule, ...] = ()
    members_gaining: tuple[DryRunMember, ...] = ()
    members_losing: tuple[DryRunMember, ...] = ()
    examples: tuple[DryRunSale, ...] = ()
    lost: tuple[DryRunRedemption, ...] = ()
