"""An agent's inside without processes: a real journal in a file, central as a function, time moved by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import DocumentKind, document_signing_input
from loyalty_sdk.local import HoldRequest, IdentifyCall, SaleRequest
from loyalty_sdk.model import Context
from loyalty_sdk.programme import Programme, parse_programme
from loyalty_sdk.protocol import GrantDocument, MemberAnswer, PublicKey, SignedDocument, Snapshot
from sync.answers import StoreMember
from sync.exchange import Exchange
from sync.host import Host
from sync.identity import Identity
from sync.replica import alias_digest, store_programme
from sync.store import Store
from sync.writer import Writer
from terminal_agent.central_line import CentralLine
from terminal_agent.events import EventHub
from terminal_agent.local_api import Gate, create_app
from terminal_agent.meaning import CodeRules, MeaningReader
from terminal_agent.operations import operations
from terminal_agent.printers import InstalledPrinter, Printers
from terminal_agent.printing import Printing
from terminal_agent.progress import ProgressMeter
from terminal_agent.report_file import ReportFile
from terminal_agent.reports import Reports
from terminal_agent.scanners import Scanners
from terminal_agent.scans import ScanDesk
from terminal_agent.service import Service
from terminal_agent.status import StatusReader
from terminal_agent.training import TrainingDesk
from tests.support.terminal_memory import read_feed

__all__ = ["ANA", "BASKET", "CASH", "NOW", "TOKEN", "Central", "Clock", "FakeExchange", "Rig", "context", "problem"]

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
TOKEN = "the-token"
ANA = "member-ana"
ANA_CARD = "2400001"
TENANT, TERMINAL, EPOCH = "tenant-1", "till-1", "epoch-1"
BASKET = Basket.of("EUR", Line.of("COFFEE", 250, 2, description="Café"), Line.of("CAKE", 24_500, description="Pão"))
CASH = (Tender(kind="cash", amount_minor=25_000),)
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
SEALING_KEY = X25519PrivateKey.from_private_bytes(b"x" * 32)
PROGRAMME: dict[str, Any] = {
    "format": "loyalty-programme-1",
    "name": "Clube Aurora",
    "version": 1,
    "currency": "EUR",
    "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}],
    "rewards": [{"id": "five-off", "name": "5 off", "points": 100, "discount_minor": 500}],
    "offline": {
        "points_per_sale_max": 200,
        "points_per_member_max": 300,
        "redemptions_per_member_max": 3,
        "hours_since_contact_max": 72,
        "grant_ahead_points_max": 200,
    },
    "receipt": {"locale": "pt_PT", "header": ["Clube Aurora"], "footer": ["Obrigado!"]},
}

Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


def context(**changes: Any) -> Context:
    """A register's context."""
    values: dict[str, Any] = {"store": "12", "register": "3", "cashier": "77", "business_date": date(2026, 5, 1)}
    return Context(**values | changes)


def programme(**changes: Any) -> Programme:
    return parse_programme(json.dumps(PROGRAMME | changes))


def signed(kind: DocumentKind, document: str) -> SignedDocument:
    """A document as central signs it."""
    signature = SIGNING_KEY.sign(document_signing_input(kind, document))
    return SignedDocument(document=document, key_id="signing-1", signature=signature)


def grant(grant_id: str, points: int, *, redemption_id: str | None = None) -> SignedDocument:
    """A grant for Ana at this terminal."""
    document = GrantDocument(
        format="loyalty-grant-1",
        grant_id=grant_id,
        tenant=TENANT,
        terminal=TERMINAL,
        member_id=ANA,
        points=points,
        not_after=NOW + timedelta(hours=96),
        redemption_id=redemption_id,
    )
    return signed("grant", dumps(document).decode())


def member_answer(balance: int = 300, *, revision: int = 7, grants: tuple[SignedDocument, ...] = ()) -> MemberAnswer:
    """What central says of Ana."""
    snapshot = Snapshot(
        member_id=ANA,
        name_masked="Ana S.",
        tier="",
        balance=balance,
        revision=revision,
        as_of=NOW,
        includes_seq=1,
    )
    return MemberAnswer(snapshot=snapshot, grants=grants, central_time=NOW)


def answered(value: object) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "application/json"}, content=dumps(value))


def problem(name: str, status: int) -> httpx.Response:
    """A problem document as central sends it."""
    document = {"type": f"urn:loyalty:problem:{name}", "status": status, "detail": f"it is {name}"}
    return httpx.Response(status, headers={"Content-Type": "application/problem+json"}, content=dumps(document))


@dataclass(slots=True)
class Clock:
    """Time that stands still until it is moved."""

    monotonic_s: float = 1_000.0
    now: datetime = NOW


class _Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


@dataclass(slots=True)
class Central:
    """Central as a function; `requests` are those that reached it."""

    handler: Handler = lambda request: answered(member_answer())
    requests: list[httpx.Request] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        found = self.handler(request)
        answer = found if isinstance(found, httpx.Response) else await found
        # As from a network: the body is still to come.
        return httpx.Response(answer.status_code, headers=answer.headers, stream=_Body(answer.content))

    def down(self) -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("Connection refused", request=request)

        self.handler = refuse


@dataclass(slots=True)
class FakeExchange:
    """As much of the exchange as the online calls and the status see."""

    online: bool = True
    reached_count: int = 0
    trouble: str = ""

    def reached(self) -> None:
        self.reached_count += 1


class Rig:
    """Every part of an agent that has no thread of devices."""

    def __init__(self, folder: Path, *, deadline_ms: int = 200, with_programme: bool = True) -> None:
        self.path = folder / "journal.db"
        self.clock, self.central, self.exchange, self.hub = Clock(), Central(), FakeExchange(), EventHub()
        self._count = 0
        self.scanners = Scanners(())
        self.host = Host(now=lambda: self.clock.now, random_bytes=self._random_bytes)
        self.identity = Identity(
            tenant=TENANT,
            terminal=TERMINAL,
            token="central-token",
            epoch=EPOCH,
            private_key=b"p" * 32,
            alias_key=b"a" * 32,
            signing_keys=(PublicKey(key_id="signing-1", public_key=SIGNING_KEY.public_key().public_bytes_raw()),),
            sealing_key=PublicKey(key_id="sealing-1", public_key=SEALING_KEY.public_key().public_bytes_raw()),
        )
        self.store = Store(self.path, self.identity, self.host, "test")
        self.store.open()
        self.writer = Writer(self.store)
        self.writer.start()
        self.writer.call(read_feed)
        if with_programme:
            document = json.dumps(PROGRAMME)
            self.writer.call(lambda transaction: store_programme(transaction, signed("programme", document)))
        self.line = CentralLine(
            client=httpx.AsyncClient(base_url="http://central", transport=httpx.MockTransport(self.central)),
            token="central-token",
            exchange=cast(Exchange, self.exchange),
            deadline_ms=deadline_ms,
            now=lambda: self.clock.now,
            monotonic_s=lambda: self.clock.monotonic_s,
        )
        self.service = Service(
            store=self.store, writer=self.writer, central=self.line, identity=self.identity, host=self.host
        )
        self.training = TrainingDesk(store=self.store, now=self.host.now, new_id=self.host.new_id)
        self.report_file = ReportFile(folder / "reports.db")
        self.install(())

    def install(self, printers: tuple[InstalledPrinter, ...]) -> None:
        """Give the agent its printers, and make its local API."""
        self.printers = Printers(printers, ())
        self.printing = Printing(store=self.store, printers=self.printers, new_id=self.host.new_id)
        self.reports = Reports(
            store=self.store,
            printing=self.printing,
            printers=self.printers,
            file=self.report_file,
            trouble="",
            now=self.host.now,
            new_id=self.host.new_id,
        )
        self.status = StatusReader(
            store=self.store,
            exchange=cast(Exchange, self.exchange),
            identity=self.identity,
            printing=self.printing,
            hub=self.hub,
            meter=ProgressMeter(lambda: 0),
        )
        self.operations = operations(
            desk=ScanDesk(MeaningReader(CodeRules()), self.host.now),
            scanners=self.scanners,
            service=self.service,
            training=self.training,
            printing=self.printing,
            reports=self.reports,
            status=self.status,
        )
        self.app = create_app(
            operations=self.operations, hub=self.hub, gate=Gate(token=TOKEN), new_request_id=self.host.new_id
        )

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A program that calls the local API; a header given as empty is left out."""
        given = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://localhost",
            headers={name: value for name, value in given.items() if value},
        )

    def head_seq(self) -> int:
        with self.store.reading() as connection:
            head: int = connection.exec_driver_sql("SELECT max(seq) FROM entries").scalar_one()
        return head

    def know_ana(self, *, grants: tuple[SignedDocument, ...] = ()) -> None:
        """Let the replica hold Ana with 300 points, as an earlier online call does."""
        digest = alias_digest(self.identity, ANA_CARD)
        self.writer.call(StoreMember(answer=member_answer(grants=grants), alias_digest=digest))

    def _random_bytes(self, count: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(count, "big")

    def close(self) -> None:
        self.writer.stop()
        self.store.close()
        self.report_file.close()


def identify_call(data: str = ANA_CARD, **changes: Any) -> IdentifyCall:
    return IdentifyCall(context=context(**changes), data=data)


def sale_request(number: str = "0001", *, training: bool = False, **changes: Any) -> SaleRequest:
    values: dict[str, Any] = {
        "context": context(training=training),
        "receipt_number": number,
        "basket": BASKET,
        "tenders": CASH,
    }
    return SaleRequest(**values | changes)


def hold_request(redemption_id: str = "0190c2f0-0000-7000-8000-000000000001", *, training: bool = False) -> HoldRequest:
    return HoldRequest(
        context=context(training=training),
        redemption_id=redemption_id,
        basket=BASKET,
        member_id=ANA,
        reward_id="five-off",
    )
