"""What terminal and central say to each other, as data: questions, answers, paths and limits. See docs/protocol.md.

Uploads are newline-delimited JSON: a line is an entry's exact bytes; the line after it may be its attachment,
`{"attachment": hash, "sealed": base64}`. Everything else is one JSON object by `loyalty_sdk.codec`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loyalty_sdk.codec import CodecError, decode, dumps, loads

__all__ = [
    "ANSWER_BYTES_MAX",
    "REPORT_BYTES_MAX",
    "REPORT_GRANTS_MAX",
    "UPLOAD_BYTES_MAX",
    "UPLOAD_ENTRIES_MAX",
    "Attachment",
    "ChangesPage",
    "EnrolmentAnswer",
    "EnrolmentRequest",
    "EntryOutcome",
    "EntryPage",
    "EntryRecord",
    "GrantDocument",
    "GrantLeft",
    "GrantRequest",
    "Health",
    "IdentifyRequest",
    "JournalReport",
    "JournalView",
    "MemberAnswer",
    "Outcome",
    "PublicKey",
    "ReportAnswer",
    "SignedDocument",
    "SignedReport",
    "Snapshot",
    "UploadAnswer",
    "UploadHeaders",
    "UploadLine",
    "join_upload",
    "split_upload",
]

UPLOAD_BYTES_MAX = 8_000_000
UPLOAD_ENTRIES_MAX = 500
ANSWER_BYTES_MAX = 8_000_000
REPORT_BYTES_MAX = 2_000_000
REPORT_GRANTS_MAX = 500

Outcome = Literal["applied", "held", "rejected", "quarantined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key of 32 raw bytes and its id: Ed25519 for signing, X25519 for sealing."""

    key_id: str
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """A document's exact text with central's Ed25519 signature over `document_signing_input`."""

    document: str
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDocument:
    """What a grant says: `points` of a member set aside for one terminal until `not_after`.

    `redemption_id` names the redemption that an exact grant was issued for; None for a grant ahead.
    """

    format: Literal["loyalty-grant-1"]
    grant_id: str
    tenant: str
    terminal: str
    member_id: str
    points: int
    not_after: datetime
    redemption_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a terminal knows of a member; `includes_seq` is the last entry of its journal that `balance` contains."""

    member_id: str
    name_masked: str
    tier: str
    balance: int
    revision: int
    as_of: datetime
    includes_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRequest:
    """POST /v1/enrolments: a one-time code and the terminal's Ed25519 public key."""

    code: str
    public_key: bytes
    agent_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentAnswer:
    """The terminal's identity, its bearer token, and the keys of central that it pins."""

    tenant: str
    terminal: str
    token: str
    epoch: str
    signing_keys: tuple[PublicKey, ...]
    sealing_key: PublicKey
    central_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOutcome:
    """What central made of an entry; `points` is its net effect on the member's balance, None where there is none."""

    seq: int
    id: str
    outcome: Outcome
    reason: str = ""
    points: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadAnswer:
    """POST /v1/journals/{journal}/entries: the seq up to which central holds the journal whole, and its chain hash."""

    epoch: str
    watermark: int
    watermark_hash: str
    outcomes: tuple[EntryOutcome, ...]
    central_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalView:
    """GET /v1/journals/{journal}: what central holds of a journal; watermark 0 and an empty hash for nothing."""

    epoch: str
    journal: str
    watermark: int
    watermark_hash: str
    central_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """One entry as central holds it; `hash` is the chain hash in hexadecimal."""

    seq: int
    id: str
    hash: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """GET /v1/journals/{journal}/entries?after=&limit=: entries in order of seq."""

    entries: tuple[EntryRecord, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesPage:
    """GET /v1/changes?journal=&cursor=&limit=&acknowledged=&hash=&head=&grant=: what changed here since `cursor`.

    The last four say how far the terminal knows its journal acknowledged, with the hash there, its head, and its newest
    open grant: a central that knows less, or another life of the journal, answers with `epoch-changed` or `fork`.
    Snapshots of members it asked for or sold to, open grants that were issued to it (again, since the answer that
    carried one may have been lost), grants that central wants back, entries judged again, and the number
    of the programme version in force.
    """

    epoch: str
    cursor: str
    more: bool
    snapshots: tuple[Snapshot, ...]
    grants: tuple[SignedDocument, ...]
    grants_recalled: tuple[str, ...]
    outcomes: tuple[EntryOutcome, ...]
    programme_version: int | None
    central_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReport:
    """What a terminal knows of its journal and of central, where the two do not fit together.

    `acknowledged_seq` with its hash is how far central, in `epoch`, said that it held the journal; up to `floor_seq`
    entries were pruned here and cannot be sent again. `revoked` says that central had revoked this terminal. `grants`
    are those open here, at most REPORT_GRANTS_MAX; with `more` the next report goes on with them. `cursor` is how far
    the feed was read. The entries up to `recorded_again_seq` were taken over from an earlier journal: that central has
    them already is no news.
    """

    format: Literal["loyalty-report-1"]
    terminal: str
    journal: str
    epoch: str
    acknowledged_seq: int
    acknowledged_hash: str
    floor_seq: int
    floor_hash: str
    head_seq: int
    revoked: bool
    grants: tuple[SignedDocument, ...]
    more: bool
    cursor: str = ""
    recorded_again_seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReport:
    """POST /v1/journals/{journal}/reports: a JournalReport's exact text, signed with Ed25519 by the terminal."""

    report: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLeft:
    """What central still has set aside of an open grant."""

    grant_id: str
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAnswer:
    """What central holds of the journal after a report, and of the report's grants those that are open there."""

    epoch: str
    journal: str
    watermark: int
    watermark_hash: str
    recovering: bool
    grants: tuple[GrantLeft, ...]
    central_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyRequest:
    """POST /v1/members/identify: a scanned or keyed alias; with `grant_ahead`, points for redeeming offline."""

    alias: str
    journal: str
    grant_ahead: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """POST /v1/grants: `points` for one redemption, at least `points_min`; idempotent by `redemption_id`."""

    redemption_id: str
    member_id: str
    journal: str
    points: int
    points_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAnswer:
    """The member's snapshot and the grants that are open at this terminal for the member, or newly issued."""

    snapshot: Snapshot
    grants: tuple[SignedDocument, ...]
    central_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """GET /v1/health, without a token: that central is there, its release, and the epoch that it lives in."""

    status: str
    version: str
    epoch: str
    central_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadHeaders:
    """The HTTP headers of an upload. The signature covers `upload_signing_input`."""

    epoch: str
    first_seq: int
    head_seq: int
    head_hash: bytes
    signature: bytes

    def to_headers(self) -> dict[str, str]:
        """Return the headers as they travel."""
        return {
            "Loyalty-Epoch": self.epoch,
            "Loyalty-First-Seq": str(self.first_seq),
            "Loyalty-Head-Seq": str(self.head_seq),
            "Loyalty-Head-Hash": self.head_hash.hex(),
            "Loyalty-Signature": self.signature.hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A sealed attachment as it travels beside its entry."""

    attachment: str
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLine:
    """One entry of an upload: its exact bytes and, where it has one that is still there, its sealed attachment."""

    entry: bytes
    sealed: bytes | None = None


def join_upload(lines: Iterable[tuple[bytes, str | None, bytes | None]]) -> bytes:
    """Splice (entry bytes, attachment hash, sealed attachment) into an upload's body; entry bytes stay as they are."""
    parts: list[bytes] = []
    for entry, hash_text, sealed in lines:
        parts.append(entry)
        if hash_text is not None and sealed is not None:
            parts.append(dumps(Attachment(attachment=hash_text, sealed=sealed)))
    return b"\n".join(parts)


def split_upload(body: bytes) -> Iterator[UploadLine]:
    """Take an upload's body apart without reading the entries. Raises CodecError for a stray attachment line."""
    entry: bytes | None = None
    for line in body.split(b"\n") if body else ():
        if not line.startswith(b'{"attachment":'):
            if entry is not None:
                yield UploadLine(entry=entry)
            entry = line
            continue
        if entry is None:
            raise CodecError("an attachment line stands without its entry before it")
        yield UploadLine(entry=entry, sealed=decode(Attachment, loads(line)).sealed)
        entry = None
    if entry is not None:
        yield UploadLine(entry=entry)
