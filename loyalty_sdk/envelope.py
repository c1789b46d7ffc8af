"""The entry envelope, its hash chain and every text that is signed: frozen in docs/protocol.md with test vectors.

Bytes are made once, by `encode_entry`, and from then on stored and sent as they are: nothing here re-encodes an entry.
Signing itself needs a cryptography library and lives in `sync` and `central_api`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from loyalty_sdk.basket import Basket, Tender
from loyalty_sdk.codec import CodecError, decode, dumps, loads
from loyalty_sdk.model import ReceiptKey, ReturnLine, ReversalKind

__all__ = [
    "ENTRY_BYTES_MAX",
    "ENVELOPE_VERSION",
    "Entry",
    "EntryBody",
    "EntryKind",
    "GrantClosedBody",
    "GrantUse",
    "JournalOpenedBody",
    "Redemption",
    "ReleaseBody",
    "ReversalBody",
    "SaleBody",
    "attachment_hash",
    "attachment_info",
    "chain_hash",
    "decode_entry",
    "document_signing_input",
    "encode_entry",
    "first_hash",
    "upload_signing_input",
]

ENVELOPE_VERSION = 1
ENTRY_BYTES_MAX = 1_000_000

EntryKind = Literal["journal_opened", "sale", "reversal", "release", "grant_closed"]
DocumentKind = Literal["programme", "grant", "report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOpenedBody:
    """The first entry of every journal: names the journal before it, if there was one."""

    agent_version: str
    previous_journal: str | None = None
    previous_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """The hold that a sale consumed."""

    hold_id: str
    reward_id: str
    count: int
    points: int
    discount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleBody:
    """A sale as paid. `points_earned` is what the terminal's rules gave; central recomputes and checks it."""

    cashier: str
    member_id: str | None
    basket: Basket
    tenders: tuple[Tender, ...]
    points_earned: int
    tier: str = ""
    rounding_minor: int = 0
    redemption: Redemption | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalBody:
    """A void, linked return or unlinked return.

    Linked: `original` names the sale; `lines` what comes back, None for all that is left. Unlinked: `basket` is what
    comes back, with positive quantities. The points are None where this terminal does not know the original.
    """

    kind: ReversalKind
    cashier: str
    member_id: str | None
    tenders: tuple[Tender, ...]
    original: ReceiptKey | None = None
    lines: tuple[ReturnLine, ...] | None = None
    basket: Basket | None = None
    points_debited: int | None = None
    points_credited: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseBody:
    """A hold that ended without a sale; the envelope's `grants` say what it had earmarked."""

    hold_id: str
    member_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantClosedBody:
    """The terminal gives back `points` of a grant: what is neither spent nor held."""

    grant_id: str
    member_id: str
    points: int
    reason: Literal["expired", "recalled"]


EntryBody = JournalOpenedBody | SaleBody | ReversalBody | ReleaseBody | GrantClosedBody

_BODIES: dict[str, type[EntryBody]] = {
    "journal_opened": JournalOpenedBody,
    "sale": SaleBody,
    "reversal": ReversalBody,
    "release": ReleaseBody,
    "grant_closed": GrantClosedBody,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUse:
    """`points` of one grant, with the grant as central signed it, so that even a restored central can check it."""

    grant_id: str
    points: int
    document: str
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a journal, in the order of its fields on the wire."""

    v: int
    terminal: str
    journal: str
    seq: int
    id: str
    kind: EntryKind
    occurred_at: datetime
    central_time_seen: datetime | None
    receipt_key: ReceiptKey | None
    programme_version: int | None
    snapshot_revision: int | None
    grants: tuple[GrantUse, ...]
    attachment_hash: str | None
    body: EntryBody


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    """The envelope with its body unread: a body's class depends on the kind."""

    v: int
    terminal: str
    journal: str
    seq: int
    id: str
    kind: EntryKind
    occurred_at: datetime
    central_time_seen: datetime | None
    receipt_key: ReceiptKey | None
    programme_version: int | None
    snapshot_revision: int | None
    grants: tuple[GrantUse, ...]
    attachment_hash: str | None
    body: Any


def encode_entry(entry: Entry) -> bytes:
    """Return the entry's bytes: compact UTF-8 JSON on one line. Raises CodecError above ENTRY_BYTES_MAX."""
    data = dumps(entry)
    if len(data) > ENTRY_BYTES_MAX:
        raise CodecError(f"the entry has {len(data)} bytes, {ENTRY_BYTES_MAX} are allowed; split the basket")
    return data


def decode_entry(data: bytes) -> Entry:
    """Read an entry's bytes. Raises CodecError, or BasketInvalid for a basket that does not add up."""
    envelope = decode(_Envelope, loads(data))
    if envelope.v != ENVELOPE_VERSION:
        raise CodecError(f"v is {envelope.v}; this release reads envelopes of version {ENVELOPE_VERSION}")
    fields = {name: getattr(envelope, name) for name in _Envelope.__slots__}
    return Entry(**fields | {"body": decode(_BODIES[envelope.kind], envelope.body, "body")})


def first_hash(terminal: str, journal: str, previous_hash: bytes = b"") -> bytes:
    """Return the `prev_hash` of a journal's first entry: over tag, terminal, journal id and previous hash."""
    return hashlib.sha256(_lines("loyalty-journal-v1", terminal, journal, previous_hash.hex())).digest()


def chain_hash(prev_hash: bytes, entry_bytes: bytes) -> bytes:
    """Return SHA-256(prev_hash ‖ entry bytes), 32 bytes."""
    return hashlib.sha256(prev_hash + entry_bytes).digest()


def attachment_hash(sealed: bytes) -> str:
    """Return the SHA-256 of a sealed attachment in hexadecimal, as the entry holds it."""
    return hashlib.sha256(sealed).hexdigest()


def attachment_info(terminal: str, entry_id: str) -> bytes:
    """Return HPKE's `info` (RFC 9180) for an attachment: it opens only beside the entry it was sealed for."""
    return _lines("loyalty-attachment-v1", terminal, entry_id)


def document_signing_input(kind: DocumentKind, document: str) -> bytes:
    """Return what is signed with Ed25519: domain tag and the document's exact text.

    Central signs programmes and grants, the terminal its reports.
    """
    return _lines(f"loyalty-{kind}-v1", document)


def upload_signing_input(
    *, terminal: str, journal: str, epoch: str, first_seq: int, head_seq: int, head_hash: bytes, body: bytes
) -> bytes:
    """Return what the terminal signs with Ed25519 for an upload of the entries `first_seq` to `head_seq`."""
    return _lines(
        "loyalty-upload-v1",
        terminal,
        journal,
        epoch,
        str(first_seq),
        str(head_seq),
        head_hash.hex(),
        hashlib.sha256(body).hexdigest(),
    )


def _lines(*parts: str) -> bytes:
    return "\n".join(parts).encode()
