"""A central to measure: its database with a programme, members and terminals, and uploads that were signed beforehand.

Terminals enrol by rows, not by calls: what is measured begins when they are there. Measures nothing.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from bench.terminal import PROGRAMME, member_id, sales
from central_api.bootstrap import initialise
from central_api.programmes.versions import activate_programme
from central_api.storage.installation import epoch_of
from central_api.storage.schema import terminals
from central_api.storage.statements import insert_rows
from loyalty_sdk.envelope import (
    Entry,
    JournalOpenedBody,
    SaleBody,
    chain_hash,
    encode_entry,
    first_hash,
    upload_signing_input,
)
from loyalty_sdk.model import ReceiptKey
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import UploadHeaders
from loyalty_sdk.rules import points_earned

__all__ = [
    "BATCH",
    "ENTRY_PREFIX",
    "JOURNAL_PREFIX",
    "TENANT",
    "Site",
    "Upload",
    "Uploader",
    "new_site",
    "uploaders",
]

BATCH = 100
TENANT = "bench"
ENTRY_PREFIX = "0192f0a1-"
JOURNAL_PREFIX = "0192f0a0-0000-7000-8001-"
# Both databases understand it; a key of twelve digits is cut from a larger number.
MEMBERS_SQL = """
INSERT INTO members (tenant, member_id, created_at)
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count})
SELECT 'bench', '0192f0a0-0000-7000-8000-' || substr(cast(1000000000000 + n AS text), 2), '{now}' FROM numbers"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A central's database, ready to be served: `members` of them exist, and `terminals` are enrolled."""

    url: str
    keys: Path
    epoch: str
    members: int
    terminals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One signed upload of a journal, as it is sent; `rows` are id, member, points and bytes of its entries."""

    path: str
    headers: dict[str, str]
    body: bytes
    head_seq: int
    rows: tuple[tuple[str, str, int, bytes], ...]


async def new_site(url: str, keys: Path, *, members: int, terminals: int, programme: str = PROGRAMME) -> Site:
    """Make central's database; `keys` is a file that does not exist yet, `programme` version 1 with the same rules."""
    central, _ = await initialise(url, keys, TENANT)
    now = datetime.now(UTC)

    def fill(connection: Connection) -> str:
        activate_programme(connection, central.capabilities, TENANT, programme)
        connection.exec_driver_sql(MEMBERS_SQL.format(count=members, now=now.isoformat(timespec="milliseconds")))
        _enrol(connection, terminals, now)
        return epoch_of(connection)

    try:
        epoch = await central.database.write(fill)
    finally:
        await central.database.close()
    return Site(url=url, keys=keys, epoch=epoch, members=members, terminals=terminals)


def _enrol(connection: Connection, count: int, now: datetime) -> None:
    rows = [
        {
            "tenant": TENANT,
            "terminal": _name(number),
            "state": "enrolled",
            "public_key": _key(number).public_key().public_bytes_raw(),
            "token_hash": hashlib.sha256(_token(number).encode()).hexdigest(),
            "created_at": now,
            "enrolled_at": now,
        }
        for number in range(count)
    ]
    insert_rows(connection, terminals, rows)


class Uploader:
    """One terminal with one journal; it makes uploads of BATCH sales, each beginning where the last one ended.

    `choose` gives the member of each sale.
    """

    def __init__(self, site: Site, number: int, choose: Callable[[], str]) -> None:
        self._site = site
        self._number = number
        self._choose = choose
        self._programme = parse_programme(PROGRAMME)
        self._journal = f"{JOURNAL_PREFIX}{number:012d}"
        self._seq = 0
        self._hash = first_hash(_name(number), self._journal)
        self._requests = sales(1 + number)
        self._ids = (f"{ENTRY_PREFIX}{number:04x}-7000-8000-{count:012d}" for count in itertools.count())

    def opening(self) -> Upload:
        """Return the upload of the journal's first entry."""
        return self._signed([self._entry("journal_opened", JournalOpenedBody(agent_version="bench"))])

    def next(self) -> Upload:
        """Return the next upload of BATCH sales."""
        return self._signed([self._sale() for _ in range(BATCH)])

    def _sale(self) -> tuple[str, str, int, bytes]:
        request, member = next(self._requests), self._choose()
        earned = points_earned(self._programme, request.basket)
        key = ReceiptKey(
            store=request.context.store,
            register=f"{self._number}",
            business_date=request.context.business_date,
            number=request.receipt_number,
        )
        body = SaleBody(
            cashier=request.context.cashier,
            member_id=member,
            basket=request.basket,
            tenders=request.tenders,
            points_earned=earned,
        )
        return self._entry("sale", body, key, member, earned)

    def _entry(
        self,
        kind: str,
        body: SaleBody | JournalOpenedBody,
        receipt_key: ReceiptKey | None = None,
        member: str = "",
        points: int = 0,
    ) -> tuple[str, str, int, bytes]:
        self._seq += 1
        now = datetime.now(UTC)
        entry = Entry(
            v=1,
            terminal=_name(self._number),
            journal=self._journal,
            seq=self._seq,
            id=next(self._ids),
            kind=kind,  # type: ignore[arg-type]  # both kinds that are given are kinds of entries
            occurred_at=now,
            central_time_seen=now,
            receipt_key=receipt_key,
            programme_version=1 if receipt_key else None,
            snapshot_revision=1 if receipt_key else None,
            grants=(),
            attachment_hash=None,
            body=body,
        )
        return entry.id, member, points, encode_entry(entry)

    def _signed(self, rows: list[tuple[str, str, int, bytes]]) -> Upload:
        first_seq = self._seq - len(rows) + 1
        for *_, data in rows:
            self._hash = chain_hash(self._hash, data)
        body = b"\n".join(data for *_, data in rows)
        message = upload_signing_input(
            terminal=_name(self._number),
            journal=self._journal,
            epoch=self._site.epoch,
            first_seq=first_seq,
            head_seq=self._seq,
            head_hash=self._hash,
            body=body,
        )
        headers = UploadHeaders(
            epoch=self._site.epoch,
            first_seq=first_seq,
            head_seq=self._seq,
            head_hash=self._hash,
            signature=_key(self._number).sign(message),
        )
        sent = {"Authorization": f"Bearer {_token(self._number)}", "Content-Type": "application/x-ndjson"}
        return Upload(
            path=f"/v1/journals/{self._journal}/entries",
            headers=sent | headers.to_headers(),
            body=body,
            head_seq=self._seq,
            rows=tuple(rows),
        )


def uploaders(site: Site, first: int, count: int, choose: Callable[[], str] | None = None) -> list[Uploader]:
    """Return `count` terminals from the number `first` on; without `choose` their sales are to any of the members."""
    return [Uploader(site, number, choose or _anybody(site, number)) for number in range(first, first + count)]


def _anybody(site: Site, number: int) -> Callable[[], str]:
    chance = Random(number)
    return lambda: member_id(chance.randrange(site.members))


def _name(number: int) -> str:
    return f"till-{number}"


def _token(number: int) -> str:
    return f"bench-token-{number}"


def _key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
