"""What this terminal knows of members and of the programme: snapshots, aliases, programme versions.

Snapshots are immutable statements of central; the balance shown is a snapshot plus the terminal's own entries after
the last one that the snapshot contains. An alias is kept as a keyed digest only (Law 12).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from loyalty_sdk.codec import encode
from loyalty_sdk.programme import Programme, parse_programme
from loyalty_sdk.protocol import SignedDocument, Snapshot
from sync.identity import Identity
from sync.statements import PinnedConnection
from sync.transaction import Transaction

__all__ = [
    "MemberView",
    "alias_digest",
    "current_programme",
    "member_by_alias",
    "member_view",
    "programme_version",
    "store_alias",
    "store_programme",
    "store_snapshot",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """A member as this terminal sees it now: the balance contains its own entries, `as_of` is the snapshot's time."""

    member_id: str
    name_masked: str
    tier: str
    balance: int
    revision: int
    as_of: datetime


def alias_digest(identity: Identity, alias: str) -> bytes:
    """Return the digest under which an alias is kept here: HMAC-SHA256 with a key that never leaves the terminal."""
    return hmac.digest(identity.alias_key, alias.encode(), "sha256")


def member_by_alias(connection: PinnedConnection, digest: bytes) -> str | None:
    """Return the member that an alias was resolved to before."""
    member_id: str | None = connection.exec_driver_sql(
        "SELECT member_id FROM aliases WHERE digest = ?", (digest,)
    ).scalar()
    return member_id


def member_view(connection: PinnedConnection, member_id: str) -> MemberView | None:
    """Return the member with the balance to show; None where no snapshot is there."""
    row = connection.exec_driver_sql(
        "SELECT s.name_masked, s.tier, s.balance, s.revision, s.as_of,"
        " (SELECT coalesce(sum(e.points), 0) FROM entries e WHERE e.member_id = s.member_id AND e.seq > s.includes_seq)"
        " FROM snapshots s WHERE s.member_id = ?",
        (member_id,),
    ).one_or_none()
    if row is None:
        return None
    name_masked, tier, balance, revision, as_of, own_points = row
    return MemberView(
        member_id=member_id,
        name_masked=name_masked,
        tier=tier,
        balance=balance + own_points,
        revision=revision,
        as_of=datetime.fromisoformat(as_of),
    )


def current_programme(connection: PinnedConnection) -> Programme | None:
    """Return the newest version of the programme that this terminal has."""
    document = connection.exec_driver_sql("SELECT document FROM programmes ORDER BY version DESC LIMIT 1").scalar()
    return None if document is None else _parsed(document)


def programme_version(connection: PinnedConnection, version: int | None) -> Programme | None:
    """Return one version of the programme."""
    document = connection.exec_driver_sql("SELECT document FROM programmes WHERE version = ?", (version,)).scalar()
    return None if document is None else _parsed(document)


def store_programme(transaction: Transaction, signed: SignedDocument) -> Programme:
    """Keep a programme version that central signed. Raises SignatureRefused, CodecError."""
    programme = parse_programme(transaction.identity.verify("programme", signed))
    transaction.execute(
        "INSERT INTO programmes VALUES (?, ?, ?, ?) ON CONFLICT (version) DO NOTHING",
        (programme.version, signed.document, signed.key_id, signed.signature),
    )
    return programme


def store_alias(transaction: Transaction, digest: bytes, member_id: str) -> None:
    """Keep which member an alias is."""
    transaction.execute(
        "INSERT INTO aliases VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET member_id = excluded.member_id",
        (digest, member_id),
    )


def store_snapshot(transaction: Transaction, snapshot: Snapshot) -> None:
    """Keep a snapshot unless a newer one is here; one that claims entries we never wrote is not believed."""
    if snapshot.includes_seq > transaction.head.seq:
        return
    transaction.execute(
        "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (member_id) DO UPDATE SET"
        " name_masked = excluded.name_masked, tier = excluded.tier, balance = excluded.balance,"
        " revision = excluded.revision, as_of = excluded.as_of, includes_seq = excluded.includes_seq"
        " WHERE (excluded.revision, excluded.includes_seq) >= (revision, includes_seq)",
        (
            snapshot.member_id,
            snapshot.name_masked,
            snapshot.tier,
            snapshot.balance,
            snapshot.revision,
            encode(snapshot.as_of),
            snapshot.includes_seq,
        ),
    )


@lru_cache(maxsize=8)
def _parsed(document: str) -> Programme:
    return parse_programme(document)
