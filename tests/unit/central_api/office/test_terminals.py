"""Terminals for the back office, over HTTP on both databases: made, shown, recalled, revoked."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, select, update

from central_api.storage.database import Database, DatabaseUnusable
from central_api.storage.schema_office import contacts
from loyalty_sdk.codec import decode, dumps
from loyalty_sdk.office import TerminalCode, TerminalRequest, TerminalView
from loyalty_sdk.protocol import EnrolmentAnswer, IdentifyRequest
from tests.support.terminal import SupportTerminal, basket_of
from tests.unit.central_api.office_support import JSON, Desk, Premises, problem_of
from tests.unit.central_api.support import START


async def test_a_terminal_is_made_and_enrolled(desk: Desk) -> None:
    made = decode(TerminalCode, (await desk.post("/v1/terminals", TerminalRequest(terminal="till 1"))).json())
    shown = decode(TerminalView, (await desk.get("/v1/terminals/till%201", scope="read-only")).json())
    assert (shown.state, shown.enrolled_at, shown.last_contact_at, shown.journal) == ("new", None, None, None)
    assert made.expires_at - shown.created_at >= timedelta(hours=23)
    till = SupportTerminal(seed=1, now=START)
    content = dumps(till.enrolment_request(made.code))
    answer = await desk.premises.client.post("/v1/enrolments", content=content, headers=JSON)
    assert decode(EnrolmentAnswer, answer.json()).tenant == desk.tenant
    assert problem_of(await desk.post("/v1/terminals", TerminalRequest(terminal="till 1"))) == "conflict"
    assert problem_of(await desk.post("/v1/terminals", TerminalRequest(terminal="a/b"))) == "invalid-request"


async def test_what_is_known_of_a_terminal(desk: Desk) -> None:
    member_id, till = await desk.member("1"), await desk.till()
    await desk.till("another", seed=2)
    till.sale(basket_of(50_000), member_id)
    await desk.deliver(till)
    await desk.as_till(till, "POST", "/v1/members/identify", IdentifyRequest(alias="1", journal=till.journal))
    shown = decode(TerminalView, (await desk.get("/v1/terminals/till-1")).json())
    assert (shown.state, shown.agent_version) == ("enrolled", till.enrolment_request("x").agent_version)
    assert (shown.grants_open, shown.reserved) == (1, 200)
    assert shown.last_contact_at is not None
    assert shown.journal is not None
    assert (shown.journal.journal, shown.journal.watermark, shown.journal.lag) == (till.journal, 2, None)
    # Where a terminal says how far it is, central knows what has not arrived.
    place = f"journal={till.journal}&head=7&acknowledged=2&hash={till.recorded[-1].hash.hex()}"
    assert (await desk.as_till(till, "GET", f"/v1/changes?{place}")).status_code == 200
    told = decode(TerminalView, (await desk.get("/v1/terminals/till-1")).json())
    assert told.journal is not None
    assert told.journal.lag == 5
    assert told.last_contact_at is not None
    assert told.last_contact_at >= shown.last_contact_at
    listed = [decode(TerminalView, one) for one in await desk.items("/v1/terminals", limit=1)]
    assert [one.terminal for one in listed] == ["another", "till-1"]
    assert listed[1] == told


async def noted_at(desk: Desk) -> datetime | None:
    def work(connection: Connection) -> datetime | None:
        found: datetime | None = connection.execute(
            select(contacts.c.contacted_at).where(contacts.c.tenant == desk.tenant)
        ).scalar_one_or_none()
        return found

    return await desk.write(work)


async def test_a_contact_is_noted_once_a_minute(desk: Desk) -> None:
    till = await desk.till()
    await desk.deliver(till)
    path = f"/v1/changes?journal={till.journal}"
    await desk.as_till(till, "GET", path)
    first = await noted_at(desk)
    await desk.as_till(till, "GET", path)
    assert await noted_at(desk) == first
    assert first is not None

    def turn_back(connection: Connection) -> None:
        mine = contacts.c.tenant == desk.tenant
        connection.execute(update(contacts).where(mine).values(contacted_at=first - timedelta(minutes=1)))

    await desk.write(turn_back)
    await desk.as_till(till, "GET", path)
    again = await noted_at(desk)
    assert again is not None
    assert again >= first


async def test_a_terminal_has_its_answer_though_the_contact_cannot_be_noted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = await desk.till()
    await desk.deliver(till)

    async def unusable(*_: object) -> None:
        raise DatabaseUnusable("it is full")

    monkeypatch.setattr(Database, "write", unusable)
    assert (await desk.as_till(till, "GET", f"/v1/changes?journal={till.journal}")).status_code == 200
    monkeypatch.undo()
    assert await noted_at(desk) is None


async def test_a_terminal_is_recalled_and_revoked(premises: Premises, desk: Desk) -> None:
    member_id, till = await desk.member("1"), await desk.till()
    till.sale(basket_of(50_000), member_id)
    await desk.deliver(till)
    question = IdentifyRequest(alias="1", journal=till.journal)
    await desk.as_till(till, "POST", "/v1/members/identify", question)
    assert (await desk.post("/v1/terminals/till-1/recall")).json() == {"grants_recalled": 1}
    assert [one["recalled"] for one in await desk.items("/v1/grants")] == [True]
    stranger = await premises.desk()
    for action in ("recall", "revoke"):
        assert problem_of(await stranger.post(f"/v1/terminals/till-1/{action}")) == "not-found"
    assert problem_of(await stranger.get("/v1/terminals/till-1")) == "not-found"
    assert await stranger.items("/v1/terminals") == []
    assert (await desk.post("/v1/terminals/till-1/revoke")).json()["state"] == "revoked"
    assert problem_of(await desk.as_till(till, "POST", "/v1/members/identify", question)) == "terminal-revoked"
    # Which may be undone by enrolling it anew.
    assert (await desk.post("/v1/terminals", TerminalRequest(terminal="till-1"))).status_code == 200
