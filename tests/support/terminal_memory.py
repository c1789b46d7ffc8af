"""A rig for tests of `sync`: one terminal's memory, the central that signs for it, a clock set by hand.

Keys are made fresh for each rig; ids are seeded, so that a failing run can be read twice. Nothing here talks to a
network: answers of central are data that a test makes and feeds in.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import DocumentKind, Entry, attachment_info, decode_entry, document_signing_input
from loyalty_sdk.local import HoldRequest, ReleaseRequest, ReversalRequest, SaleRequest
from loyalty_sdk.model import Context, Hold, ReceiptKey, ReturnLine, Reversal, ReversalKind, Sale
from loyalty_sdk.protocol import (
    ChangesPage,
    EntryOutcome,
    GrantDocument,
    MemberAnswer,
    PublicKey,
    SignedDocument,
    Snapshot,
    UploadAnswer,
)
from sync.answers import StoreMember
from sync.holds import CreateHold, ReleaseHold
from sync.host import Host
from sync.identity import Identity, new_private_key
from sync.replica import MemberView, member_view, store_programme
from sync.reversals import RecordReversal
from sync.sales import RecordSale, request_digest
from sync.store import Command, Hooks, Result, Store
from sync.transaction import Transaction

__all__ = [
    "MEMBER",
    "REWARD",
    "TODAY",
    "CentralKeys",
    "Clock",
    "TerminalMemory",
    "basket_of",
    "read_feed",
    "verify_chain",
]

T = TypeVar("T")
MEMBER = "0195a000-0000-7000-8000-000000000001"
REWARD = "five-off"
TODAY = date(2026, 5, 4)
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OFFLINE = {
    "points_per_sale_max": 200,
    "points_per_member_max": 300,
    "redemptions_per_member_max": 3,
    "hours_since_contact_max": 72,
    "grant_ahead_points_max": 400,
}


@dataclass(slots=True)
class Clock:
    """A clock that moves by hand only."""

    now: datetime = NOON

    def forward(self, **parts: float) -> None:
        """Move on by hours, minutes, …; negative numbers set the clock back."""
        self.now += timedelta(**parts)


class CentralKeys:
    """Central's keys, made fresh: what it signs, and what it opens."""

    def __init__(self) -> None:
        self._signing = Ed25519PrivateKey.generate()
        self._sealing = X25519PrivateKey.generate()
        self.signing_key = PublicKey(key_id="signing-1", public_key=self._signing.public_key().public_bytes_raw())
        self.sealing_key = PublicKey(key_id="sealing-1", public_key=self._sealing.public_key().public_bytes_raw())

    def sign(self, kind: DocumentKind, document: str) -> SignedDocument:
        """Return the document with central's signature."""
        signature = self._signing.sign(document_signing_input(kind, document))
        return SignedDocument(document=document, key_id=self.signing_key.key_id, signature=signature)

    def open(self, sealed: bytes, terminal: str, entry_id: str) -> bytes:
        """Open a sealed attachment beside its entry. Raises InvalidTag."""
        suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
        return suite.decrypt(sealed, self._sealing, info=attachment_info(terminal, entry_id))


def basket_of(*amounts_minor: int) -> Basket:
    """A basket in EUR with one article for each amount."""
    return Basket.of("EUR", *(Line.of(f"SKU-{number}", amount) for number, amount in enumerate(amounts_minor, 1)))


def verify_chain(first_prev_hash: bytes, entries: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Check (seq, bytes, hash) from 1 on without gaps, with hashlib alone."""
    before = first_prev_hash
    for place, (seq, data, stored) in enumerate(entries, start=1):
        assert seq == place
        before = hashlib.sha256(before + data).digest()
        assert before == stored


def read_feed(transaction: Transaction) -> None:
    """Command: be a terminal that has read its feed to the end: grants that come from now on are new ones."""
    transaction.prove()
    transaction.execute("DELETE FROM meta WHERE name = 'feed_anew'")


@dataclass
class TerminalMemory:
    """One terminal with its store; `path` None keeps it in memory."""

    path: Path | None = None
    hooks: Hooks | None = None
    offline: dict[str, int] = field(default_factory=lambda: dict(OFFLINE))
    keys: CentralKeys = field(default_factory=CentralKeys)
    clock: Clock = field(default_factory=Clock)
    receipts: int = 0
    grants: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(7)
        self.host = Host(now=lambda: self.clock.now, random_bytes=self.random.randbytes)
        self.identity = Identity(
            tenant="tenant-1",
            terminal="till-1",
            token="token-1",
            epoch="epoch-1",
            private_key=new_private_key(),
            alias_key=self.random.randbytes(32),
            signing_keys=(self.keys.signing_key,),
            sealing_key=self.keys.sealing_key,
        )
        self.store = self.new_store()
        self.store.open()
        if self.store.head_seq == 1:
            self.run(read_feed)
        self.context = Context(store="store-1", register="lane-1", cashier="ana", business_date=TODAY)

    def new_store(self) -> Store:
        """Return a store on the same file, not yet open."""
        return Store(self.path, self.identity, self.host, "test", hooks=self.hooks)

    def reopen(self) -> None:
        """Close the file and open it again, as a restarted agent does."""
        self.store.close()
        self.store = self.new_store()
        self.store.open()

    def results(self, *commands: Command) -> list[Result]:
        """Run commands in one commit."""
        return self.store.transact(commands)

    def run(self, command: Callable[[Transaction], T]) -> T:
        """Run one command; its error is raised here."""
        (result,) = self.store.transact([command])
        if result.error is not None:
            raise result.error
        value: T = result.value
        return value

    def rows(self, statement: str, *parameters: object) -> list[Any]:
        """Read rows by SQL."""
        with self.store.reading() as connection:
            return list(connection.exec_driver_sql(statement, parameters).all())

    def scalar(self, statement: str, *parameters: object) -> Any:
        """Read one value by SQL."""
        with self.store.reading() as connection:
            return connection.exec_driver_sql(statement, parameters).scalar()

    # What is in the journal

    def entries(self) -> list[Entry]:
        """Every entry, in order."""
        return [decode_entry(row.bytes) for row in self.rows("SELECT bytes FROM entries ORDER BY seq")]

    def chain(self) -> list[tuple[int, bytes, bytes]]:
        """Every entry as (seq, bytes, hash)."""
        return [tuple(row) for row in self.rows("SELECT seq, bytes, hash FROM entries ORDER BY seq")]

    @property
    def journal(self) -> str:
        """The journal's id."""
        return str(self.scalar("SELECT value FROM meta WHERE name = 'journal'"))

    def first_prev_hash(self) -> bytes:
        """The hash before entry 1, by docs/protocol.md and hashlib alone."""
        return hashlib.sha256(f"loyalty-journal-v1\n{self.identity.terminal}\n{self.journal}\n".encode()).digest()

    def check_chain(self) -> None:
        """Check that the journal is dense and chained."""
        verify_chain(self.first_prev_hash(), self.chain())

    def view(self, member_id: str = MEMBER) -> MemberView | None:
        """The member as shown at this till."""
        with self.store.reading() as connection:
            return member_view(connection, member_id)

    def grant_row(self, grant_id: str) -> Any:
        """The row of a grant."""
        (row,) = self.rows("SELECT * FROM grants WHERE grant_id = ?", grant_id)
        return row

    # What central says

    def programme(self, version: int = 1, **changes: Any) -> SignedDocument:
        """A signed programme: one point for each whole unit of money, one reward of 100 points for 5."""
        document = {
            "format": "loyalty-programme-1",
            "name": "Test",
            "version": version,
            "currency": "EUR",
            "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}],
            "rewards": [{"id": REWARD, "points": 100, "discount_minor": 500, "count_per_sale_max": 3}],
            "offline": self.offline,
        }
        return self.keys.sign("programme", json.dumps(document | changes))

    def store_programme(self, version: int = 1, **changes: Any) -> None:
        """Store a signed programme."""
        signed = self.programme(version, **changes)
        self.run(lambda transaction: store_programme(transaction, signed))

    def grant(self, points: int, *, member_id: str = MEMBER, hours: float = 96, **changes: Any) -> SignedDocument:
        """A signed grant for this terminal."""
        self.grants += 1
        values: dict[str, Any] = {
            "format": "loyalty-grant-1",
            "grant_id": f"grant-{self.grants}",
            "tenant": self.identity.tenant,
            "terminal": self.identity.terminal,
            "member_id": member_id,
            "points": points,
            "not_after": self.clock.now + timedelta(hours=hours),
        }
        return self.keys.sign("grant", dumps(GrantDocument(**values | changes)).decode())

    def snapshot(self, balance: int, *, member_id: str = MEMBER, revision: int = 1, includes_seq: int = 0) -> Snapshot:
        """A snapshot of a member."""
        return Snapshot(
            member_id=member_id,
            name_masked="A***",
            tier="gold",
            balance=balance,
            revision=revision,
            as_of=self.clock.now,
            includes_seq=includes_seq,
        )

    def know(
        self,
        balance: int,
        *grants: SignedDocument,
        member_id: str = MEMBER,
        revision: int = 1,
        includes_seq: int = 0,
        digest: bytes | None = None,
    ) -> None:
        """Central answers for a member: a contact, a snapshot and grants."""
        answer = MemberAnswer(
            snapshot=self.snapshot(balance, member_id=member_id, revision=revision, includes_seq=includes_seq),
            grants=grants,
            central_time=self.clock.now,
        )
        self.run(StoreMember(answer=answer, alias_digest=digest))

    def acknowledgement(self, watermark: int, *outcomes: EntryOutcome, **changes: Any) -> UploadAnswer:
        """Central's answer to an upload, with our own hash unless said otherwise."""
        hash_of = self.scalar("SELECT hash FROM entries WHERE seq = ?", watermark)
        values: dict[str, Any] = {
            "epoch": self.identity.epoch,
            "watermark": watermark,
            "watermark_hash": "" if hash_of is None else hash_of.hex(),
            "outcomes": outcomes,
            "central_time": self.clock.now,
        }
        return UploadAnswer(**values | changes)

    def changes(self, **parts: Any) -> ChangesPage:
        """A page of changes with nothing in it but what is given."""
        values: dict[str, Any] = {
            "epoch": self.identity.epoch,
            "cursor": "cursor-1",
            "more": False,
            "snapshots": (),
            "grants": (),
            "grants_recalled": (),
            "outcomes": (),
            "programme_version": None,
            "central_time": self.clock.now,
        }
        return ChangesPage(**values | parts)

    # What a POS asks

    def sale_request(self, basket: Basket | None = None, *, discount_minor: int = 0, **changes: Any) -> SaleRequest:
        """A sale that is paid in cash; a new receipt number unless one is given."""
        basket = basket or basket_of(1_000)
        if "receipt_number" not in changes:
            self.receipts += 1
            changes["receipt_number"] = str(self.receipts)
        due = basket.total_minor - discount_minor + changes.get("rounding_minor", 0)
        values: dict[str, Any] = {
            "context": self.context,
            "basket": basket,
            "tenders": (Tender(kind="cash", amount_minor=due),),
        }
        return SaleRequest(**values | changes)

    def sale_command(self, request: SaleRequest) -> RecordSale:
        """The command that the agent makes of a request."""
        entry_id = self.host.new_id()
        sealed = None
        if request.member_id is None and request.alias is not None:
            sealed = self.identity.seal(dumps({"alias": request.alias}), entry_id)
        digest = request_digest(self.identity, request)
        return RecordSale(request=request, digest=digest, entry_id=entry_id, sealed=sealed)

    def sell(self, basket: Basket | None = None, **changes: Any) -> Sale:
        """Record a sale of the member, or of whom `member_id` says."""
        changes.setdefault("member_id", MEMBER)
        return self.run(self.sale_command(self.sale_request(basket, **changes)))

    def hold_request(self, count: int = 1, *, redemption_id: str | None = None, **changes: Any) -> HoldRequest:
        """A hold on the one reward."""
        values: dict[str, Any] = {
            "context": self.context,
            "redemption_id": redemption_id or self.host.new_id(),
            "basket": basket_of(5_000),
            "member_id": MEMBER,
            "reward_id": REWARD,
            "count": count,
        }
        return HoldRequest(**values | changes)

    def hold(self, count: int = 1, *, online: bool = True, **changes: Any) -> Hold:
        """Make a hold."""
        return self.run(CreateHold(request=self.hold_request(count, **changes), online=online))

    def release(self, hold: Hold | str, reason: str = "cancelled") -> Hold:
        """Release a hold."""
        hold_id = hold if isinstance(hold, str) else hold.hold_id
        return self.run(ReleaseHold(request=ReleaseRequest(context=self.context, hold_id=hold_id, reason=reason)))

    def redeem(self, hold: Hold, **changes: Any) -> Sale:
        """Record a sale of 50 with the hold."""
        return self.sell(basket_of(5_000), discount_minor=hold.discount_minor, hold_id=hold.hold_id, **changes)

    def reversal_request(
        self, kind: ReversalKind, original: ReceiptKey | None = None, *lines: ReturnLine, **changes: Any
    ) -> ReversalRequest:
        """A reversal; without lines all that is left."""
        if "receipt_number" not in changes:
            self.receipts += 1
            changes["receipt_number"] = str(self.receipts)
        return ReversalRequest(context=self.context, kind=kind, original=original, lines=lines or None, **changes)

    def reversal_command(self, request: ReversalRequest) -> RecordReversal:
        """The command that the agent makes of a request."""
        digest = request_digest(self.identity, request)
        return RecordReversal(request=request, digest=digest, entry_id=self.host.new_id())

    def reverse(
        self, kind: ReversalKind, original: ReceiptKey | None = None, *lines: ReturnLine, **changes: Any
    ) -> Reversal:
        """Record a reversal."""
        return self.run(self.reversal_command(self.reversal_request(kind, original, *lines, **changes)))
