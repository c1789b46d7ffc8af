"""A back office for tests: the app on a real database, a tenant of its own for each test, a key of each scope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI
from sqlalchemy import Connection

from central_api.bootstrap import Central
from central_api.members import members
from central_api.office import api_keys
from central_api.problems import STATUS_BY_TYPE
from central_api.programmes import versions as programmes
from central_api.storage import installation
from central_api.terminals import terminals
from loyalty_sdk.codec import decode, dumps, loads
from loyalty_sdk.office import KeyRequest, MemberView, Scope
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import EnrolmentAnswer
from tests.support.terminal import SupportTerminal
from tests.unit.central_api.support import PROGRAMME, START

__all__ = ["SCOPES", "Desk", "Premises", "problem_of"]

SCOPES: tuple[Scope, ...] = ("read-only", "back-office", "administrator")
JSON = {"Content-Type": "application/json"}

T = TypeVar("T")


@dataclass(slots=True)
class Premises:
    """One central and its app, which all tests of the back office share."""

    central: Central
    app: FastAPI
    client: httpx.AsyncClient
    tenants: Any = field(default_factory=count)

    async def desk(self) -> Desk:
        """Make a tenant with a programme and a key of each scope."""
        tenant, capabilities = f"shop-{next(self.tenants)}", self.central.capabilities

        def work(connection: Connection) -> dict[Scope, str]:
            installation.install(connection, capabilities, tenant)
            programmes.activate_programme(connection, capabilities, tenant, PROGRAMME)
            requests = [KeyRequest(name=scope, scope=scope) for scope in SCOPES]
            made = [api_keys.add_key(connection, capabilities, tenant, request) for request in requests]
            return {one.key.scope: one.secret for one in made}

        return Desk(premises=self, tenant=tenant, secrets=await self.central.database.write(work))


@dataclass(slots=True)
class Desk:
    """Whoever works for one tenant, as an administrator if nothing else is said."""

    premises: Premises
    tenant: str
    secrets: dict[Scope, str]

    async def ask(
        self, method: str, path: str, body: object = None, *, scope: Scope = "administrator", **headers: str
    ) -> httpx.Response:
        """Send a call; names of headers are written with `_`."""
        sent = {"Authorization": f"Bearer {self.secrets[scope]}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if body is None else body if isinstance(body, bytes) else dumps(body)
        if body is not None:
            sent = JSON | sent
        return await self.premises.client.request(method, path, content=content, headers=sent)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> httpx.Response:
        return await self.ask("POST", path, body, **more)

    async def items(self, path: str, limit: int = 500) -> list[dict[str, Any]]:
        """Read a list to its end, page by page."""
        found: list[dict[str, Any]] = []
        address = httpx.URL(path).copy_merge_params({"limit": limit})
        while True:
            answer = await self.get(str(address))
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            address = address.copy_merge_params({"cursor": page["next_cursor"]})

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self.premises.central.database.write(work)

    async def member(self, *aliases: str, name: str = "Maria da Silva") -> str:
        registration = members.Registration(aliases=aliases, name=name)
        capabilities = self.premises.central.capabilities
        (made,) = await self.write(lambda c: members.register_members(c, capabilities, self.tenant, [registration]))
        return made

    async def view(self, member_id: str) -> MemberView:
        return decode(MemberView, (await self.get(f"/v1/members/{member_id}")).json())

    async def till(self, name: str = "till-1", seed: int = 1) -> SupportTerminal:
        """Enrol a terminal."""
        capabilities = self.premises.central.capabilities
        code = await self.write(lambda c: terminals.add_terminal(c, capabilities, self.tenant, name))
        till = SupportTerminal(seed=seed, now=START)
        answer = await self.premises.client.post(
            "/v1/enrolments", content=dumps(till.enrolment_request(code)), headers=JSON
        )
        till.enrolled(decode(EnrolmentAnswer, loads(answer.content)))
        till.programme = parse_programme(PROGRAMME)
        return till

    async def as_till(self, till: SupportTerminal, method: str, path: str, body: object = None) -> httpx.Response:
        assert till.enrolment is not None
        headers = JSON | {"Authorization": f"Bearer {till.enrolment.token}"}
        content = None if body is None else dumps(body)
        return await self.premises.client.request(method, path, content=content, headers=headers)

    async def deliver(self, till: SupportTerminal) -> None:
        """Upload the whole journal of a terminal."""
        assert till.enrolment is not None
        made, body = till.upload()
        headers = {"Authorization": f"Bearer {till.enrolment.token}", "Content-Type": "application/x-ndjson"}
        path = f"/v1/journals/{till.journal}/entries"
        answer = await self.premises.client.post(path, content=body, headers=headers | made.to_headers())
        assert answer.status_code == 200, answer.text


def problem_of(response: httpx.Response) -> str:
    """The name of a problem, after checking its form."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    content = loads(response.content)
    assert content["status"] == response.status_code
    assert content["detail"]
    prefix, _, name = content["type"].rpartition(":")
    assert prefix == "urn:loyalty:problem"
    assert STATUS_BY_TYPE[name] == response.status_code
    return str(name)
