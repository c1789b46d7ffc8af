"""Every problem of central, produced over HTTP by the real application: one cause for each type, new types included.

The page docs/problems.md lists exactly these types. `outcome-unknown`, which only PostgreSQL causes, is produced in
test_outcome.py, and those of the agent's local API in test_local_problems.py.
"""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from central_api.api.application import create_app
from central_api.api.limits import Limits
from central_api.bootstrap import Central, open_central
from central_api.exchange.claims import begin_and_settle
from central_api.problems import STATUS_BY_TYPE
from central_api.storage import sqlite
from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import PROBLEM_PREFIX, CentralFailure, error_class
from tests.contract.pages import name_of, table
from tests.contract.shops import PROGRAMME, Shop, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A shop and the way to its central."""

    shop: Shop
    site: Site
    central: Central
    client: httpx.AsyncClient
    patch: pytest.MonkeyPatch

    @property
    def member(self) -> str:
        return f"/v1/members/{self.shop.names['member_id'][0]}"

    async def as_till(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        return await self.ask(method, path, body, self.shop.token, headers)

    async def as_office(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        return await self.ask(method, path, body, self.shop.keys["administrator"], headers)

    async def ask(
        self, method: str, path: str, body: object, token: str, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        given = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        content = body if isinstance(body, bytes) else b"" if body is None else dumps(body)
        return await self.client.request(method, path, content=content, headers=given)

    async def upload(self, shop: Shop) -> httpx.Response:
        headers, body = shop.till.upload()
        path = f"/v1/journals/{shop.till.journal}/entries"
        named = {name.replace("-", "_"): value for name, value in headers.to_headers().items()}
        return await self.as_till("POST", path, body, Content_Type="application/x-ndjson", **named)


Cause = Callable[[Desk], Awaitable[httpx.Response]]
CAUSES: dict[str, Cause] = {}


def causes(name: str) -> Callable[[Cause], Cause]:
    """Note what causes a problem."""

    def note(cause: Cause) -> Cause:
        CAUSES[name] = cause
        return cause

    return note


@pytest.fixture
async def desk(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    central = await open_central(site.url, site.key_file)
    async with client_of(central) as client:
        yield Desk(shop=site.shop, site=site, central=central, client=client, patch=monkeypatch)
    await central.database.close()


def client_of(central: Central, limits: Limits | None = None) -> httpx.AsyncClient:
    app = create_app(database=central.database, capabilities=central.capabilities, version="test", limits=limits)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://central")


@causes("invalid-request")
async def malformed(desk: Desk) -> httpx.Response:
    return await desk.as_office("POST", "/v1/members", {"aliases": 1})


@causes("access-refused")
async def unknown_key(desk: Desk) -> httpx.Response:
    return await desk.ask("GET", "/v1/members", None, "lk_nothing")


@causes("scope-missing")
async def reading_key_writes(desk: Desk) -> httpx.Response:
    return await desk.ask("POST", "/v1/members", {"aliases": ["1"]}, desk.shop.keys["read-only"])


@causes("terminal-revoked")
async def revoked(desk: Desk) -> httpx.Response:
    assert (await desk.as_office("POST", "/v1/terminals/till-1/revoke")).status_code == 200
    return await desk.as_till("POST", "/v1/members/identify", {"alias": "17", "journal": desk.shop.till.journal})


@causes("code-invalid")
async def wrong_code(desk: Desk) -> httpx.Response:
    return await desk.as_till("POST", "/v1/enrolments", desk.shop.till.enrolment_request("AAAA-AAAA"))


@causes("alias-unknown")
async def unknown_card(desk: Desk) -> httpx.Response:
    return await desk.as_till("POST", "/v1/members/identify", {"alias": "nobody", "journal": desk.shop.till.journal})


@causes("not-found")
async def unknown_member(desk: Desk) -> httpx.Response:
    return await desk.as_office("GET", "/v1/members/nobody")


@causes("method-not-allowed")
async def wrong_method(desk: Desk) -> httpx.Response:
    return await desk.as_office("DELETE", "/v1/members")


@causes("insufficient-points")
async def takes_too_much(desk: Desk) -> httpx.Response:
    return await desk.as_office("POST", f"{desk.member}/adjustments", {"points": -1_000_000, "reason": "too much"})


@causes("conflict")
async def alias_taken(desk: Desk) -> httpx.Response:
    return await desk.as_office("POST", "/v1/members", {"aliases": ["17"]})


@causes("fork")
async def another_life(desk: Desk) -> httpx.Response:
    desk.shop.till.recorded.pop()
    desk.shop.till.record_bytes(b'{"another":"life"}')
    return await desk.upload(desk.shop)


@causes("epoch-changed")
async def another_epoch(desk: Desk) -> httpx.Response:
    assert desk.shop.till.enrolment is not None
    desk.shop.till.enrolment = replace(desk.shop.till.enrolment, epoch="another")
    return await desk.upload(desk.shop)


@causes("recovering")
async def restored(desk: Desk) -> httpx.Response:
    """A person says that central was restored from a backup, and the till has not returned yet."""
    capabilities = desk.central.capabilities
    await desk.central.database.write(lambda connection: begin_and_settle(connection, capabilities, "a backup"))
    wanted = {"redemption_id": "r", "journal": desk.shop.till.journal, "points": 1, "points_min": 1}
    return await desk.as_till("POST", "/v1/grants", wanted | {"member_id": desk.shop.names["member_id"][0]})


@causes("precondition-failed")
async def changed_meanwhile(desk: Desk) -> httpx.Response:
    return await desk.as_office("PATCH", desk.member, {"name": "Ana"}, If_Match='"old"')


@causes("precondition-required")
async def unread(desk: Desk) -> httpx.Response:
    return await desk.as_office("PATCH", desk.member, {"name": "Ana"})


@causes("body-too-large")
async def too_large(desk: Desk) -> httpx.Response:
    return await desk.as_office("POST", "/v1/members", {"aliases": ["1" * 1_000_000]})


@causes("encoding-refused")
async def compressed(desk: Desk) -> httpx.Response:
    return await desk.as_office("POST", "/v1/members", {"aliases": ["1"]}, Content_Encoding="gzip")


@causes("idempotency-conflict")
async def another_request(desk: Desk) -> httpx.Response:
    for alias in ("1", "2"):
        answer = await desk.as_office("POST", "/v1/members", {"aliases": [alias]}, Idempotency_Key="k")
    return answer


@causes("programme-invalid")
async def wrong_programme(desk: Desk) -> httpx.Response:
    return await desk.as_office("POST", "/v1/programmes", {"document": PROGRAMME.replace("EUR", "euros") % ("x", 9)})


@causes("too-many-requests")
async def impatient(desk: Desk) -> httpx.Response:
    async with client_of(desk.central, Limits(per_s=1, burst=1)) as client:
        asking = replace(desk, client=client)
        await asking.as_office("GET", "/v1/members")
        return await asking.as_office("GET", "/v1/members")


@causes("central-failure")
async def something_breaks(desk: Desk) -> httpx.Response:
    desk.patch.setattr("central_api.api.office_members.member_list", lambda *_, **__: 1 / 0)
    return await desk.as_office("GET", "/v1/members")


@causes("busy")
async def another_process_writes(desk: Desk) -> httpx.Response:
    desk.patch.setattr(sqlite, "LOCK_WAIT_S_MAX", 0.05)
    with locked(desk.site.key_file.with_name("central.db.writer-lock")):
        return await desk.as_office("POST", "/v1/members", {"aliases": ["1"]})


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("name", [name for name in STATUS_BY_TYPE if name != "outcome-unknown"])
async def test_a_problem_is_produced(name: str, desk: Desk) -> None:
    answer = await CAUSES[name](desk)
    content = answer.json()
    assert (content["type"], answer.status_code) == (PROBLEM_PREFIX + name, STATUS_BY_TYPE[name]), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert content["status"] == answer.status_code
    assert content["title"]
    assert len(content["detail"].splitlines()) == 1


def test_the_page_lists_every_problem() -> None:
    assert table("Central") == STATUS_BY_TYPE


@pytest.mark.parametrize("name", STATUS_BY_TYPE)
def test_the_sdk_has_a_class_of_the_same_status(name: str) -> None:
    found = error_class(PROBLEM_PREFIX + name, CentralFailure)
    assert (name_of(found), found.status) == (name, STATUS_BY_TYPE[name])
