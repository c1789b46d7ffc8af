"""A small terminal for tests of central: makes chained entries and signed uploads with `cryptography` alone.

It shares no code with `sync`: what both sides agree on is `loyalty_sdk` and docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.codec import decode, dumps, loads
from loyalty_sdk.envelope import (
    Entry,
    EntryBody,
    GrantClosedBody,
    GrantUse,
    JournalOpenedBody,
    Redemption,
    ReleaseBody,
    ReversalBody,
    SaleBody,
    attachment_hash,
    attachment_info,
    chain_hash,
    encode_entry,
    first_hash,
    upload_signing_input,
)
from loyalty_sdk.ids import uuid7
from loyalty_sdk.model import ReceiptKey, ReturnLine
from loyalty_sdk.programme import Programme
from loyalty_sdk.protocol import (
    EnrolmentAnswer,
    EnrolmentRequest,
    GrantDocument,
    SignedDocument,
    UploadHeaders,
    join_upload,
)
from loyalty_sdk.rules import points_earned

__all__ = ["Recorded", "SupportTerminal", "basket_of", "grant_document", "grant_use"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One entry in the test terminal's journal."""

    entry: Entry
    data: bytes
    hash: bytes
    sealed: bytes | None = None


def basket_of(*amounts_minor: int) -> Basket:
    """A basket in EUR with one article for each amount."""
    return Basket.of("EUR", *(Line.of(f"SKU-{number}", amount) for number, amount in enumerate(amounts_minor, 1)))


def grant_document(signed: SignedDocument) -> GrantDocument:
    """What a signed grant says."""
    return decode(GrantDocument, loads(signed.document))


def grant_use(signed: SignedDocument, points: int) -> GrantUse:
    """The use of so many points of a grant."""
    grant_id = grant_document(signed).grant_id
    return GrantUse(
        grant_id=grant_id,
        points=points,
        document=signed.document,
        key_id=signed.key_id,
        signature=signed.signature,
    )


@dataclass(slots=True)
class SupportTerminal:
    """One terminal with one journal. `seed` makes its keys and ids, `now` is its clock and is moved by hand."""

    seed: int
    now: datetime
    programme: Programme | None = None
    name: str = ""
    enrolment: EnrolmentAnswer | None = None
    journal: str = ""
    recorded: list[Recorded] = field(default_factory=list)
    start_hash: bytes = b""
    _count: int = 0
    _receipts: int = 0

    def random_bytes(self, count: int) -> bytes:
        """Bytes that are the same in every run."""
        self._count += 1
        whole = self.seed.to_bytes(4, "big") + self._count.to_bytes(6, "big")
        return (whole * (count // len(whole) + 1))[-count:]

    def new_id(self) -> str:
        return uuid7(self.now, self.random_bytes)

    @property
    def key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed.to_bytes(32, "big"))

    def enrolment_request(self, code: str) -> EnrolmentRequest:
        return EnrolmentRequest(code=code, public_key=self.key.public_key().public_bytes_raw(), agent_version="test")

    def enrolled(self, answer: EnrolmentAnswer) -> None:
        """Take central's answer and open the journal."""
        self.enrolment, self.name = answer, answer.terminal
        self.open_journal()

    def open_journal(self) -> None:
        """Begin a new journal, as a new database file does."""
        self.journal, self.recorded = self.new_id(), []
        self.start_hash = first_hash(self.name, self.journal)
        self.record("journal_opened", JournalOpenedBody(agent_version="test"))

    def receipt_key(self, number: int | None = None) -> ReceiptKey:
        self._receipts += 1
        return ReceiptKey(
            store="store-1",
            register=f"register-{self.seed}",
            business_date=self.now.date(),
            number=str(number if number is not None else self._receipts),
        )

    def record(self, kind: Any, body: EntryBody, *, alias: str | None = None, **fields: Any) -> Recorded:
        """Append one entry; fields of the envelope may be given by name."""
        entry_id = fields.pop("id", None) or self.new_id()
        sealed = self._sealed(alias, entry_id) if alias is not None else None
        values: dict[str, Any] = {
            "v": 1,
            "terminal": self.name,
            "journal": self.journal,
            "seq": len(self.recorded) + 1,
            "id": entry_id,
            "kind": kind,
            "occurred_at": self.now,
            "central_time_seen": None,
            "receipt_key": None,
            "programme_version": self.programme.version if self.programme is not None else None,
            "snapshot_revision": None,
            "grants": (),
            "attachment_hash": attachment_hash(sealed) if sealed is not None else None,
            "body": body,
        }
        entry = Entry(**values | fields)
        return self.record_bytes(encode_entry(entry), entry, sealed)

    def record_bytes(self, data: bytes, entry: Any = None, sealed: bytes | None = None) -> Recorded:
        """Append bytes as they are, readable or not."""
        before = self.recorded[-1].hash if self.recorded else self.start_hash
        made = Recorded(entry=entry, data=data, hash=chain_hash(before, data), sealed=sealed)
        self.recorded.append(made)
        self.now += timedelta(seconds=1)
        return made

    def sale(
        self,
        basket: Basket,
        member_id: str | None = None,
        *,
        alias: str | None = None,
        redemption: Redemption | None = None,
        uses: Sequence[GrantUse] = (),
        receipt_key: ReceiptKey | None = None,
        points: int | None = None,
        **fields: Any,
    ) -> Recorded:
        """Record a sale with the points that the rules give, or with others."""
        discount = redemption.discount_minor if redemption is not None else 0
        earned = points_earned(self.programme, basket, discount) if self.programme is not None else 0
        body = SaleBody(
            cashier="c",
            member_id=member_id,
            basket=basket,
            tenders=(Tender(kind="cash", amount_minor=basket.total_minor - discount),),
            points_earned=earned if points is None else points,
            redemption=redemption,
        )
        key = receipt_key or self.receipt_key()
        return self.record("sale", body, alias=alias, receipt_key=key, grants=tuple(uses), **fields)

    def redemption(self, count: int = 1, hold_id: str | None = None) -> Redemption:
        """The programme's first reward, `count` times."""
        assert self.programme is not None
        reward = self.programme.rewards[0]
        return Redemption(
            hold_id=hold_id or self.new_id(),
            reward_id=reward.id,
            count=count,
            points=reward.points * count,
            discount_minor=reward.discount_minor * count,
        )

    def linked_return(self, sale: Recorded, *lines: ReturnLine, kind: Any = "return", **fields: Any) -> Recorded:
        """Record a void, or a return of some lines, or of all that is left."""
        body = ReversalBody(
            kind=kind,
            cashier="c",
            member_id=None,
            tenders=(),
            original=sale.entry.receipt_key,
            lines=lines or None,
            points_debited=fields.pop("points_debited", None),
            points_credited=fields.pop("points_credited", None),
        )
        return self.record("reversal", body, receipt_key=self.receipt_key(), **fields)

    def unlinked_return(self, basket: Basket, member_id: str | None = None, alias: str | None = None) -> Recorded:
        body = ReversalBody(kind="unlinked_return", cashier="c", member_id=member_id, tenders=(), basket=basket)
        return self.record("reversal", body, alias=alias, receipt_key=self.receipt_key())

    def release(self, member_id: str, *uses: GrantUse) -> Recorded:
        body = ReleaseBody(hold_id=self.new_id(), member_id=member_id, reason="cancelled")
        return self.record("release", body, grants=uses)

    def close_grant(
        self, signed: SignedDocument, points: int, reason: Any = "expired", uses: tuple[GrantUse, ...] = ()
    ) -> Recorded:
        document = grant_document(signed)
        body = GrantClosedBody(grant_id=document.grant_id, member_id=document.member_id, points=points, reason=reason)
        return self.record("grant_closed", body, grants=uses)

    def upload(
        self, first_seq: int = 1, head_seq: int | None = None, *, epoch: str | None = None
    ) -> tuple[UploadHeaders, bytes]:
        """Return headers and body of a signed upload of some entries, all of them unless said otherwise."""
        assert self.enrolment is not None
        head_seq = head_seq if head_seq is not None else len(self.recorded)
        part = self.recorded[first_seq - 1 : head_seq]
        body = join_upload((one.data, attachment_hash(one.sealed or b""), one.sealed) for one in part)
        epoch = epoch or self.enrolment.epoch
        message = upload_signing_input(
            terminal=self.name,
            journal=self.journal,
            epoch=epoch,
            first_seq=first_seq,
            head_seq=head_seq,
            head_hash=part[-1].hash,
            body=body,
        )
        headers = UploadHeaders(
            epoch=epoch,
            first_seq=first_seq,
            head_seq=head_seq,
            head_hash=part[-1].hash,
            signature=self.key.sign(message),
        )
        return headers, body

    def _sealed(self, alias: str, entry_id: str) -> bytes:
        assert self.enrolment is not None
        suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
        public = X25519PublicKey.from_public_bytes(self.enrolment.sealing_key.public_key)
        plain = dumps({"alias": alias, "entry_method": "scanned"})
        return suite.encrypt(plain, public, info=attachment_info(self.name, entry_id))
