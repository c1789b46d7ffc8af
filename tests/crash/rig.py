"""The terminal of the crash tests: one identity, one programme and a central that signs grants. Made from fixed keys.

Every process of a run makes the same rig, so that one can open what another wrote.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import DocumentKind, document_signing_input
from loyalty_sdk.protocol import (
    ChangesPage,
    GrantDocument,
    MemberAnswer,
    PublicKey,
    SignedDocument,
    Snapshot,
    UploadAnswer,
)
from sync.answers import StoreAcknowledgement, StoreChanges
from sync.host import Host
from sync.identity import Identity
from sync.replica import store_programme
from sync.reserve import Reserve
from sync.store import Store
from sync.transaction import Transaction

__all__ = [
    "JOURNAL",
    "MEMBERS",
    "PROGRAMME",
    "REWARD_ID",
    "REWARD_MINOR",
    "REWARD_POINTS",
    "AcknowledgeSome",
    "CatchUp",
    "Recall",
    "StoreProgramme",
    "host",
    "identity",
    "member_answer",
    "store_at",
]

JOURNAL = "journal.db"
TENANT, TERMINAL, EPOCH, KEY_ID = "crash", "till-1", "epoch-1", "central-1"
MEMBERS = tuple(f"0195a000-0000-7000-8000-{number:012d}" for number in range(8))
REWARD_ID, REWARD_POINTS, REWARD_MINOR = "five-off", 100, 500
RESERVE_BYTES = 64 * 1024
GRANT_LIFE = timedelta(hours=96)

PROGRAMME: dict[str, Any] = {
    "format": "loyalty-programme-1",
    "name": "Crash",
    # Above any version in a journal that was given to a run, so that this one is in force.
    "version": 1_000,
    "currency": "EUR",
    "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}],
    "rewards": [{"id": REWARD_ID, "points": REWARD_POINTS, "discount_minor": REWARD_MINOR}],
    "offline": {
        "points_per_sale_max": REWARD_POINTS,
        "points_per_member_max": 1_000_000,
        "redemptions_per_member_max": 10_000,
        "hours_since_contact_max": 72,
        "grant_ahead_points_max": REWARD_POINTS,
    },
}

_CENTRAL = Ed25519PrivateKey.from_private_bytes(b"central's signing key for tests!")
_SEALING = X25519PrivateKey.from_private_bytes(b"central's sealing key for tests!")


def host() -> Host:
    """Return the machine's clock and randomness: entry ids of different lives must differ."""
    return Host(now=lambda: datetime.now(UTC), random_bytes=os.urandom)


def identity() -> Identity:
    """Return the identity of the one terminal."""
    return Identity(
        tenant=TENANT,
        terminal=TERMINAL,
        token="token",
        epoch=EPOCH,
        private_key=b"the terminal's own key for tests",
        alias_key=b"the key of digests, for tests...",
        signing_keys=(PublicKey(key_id=KEY_ID, public_key=_CENTRAL.public_key().public_bytes_raw()),),
        sealing_key=PublicKey(key_id="sealing-1", public_key=_SEALING.public_key().public_bytes_raw()),
    )


def store_at(directory: Path) -> Store:
    """Return the product's store on the journal in `directory`, not yet open; its ballast is small, for speed."""
    with mock.patch("sync.store.Reserve", partial(Reserve, size_bytes=RESERVE_BYTES)):
        return Store(directory / JOURNAL, identity(), host(), "crash-test")


def member_answer(member_id: str, redemption_id: str, grant_id: str) -> MemberAnswer:
    """Return what central answers when points are wanted for one redemption: a snapshot and an exact grant."""
    now = datetime.now(UTC)
    snapshot = _snapshot(member_id, includes_seq=0)
    document = GrantDocument(
        format="loyalty-grant-1",
        grant_id=grant_id,
        tenant=TENANT,
        terminal=TERMINAL,
        member_id=member_id,
        points=REWARD_POINTS,
        not_after=now + GRANT_LIFE,
        redemption_id=redemption_id,
    )
    signed = _signed("grant", dumps(document).decode())
    return MemberAnswer(snapshot=snapshot, grants=(signed,), central_time=now)


def _snapshot(member_id: str, includes_seq: int) -> Snapshot:
    return Snapshot(
        member_id=member_id,
        name_masked="M***",
        tier="",
        balance=1_000_000,
        revision=1,
        as_of=datetime.now(UTC),
        includes_seq=includes_seq,
    )


def _signed(kind: DocumentKind, document: str) -> SignedDocument:
    signature = _CENTRAL.sign(document_signing_input(kind, document))
    return SignedDocument(document=document, key_id=KEY_ID, signature=signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProgramme:
    """Command: keep the programme, as enrolment does."""

    def __call__(self, transaction: Transaction) -> None:
        """Store it as central signed it; again changes nothing."""
        store_programme(transaction, _signed("programme", json.dumps(PROGRAMME)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeSome:
    """Command: central acknowledges a share of the queue, from 0 to 1; the answer is made and stored at once."""

    share: float

    def __call__(self, transaction: Transaction) -> int:
        """Return the new watermark."""
        head, current = transaction.head.seq, int(transaction.meta("watermark") or 0)
        watermark = current + round((head - current) * self.share)
        # An entry at the watermark may have been pruned since; its hash is kept.
        row = transaction.execute("SELECT hash FROM entries WHERE seq = ?", (watermark,)).one_or_none()
        answer = UploadAnswer(
            # A journal that was given to a run has an epoch of its own.
            epoch=transaction.meta("epoch") or EPOCH,
            watermark=watermark,
            watermark_hash=(transaction.meta("watermark_hash") or "") if row is None else row.hash.hex(),
            outcomes=(),
            central_time=datetime.now(UTC),
        )
        return StoreAcknowledgement(answer=answer)(transaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """Command: every member's balance contains all that central acknowledged, so that it can be pruned."""

    def __call__(self, transaction: Transaction) -> None:
        """Store a page of changes with their snapshots."""
        watermark = int(transaction.meta("watermark") or 0)
        snapshots = tuple(_snapshot(member_id, watermark) for member_id in MEMBERS)
        StoreChanges(page=_page(transaction, snapshots=snapshots))(transaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Command: central wants a grant back, and the terminal closes it by entry."""

    grant_id: str

    def __call__(self, transaction: Transaction) -> None:
        """Store a page of changes that says so."""
        StoreChanges(page=_page(transaction, grants_recalled=(self.grant_id,)))(transaction)


def _page(
    transaction: Transaction, snapshots: tuple[Snapshot, ...] = (), grants_recalled: tuple[str, ...] = ()
) -> ChangesPage:
    return ChangesPage(
        epoch=transaction.meta("epoch") or EPOCH,
        cursor="",
        more=False,
        snapshots=snapshots,
        grants=(),
        grants_recalled=grants_recalled,
        outcomes=(),
        programme_version=None,
        central_time=datetime.now(UTC),
    )
