"""A terminal to measure: its identity, programme, members and sales, and journals filled in the real format."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.envelope import SaleBody
from loyalty_sdk.local import SaleRequest
from loyalty_sdk.model import Context, Sale
from loyalty_sdk.programme import Programme, parse_programme
from loyalty_sdk.protocol import PublicKey, Snapshot
from loyalty_sdk.rules import points_earned
from sync.host import Host
from sync.identity import Identity, new_private_key, public_key_of
from sync.journal import remember_receipt
from sync.replica import store_snapshot
from sync.sales import RecordSale, receipt_key_of, request_digest
from sync.store import Store
from sync.transaction import Transaction
from sync.writer import Writer
from terminal_agent.bootstrap import system_host

__all__ = ["CONTEXT", "MEMBERS", "Terminal", "fill", "new_identity", "open_terminal", "sales", "stock_members"]

CONTEXT = Context(store="0001", register="1", cashier="Inês", business_date=date(2026, 5, 1))
MEMBERS = 10_000
FILL_ENTRIES = 5_000

PROGRAMME = """{"format": "loyalty-programme-1", "name": "Clube Aurora", "version": 1, "currency": "EUR",
 "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}],
 "rewards": [{"id": "five-off", "points": 100, "discount_minor": 500}],
 "receipt": {"locale": "pt_PT", "header": ["Mercearia Aurora", "Rua Direita 12, Évora"], "footer": ["Obrigado!"]}}"""


def new_identity() -> Identity:
    """Return the identity of a terminal that no central knows."""
    private_key = new_private_key()
    public = PublicKey(key_id="bench", public_key=public_key_of(private_key))
    return Identity(
        tenant="bench",
        terminal="till-1",
        token="bench",
        epoch="bench",
        private_key=private_key,
        alias_key=bytes(range(32)),
        signing_keys=(public,),
        sealing_key=public,
    )


def member_id(number: int) -> str:
    """Return the id of a member of the shop, from 0 to MEMBERS - 1."""
    return f"0192f0a0-0000-7000-8000-{number:012d}"


def sales(first_number: int = 1, members: int = MEMBERS) -> Iterator[SaleRequest]:
    """Give one sale after another: two articles, paid in cash, by some member of the shop."""
    basket = Basket.of(
        "EUR",
        Line.of("5601234567890", 249, 2, description="Azeite virgem extra 0,75 l", category="grocery"),
        Line.of("5609876543210", 115, description="Pão de Mafra", category="bakery"),
    )
    tenders = (Tender(kind="cash", amount_minor=basket.total_minor),)
    chance = random.Random(first_number)
    for number in itertools.count(first_number):
        yield SaleRequest(
            context=CONTEXT,
            receipt_number=str(number),
            basket=basket,
            tenders=tenders,
            member_id=member_id(chance.randrange(members)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """An open journal with its writer, and the shop's sales."""

    store: Store
    writer: Writer
    identity: Identity
    host: Host
    requests: Iterator[SaleRequest] = field(default_factory=sales)

    def command(self) -> RecordSale:
        """Return the next sale as the agent's service makes it of a request."""
        request = next(self.requests)
        return RecordSale(request=request, digest=request_digest(self.identity, request), entry_id=self.host.new_id())

    def record(self) -> Sale:
        """Record the next sale durably, as the agent's service does."""
        return self.writer.call(self.command())


@contextmanager
def open_terminal(path: Path, identity: Identity, first_number: int = 1) -> Iterator[Terminal]:
    """Open a journal, new or old, with its writer, and close it."""
    host = system_host()
    store = Store(path, identity, host, "bench")
    store.open()
    writer = Writer(store)
    writer.start()
    try:
        yield Terminal(store=store, writer=writer, identity=identity, host=host, requests=sales(first_number))
    finally:
        writer.stop()
        store.close()


def prepare(path: Path, identity: Identity) -> None:
    """Make a journal with the programme and a snapshot of every member in it."""
    store = Store(path, identity, system_host(), "bench")
    store.open()
    try:
        _check(store, lambda transaction: _stock(transaction))
    finally:
        store.close()


def fill(path: Path, identity: Identity, entries: int, advance: Callable[[int], None]) -> None:
    """Append sales until `entries` are in the journal, with their receipt keys, in large transactions."""
    store = Store(path, identity, system_host(), "bench")
    store.open()
    requests, programme = sales(), parse_programme(PROGRAMME)
    try:
        while (missing := entries - _head(store)) > 0:
            count = min(missing, FILL_ENTRIES)
            _check(store, lambda transaction, count=count: _append(transaction, requests, programme, count))  # type: ignore[misc]  # the default binds the loop's count
            advance(count)
    finally:
        store.close()


def stock_members(transaction: Transaction) -> None:
    """Keep a snapshot of every member that contains the journal as far as it is acknowledged."""
    watermark = int(transaction.meta("watermark") or 0)
    as_of = datetime.now(UTC)
    for number in range(MEMBERS):
        snapshot = Snapshot(
            member_id=member_id(number),
            name_masked="M*** S***",
            tier="",
            balance=1_000,
            revision=1 + watermark,
            as_of=as_of,
            includes_seq=watermark,
        )
        store_snapshot(transaction, snapshot)


def _stock(transaction: Transaction) -> None:
    # Signed by nobody: what is measured begins after a document was accepted.
    transaction.execute("INSERT INTO programmes VALUES (1, ?, 'bench', x'00')", (PROGRAMME,))
    stock_members(transaction)


def _append(transaction: Transaction, requests: Iterator[SaleRequest], programme: Programme, count: int) -> None:
    for request in itertools.islice(requests, count):
        earned = points_earned(programme, request.basket)
        body = SaleBody(
            cashier=request.context.cashier,
            member_id=request.member_id,
            basket=request.basket,
            tenders=request.tenders,
            points_earned=earned,
        )
        key = receipt_key_of(request)
        entry = transaction.append(
            "sale",
            body,
            receipt_key=key,
            programme_version=programme.version,
            snapshot_revision=1,
            member_id=request.member_id,
            points=earned,
        )
        remember_receipt(
            transaction, key, request_digest(transaction.identity, request), entry, points=earned, points_redeemed=0
        )


def _head(store: Store) -> int:
    with store.reading() as connection:
        seq: int = connection.exec_driver_sql("SELECT max(seq) FROM entries").scalar_one()
        return seq


def _check(store: Store, command: Callable[[Transaction], object]) -> None:
    (result,) = store.transact([command])
    if result.error is not None:
        raise result.error
