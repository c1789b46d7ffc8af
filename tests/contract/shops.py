"""A central with two shops that have the same of everything: aliases, names of terminals, receipts, versions.

What a shop wrote itself (names, articles, cashiers) holds its marker, so that a byte of it is known wherever it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from central_api.api.application import create_app
from central_api.bootstrap import Central, initialise
from central_api.exchange import grants
from central_api.exchange.upload import receive_upload
from central_api.members import members
from central_api.members.views import member_view
from central_api.office.api_keys import add_key
from central_api.programmes import versions as programmes
from central_api.storage.installation import install
from central_api.terminals import terminals
from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import document_signing_input
from loyalty_sdk.office import KeyRequest, KeySecret, Scope
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import (
    GrantRequest,
    IdentifyRequest,
    JournalReport,
    MemberAnswer,
    SignedDocument,
    SignedReport,
)
from tests.support.terminal import SupportTerminal, basket_of, grant_document

__all__ = ["ALIAS", "MARKER", "PROGRAMME", "Shop", "Site", "document", "furnished"]

T = TypeVar("T")
TENANTS = ("shop", "rival")
ALIAS = "4006381333931"
COMMON = frozenset({ALIAS, "17", "till-1", "*"})
MARKER = "Kornblume"
PROGRAMME = """{"format": "loyalty-programme-1", "name": "%s", "version": %d, "currency": "EUR",
  "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}],
  "rewards": [{"id": "five-off", "points": 100, "discount_minor": 500, "count_per_sale_max": 2}],
  "offline": {"grant_ahead_points_max": 200, "grant_hours": 96}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """One tenant: its terminal, and what is known there, by the names that calls have for it."""

    tenant: str
    till: SupportTerminal
    keys: Mapping[Scope, str]
    names: Mapping[str, tuple[str | int, ...]]
    grants: tuple[SignedDocument, ...]

    def knows(self) -> JournalReport:
        """What its terminal knows of its journal: that central holds all of it."""
        assert self.till.enrolment is not None
        head = len(self.till.recorded)
        return JournalReport(
            format="loyalty-report-1",
            terminal=self.till.name,
            journal=self.till.journal,
            epoch=self.till.enrolment.epoch,
            acknowledged_seq=head,
            acknowledged_hash=self.till.recorded[-1].hash.hex(),
            floor_seq=0,
            floor_hash="",
            head_seq=head,
            revoked=False,
            grants=(),
            more=False,
        )

    def report(self) -> SignedReport:
        """The same, signed."""
        text = dumps(self.knows()).decode()
        return SignedReport(report=text, signature=self.till.key.sign(document_signing_input("report", text)))

    @property
    def own(self) -> frozenset[str]:
        """The names that nobody else has, such as ids; not those that everybody has, such as versions."""
        ids = [found for name, found in self.names.items() if name != "redemption_id"]  # Whoever has a till makes one.
        return frozenset(value for found in ids for value in found if isinstance(value, str)) - COMMON

    @property
    def token(self) -> str:
        """What its terminal proves itself with."""
        assert self.till.enrolment is not None
        return self.till.enrolment.token


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the central is kept, and its two shops: the second one's texts hold MARKER."""

    url: str
    key_file: Path
    shop: Shop
    rival: Shop

    def moved(self, url: str, key_file: Path) -> Site:
        """Return the same for a copy that lies elsewhere."""
        return replace(deepcopy(self), url=url, key_file=key_file)


def document() -> dict[str, Any]:
    """Return central's OpenAPI document."""
    nowhere: Any = None
    return create_app(database=nowhere, capabilities=nowhere, version="test").openapi()


async def furnished(url: str, key_file: Path) -> Site:
    """Make a central with both shops in it, and close it."""
    central, _ = await initialise(url, key_file, TENANTS[0])
    shops = [
        await central.database.write(_furnish(central, tenant, number, name))
        for number, (tenant, name) in enumerate(zip(TENANTS, ("Maria", MARKER), strict=True))
    ]
    await central.database.close()
    return Site(url=url, key_file=key_file, shop=shops[0], rival=shops[1])


def _furnish(central: Central, tenant: str, number: int, name: str) -> Callable[[Connection], Shop]:
    def work(connection: Connection) -> Shop:
        install(connection, central.capabilities, tenant)
        return _Furnisher(connection, central, tenant, name).furnish(seed=number + 1)

    return work


@dataclass(frozen=True, slots=True)
class _Furnisher:
    connection: Connection
    central: Central
    tenant: str
    name: str

    def furnish(self, seed: int) -> Shop:
        capabilities = self.central.capabilities
        programmes.activate_programme(self.connection, capabilities, self.tenant, PROGRAMME % (self.name, 1))
        member_ids = members.register_members(
            self.connection,
            capabilities,
            self.tenant,
            [
                members.Registration(aliases=(ALIAS, f"{self.name}-alias"), name=f"{self.name} da Silva"),
                members.Registration(aliases=("17",), name=f"{self.name} Costa"),
            ],
        )
        code = self._code("till-1")
        till = self._terminal(seed, code)
        self._sell(till, member_ids)
        grants_made = self._grants(till, member_ids[0])
        spare = self._code(f"spare {self.name}")
        versions = tuple(range(1, 2 + seed))
        for version in versions[1:]:
            later = datetime.now(UTC) + timedelta(days=30 * version)
            document = PROGRAMME % (self.name, version)
            programmes.activate_programme(self.connection, capabilities, self.tenant, document, later)
        names: dict[str, tuple[str | int, ...]] = {
            "member_id": tuple(member_ids),
            "alias": (ALIAS, f"{self.name}-alias", "17"),
            "journal": (till.journal,),
            "terminal": ("till-1", f"spare {self.name}"),
            "grant_id": tuple(grant_document(one).grant_id for one in grants_made),
            "entry_id": (*(one.entry.id for one in till.recorded if one.entry is not None), f"till-1/{till.journal}/8"),
            "source_member_id": tuple(member_ids[:2]),
            "alias_id": self._alias_ids(member_ids[0]),
            "key_id": (self._key(f"{self.name} spare", "read-only").key.key_id,),
            "redemption_id": (f"redemption-{self.tenant}",),
            "version": versions,
            "points": (1, 20, 50),
            "points_min": (1, 10),
            "If-Match": ("*",),
            "code": (spare,),
        }
        return Shop(tenant=self.tenant, till=till, keys=self._keys(), names=names, grants=grants_made)

    def _keys(self) -> Mapping[Scope, str]:
        """A key of each scope to use."""
        scopes: tuple[Scope, ...] = ("read-only", "back-office", "administrator")
        return {scope: self._key(f"{self.name} {scope}", scope).secret for scope in scopes}

    def _key(self, name: str, scope: Scope) -> KeySecret:
        request = KeyRequest(name=name, scope=scope)
        return add_key(self.connection, self.central.capabilities, self.tenant, request)

    def _alias_ids(self, member_id: str) -> tuple[str, ...]:
        view = member_view(self.connection, self.central.capabilities, self.tenant, member_id)
        return tuple(alias.alias_id for alias in view.aliases)

    def _code(self, terminal: str) -> str:
        return terminals.add_terminal(self.connection, self.central.capabilities, self.tenant, terminal)

    def _terminal(self, seed: int, code: str) -> SupportTerminal:
        programme = parse_programme(PROGRAMME % (self.name, 1))
        till = SupportTerminal(seed=seed, now=datetime.now(UTC) - timedelta(hours=2), programme=programme)
        till.enrolled(terminals.enrol(self.connection, self.central.capabilities, till.enrolment_request(code)))
        return till

    def _sell(self, till: SupportTerminal, member_ids: Sequence[str]) -> None:
        """Entries of each outcome: applied, rejected, held, quarantined; the second member owes points. Upload them."""
        sale = till.sale(Basket.of("EUR", Line.of(f"{self.name} tea", 60_000)), member_ids[0])
        till.linked_return(sale, kind="return")
        till.sale(Basket.of("EUR", Line.of(f"{self.name} tea", 60_000)), member_ids[0])
        till.sale(basket_of(100), member_ids[0], receipt_key=sale.entry.receipt_key)
        till.sale(basket_of(200), alias=f"{self.name}-unknown")
        till.unlinked_return(basket_of(60_000), member_ids[1])
        till.record_bytes(f'{{"v":1,"note":"{self.name}"}}'.encode())
        headers, body = till.upload()
        receive_upload(self.connection, self.central.capabilities, self._proven(till), till.journal, headers, body)

    def _grants(self, till: SupportTerminal, member_id: str) -> tuple[SignedDocument, ...]:
        terminal, capabilities = self._proven(till), self.central.capabilities
        grants.identify_member(
            self.connection, capabilities, terminal, IdentifyRequest(alias=ALIAS, journal=till.journal)
        )
        request = GrantRequest(
            redemption_id=f"redemption-{self.tenant}",
            member_id=member_id,
            journal=till.journal,
            points=50,
            points_min=50,
        )
        answer = grants.issue_exact_grant(self.connection, capabilities, terminal, request)
        assert isinstance(answer, MemberAnswer)
        return answer.grants

    def _proven(self, till: SupportTerminal) -> terminals.Terminal:
        assert till.enrolment is not None
        return terminals.authenticate(self.connection, till.enrolment.token)
