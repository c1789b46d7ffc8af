"""A central for unit tests: the real ledger on one connection of either database, no HTTP, no thread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from central_api.capabilities import Capabilities
from central_api.exchange import grants
from central_api.exchange.changes import changes_page
from central_api.exchange.upload import receive_upload
from central_api.keys import new_key_ring
from central_api.members import members
from central_api.members.snapshots import snapshots_for
from central_api.problems import Problem
from central_api.programmes import versions as programmes
from central_api.storage.installation import install
from central_api.storage.schema import balances, reservations, transfers
from central_api.terminals import terminals
from central_api.terminals.terminals import Terminal
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import (
    ChangesPage,
    EntryOutcome,
    GrantRequest,
    IdentifyRequest,
    MemberAnswer,
    SignedDocument,
    UploadAnswer,
)
from tests.support.databases import Place
from tests.support.terminal import Recorded, SupportTerminal

TENANT = "shop"
START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
PROGRAMME = """{"format": "loyalty-programme-1", "name": "Test", "version": 1, "currency": "EUR",
  "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}],
  "rewards": [{"id": "five-off", "points": 100, "discount_minor": 500, "count_per_sale_max": 2}],
  "offline": {"points_per_sale_max": 200, "points_per_member_max": 300, "redemptions_per_member_max": 3,
              "hours_since_contact_max": 72, "grant_ahead_points_max": 200, "grant_hours": 96}}"""


@dataclass(slots=True)
class World:
    """One central, and the terminals that were enrolled at it. Its clock stands until it is moved."""

    connection: Connection
    now: datetime = START + timedelta(hours=1)
    count: int = 0
    terminals: dict[str, Terminal] = field(default_factory=dict)
    capabilities: Any = None

    def random_bytes(self, count: int) -> bytes:
        self.count += 1
        return hashlib.shake_256(self.count.to_bytes(8, "big")).digest(count)

    def member(self, *aliases: str, name: str = "Maria da Silva") -> str:
        registration = members.Registration(aliases=aliases, name=name)
        (member_id,) = members.register_members(self.connection, self.capabilities, TENANT, [registration])
        return member_id

    def terminal(self, seed: int, name: str | None = None) -> SupportTerminal:
        made = SupportTerminal(seed=seed, now=START, programme=parse_programme(PROGRAMME))
        code = terminals.add_terminal(self.connection, self.capabilities, TENANT, name or f"till-{seed}")
        made.enrolled(terminals.enrol(self.connection, self.capabilities, made.enrolment_request(code)))
        assert made.enrolment is not None
        self.terminals[made.name] = terminals.authenticate(self.connection, made.enrolment.token)
        return made

    def upload(self, terminal: SupportTerminal, *span: int) -> UploadAnswer:
        headers, body = terminal.upload(*span)
        row = self.terminals[terminal.name]
        return receive_upload(self.connection, self.capabilities, row, terminal.journal, headers, body)

    def deliver(self, terminal: SupportTerminal) -> list[EntryOutcome]:
        """Upload the whole journal; the outcomes without that of `journal_opened`."""
        return list(self.upload(terminal).outcomes[1:])

    def identify(self, terminal: SupportTerminal, alias: str) -> MemberAnswer:
        request = IdentifyRequest(alias=alias, journal=terminal.journal)
        row = self.terminals[terminal.name]
        return grants.identify_member(self.connection, self.capabilities, row, request)

    def grant(
        self,
        terminal: SupportTerminal,
        member_id: str,
        points: int,
        redemption_id: str = "r-1",
        least: int | None = None,
    ) -> MemberAnswer | Problem:
        request = GrantRequest(
            redemption_id=redemption_id,
            member_id=member_id,
            journal=terminal.journal,
            points=points,
            points_min=points if least is None else least,
        )
        return grants.issue_exact_grant(self.connection, self.capabilities, self.terminals[terminal.name], request)

    def granted(
        self, terminal: SupportTerminal, member_id: str, points: int, redemption_id: str = "r-1"
    ) -> SignedDocument:
        answer = self.grant(terminal, member_id, points, redemption_id)
        assert isinstance(answer, MemberAnswer)
        return answer.grants[-1]

    def changes(self, terminal: SupportTerminal, cursor: str = "", limit: int = 100) -> ChangesPage:
        row = self.terminals[terminal.name]
        return changes_page(self.connection, self.capabilities, row, terminal.journal, cursor, limit)

    def balance(self, terminal: SupportTerminal, member_id: str) -> int:
        row = self.terminals[terminal.name]
        (found,) = snapshots_for(self.connection, self.capabilities, row, terminal.journal, [member_id])
        return found.balance

    def figures(self, member_id: str) -> tuple[int, int, int]:
        """(available, reserved, owed) as the tables hold them."""
        query = select(balances.c.available, balances.c.owed).where(balances.c.member_id == member_id)
        row = self.connection.execute(query).first()
        held = select(func.coalesce(func.sum(reservations.c.points), 0)).where(reservations.c.member_id == member_id)
        reserved: int = self.connection.execute(held).scalar_one()
        return (row.available, reserved, row.owed) if row is not None else (0, reserved, 0)

    def sums(self, member_id: str) -> dict[str, int]:
        """Each account's balance as the sum of the member's transfers."""
        found: dict[str, int] = {}
        query = select(transfers).where(transfers.c.member_id == member_id)
        for row in self.connection.execute(query):
            found[row.from_account] = found.get(row.from_account, 0) - row.points
            found[row.to_account] = found.get(row.to_account, 0) + row.points
        return found

    def check_laws(self, *member_ids: str) -> None:
        """Law 8: nothing is made or lost, balances are sums, and nobody has points while owing."""
        for member_id in member_ids:
            sums = self.sums(member_id)
            available, reserved, owed = self.figures(member_id)
            assert sum(sums.values()) == 0
            assert (sums.get("available", 0), sums.get("reserved", 0), -sums.get("owed", 0)) == (
                available,
                reserved,
                owed,
            )
            assert available >= 0
            assert owed >= 0
            assert not (available and owed)


@contextmanager
def new_world(place: Place) -> Iterator[World]:
    with place.connection() as connection:
        world = World(connection=connection)
        world.capabilities = Capabilities(
            now=lambda: world.now, random_bytes=world.random_bytes, keys=new_key_ring(world.random_bytes)
        )
        install(connection, world.capabilities, TENANT)
        programmes.activate_programme(connection, world.capabilities, TENANT, PROGRAMME)
        yield world


def outcome_of(outcomes: list[EntryOutcome], recorded: Recorded) -> tuple[str, str, int | None]:
    """(outcome, reason, points) of one entry."""
    found = next(one for one in outcomes if one.id == recorded.entry.id)
    return found.outcome, found.reason, found.points


def prove(place: Place, law: Callable[..., None], *, most: int = 100, **strategies: st.SearchStrategy[Any]) -> None:
    """Show a law as many examples as the place has time for, but not more than `most`."""
    few = settings(max_examples=min(most, place.examples), suppress_health_check=[HealthCheck.too_slow])
    few(given(**strategies)(law))()
