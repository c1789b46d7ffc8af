"""Members and their points, as the back office asks for them and gets them. See `loyalty_sdk.office`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = [
    "AccountName",
    "Adjustment",
    "AliasAddition",
    "AliasView",
    "DecisionKind",
    "DecisionList",
    "DecisionView",
    "GrantList",
    "GrantState",
    "GrantView",
    "GrantsRecalled",
    "LotList",
    "LotView",
    "MemberList",
    "MemberPatch",
    "MemberRequest",
    "MemberSearch",
    "MemberView",
    "Merge",
    "TransferList",
    "TransferView",
    "WriteOff",
]

AccountName = Literal["issued", "available", "pending", "reserved", "redeemed", "expired", "owed", "offline_loss"]
DecisionKind = Literal["adjustment", "write_off"]
GrantState = Literal["open", "closed"]


# Members


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasView:
    """One alias of a member: card number, token, phone. `alias_id` names it in addresses, `alias` is what it is.

    A read-only key gets `alias` masked: its last characters.
    """

    alias_id: str
    alias: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """GET /v1/members/{member_id}: one member with its points; also the answer to every write about a member.

    `balance` is available + reserved - owed. A read-only key gets `name` and aliases masked. `revision` counts the
    changes that terminals hear of. `merged_into` is the member that this one was merged into. `etag` names this state
    of the member, as the header ETag does; PATCH sends it back in If-Match.
    """

    member_id: str
    name: str
    tier: str
    aliases: tuple[AliasView, ...]
    balance: int
    available: int
    pending: int
    reserved: int
    owed: int
    revision: int
    created_at: datetime
    merged_into: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberList:
    """GET /v1/members, in order of their ids, and POST /v1/members/search, which finds one member or none."""

    items: tuple[MemberView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRequest:
    """POST /v1/members → MemberView: register a member with at least one alias."""

    aliases: tuple[str, ...]
    name: str = ""
    tier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSearch:
    """POST /v1/members/search → MemberList. The alias travels in the body, since addresses end up in logs."""

    alias: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPatch:
    """PATCH /v1/members/{member_id} with If-Match → MemberView. None leaves a field, an empty text removes it."""

    name: str | None = None
    tier: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasAddition:
    """POST /v1/members/{member_id}/aliases → MemberView. An alias that the member has already stays."""

    alias: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """POST /v1/members/{member_id}/adjustments → MemberView: points given (above 0) or taken (below 0) by a person.

    Points given repay what is owed first; no more can be taken than is available (`insufficient-points`).
    """

    points: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOff:
    """POST /v1/members/{member_id}/write-offs → MemberView: `points` that the member owes become the programme's loss.

    No more can be written off than is owed (`conflict`).
    """

    points: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """POST /v1/members/{member_id}/merge → MemberView: all that belongs to the source is this member's from now on."""

    source_member_id: str
    reason: str


# The ledger of one member


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferView:
    """Points from one account to another. `entry_id` or `grant_id` caused it, or a decision of central (neither)."""

    transfer_id: str
    member_id: str
    from_account: AccountName
    to_account: AccountName
    points: int
    reason: str
    entry_id: str
    grant_id: str
    terminal: str
    effective_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferList:
    """GET /v1/members/{member_id}/transfers: in order of `effective_at`."""

    items: tuple[TransferView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """What a person decided about a member's points: how many, when, why; `actor` is the API key or the command.

    The id of each transfer that it caused begins with `decision_id`.
    """

    decision_id: str
    kind: DecisionKind
    points: int
    reason: str
    actor: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionList:
    """GET /v1/members/{member_id}/decisions: in the order in which they were made."""

    items: tuple[DecisionView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LotView:
    """What one earning gave: `points` net of what came back, and what is `remaining` of them now.

    `lot_id` is the id of the entry or of the decision that gave them. They are pending until `available_at` and expire
    at `expires_at`, None for never.
    """

    lot_id: str
    points: int
    remaining: int
    earned_at: datetime
    available_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LotList:
    """GET /v1/members/{member_id}/lots: those that expire first in front."""

    items: tuple[LotView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """Points set aside for one member at one terminal: what is `reserved` of them, spent, released, overdrawn.

    `recalled` says that central wants it back; the terminal closes it when it hears of that.
    """

    grant_id: str
    member_id: str
    terminal: str
    state: GrantState
    recalled: bool
    points: int
    reserved: int
    spent: int
    released: int
    overdrawn: int
    issued_at: datetime
    not_after: datetime
    redemption_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantList:
    """GET /v1/grants?member_id&terminal&state and GET /v1/members/{member_id}/grants: in the order of their issue."""

    items: tuple[GrantView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsRecalled:
    """POST /v1/terminals/{terminal}/recall: how many open grants are wanted back."""

    grants_recalled: int
