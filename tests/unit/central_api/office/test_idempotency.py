"""A write under an Idempotency-Key is done once, whatever happens to its answer."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from central_api.office.idempotency import answered_once
from central_api.storage.schema_office import idempotency_keys
from loyalty_sdk.office import Adjustment, KeyRequest, MemberRequest, TerminalRequest
from tests.unit.central_api.office_support import Desk, Premises, problem_of

GIFT = Adjustment(points=5, reason="a gift")


def kept(desk: Desk) -> Any:
    def work(connection: Connection) -> list[Any]:
        return list(connection.execute(select(idempotency_keys).where(idempotency_keys.c.tenant == desk.tenant)))

    return desk.write(work)


async def test_the_same_write_gets_the_same_answer(desk: Desk) -> None:
    path = f"/v1/members/{await desk.member('1')}/adjustments"
    first = await desk.post(path, GIFT, Idempotency_Key="a")
    again = await desk.post(path, GIFT, Idempotency_Key="a")
    assert first.json()["available"] == 5
    assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await desk.post(path, GIFT, Idempotency_Key="b")).json()["available"] == 10
    assert (await desk.post(path, GIFT)).json()["available"] == 15


async def test_the_same_key_for_another_write_is_refused(desk: Desk) -> None:
    one, two = [f"/v1/members/{await desk.member(alias)}/adjustments" for alias in "12"]
    await desk.post(one, GIFT, Idempotency_Key="a")
    other = Adjustment(points=6, reason="a gift")
    assert problem_of(await desk.post(one, other, Idempotency_Key="a")) == "idempotency-conflict"
    assert problem_of(await desk.post(two, GIFT, Idempotency_Key="a")) == "idempotency-conflict"
    assert (await desk.post(one, GIFT, Idempotency_Key="a")).json()["available"] == 5


async def test_each_tenant_and_key_has_its_own(premises: Premises, desk: Desk) -> None:
    request = MemberRequest(aliases=("1",))
    made = (await desk.post("/v1/members", request, Idempotency_Key="a")).json()["member_id"]
    other = await premises.desk()
    assert (await other.post("/v1/members", request, Idempotency_Key="a")).json()["member_id"] != made
    # Another key of the same tenant gets no answer that was not its own.
    answer = await desk.post("/v1/members", request, Idempotency_Key="a", scope="back-office")
    assert problem_of(answer) == "conflict"


async def test_a_write_goes_on_over_a_rotation(desk: Desk) -> None:
    path = f"/v1/members/{await desk.member('1')}/adjustments"
    await desk.post(path, GIFT, Idempotency_Key="a")
    key_id = desk.secrets["administrator"].split("_")[1]
    rotated = await desk.post(f"/v1/keys/{key_id}/rotate", {"hours": 1})
    desk.secrets["administrator"] = rotated.json()["secret"]
    again = await desk.post(path, GIFT, Idempotency_Key="a")
    assert (again.json()["available"], again.headers["Idempotency-Replayed"]) == (5, "true")


async def test_what_was_refused_leaves_its_key_free(desk: Desk) -> None:
    path = f"/v1/members/{await desk.member('1')}/adjustments"
    taken = Adjustment(points=-5, reason="a mistake")
    assert problem_of(await desk.post(path, taken, Idempotency_Key="a")) == "insufficient-points"
    assert await kept(desk) == []
    await desk.post(path, GIFT)
    assert (await desk.post(path, taken, Idempotency_Key="a")).json()["available"] == 0


async def test_a_crash_leaves_both_or_neither(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    member_id = await desk.member("1")
    path = f"/v1/members/{member_id}/adjustments"

    def crash_after(*arguments: Any) -> Any:
        answered_once(*arguments)
        raise RuntimeError("the process ends before COMMIT")

    def lose(*_: Any) -> None:
        raise RuntimeError("the process ends after COMMIT")

    monkeypatch.setattr("central_api.api.office_calls.answered_once", crash_after)
    assert problem_of(await desk.post(path, GIFT, Idempotency_Key="a")) == "central-failure"
    monkeypatch.undo()
    assert ((await desk.view(member_id)).available, await kept(desk)) == (0, [])
    # The answer is lost after COMMIT: the write is there, and so is its answer.
    monkeypatch.setattr("central_api.api.office_calls._answer", lose)
    assert problem_of(await desk.post(path, GIFT, Idempotency_Key="a")) == "central-failure"
    monkeypatch.undo()
    assert (await desk.view(member_id)).available == 5
    assert (await desk.post(path, GIFT, Idempotency_Key="a")).json()["available"] == 5
    assert (await desk.view(member_id)).available == 5


async def test_of_many_at_once_one_works(desk: Desk) -> None:
    member_id = await desk.member("1")
    path = f"/v1/members/{member_id}/adjustments"
    answers = await asyncio.gather(*(desk.post(path, GIFT, Idempotency_Key="a") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers if answer.status_code == 200) == 1
    assert (await desk.view(member_id)).available == 5
    assert len(await kept(desk)) == 1


async def test_answers_are_kept_sealed(desk: Desk) -> None:
    """They hold names, aliases and secrets, which stand nowhere else in clear."""
    request = MemberRequest(aliases=("2000000000015",), name="Maria da Silva")
    answers = [
        await desk.post("/v1/members", request, Idempotency_Key="a"),
        await desk.post("/v1/keys", KeyRequest(name="x", scope="read-only"), Idempotency_Key="b"),
        await desk.post("/v1/terminals", TerminalRequest(terminal="till-9"), Idempotency_Key="c"),
    ]
    rows = await kept(desk)
    assert len(rows) == len(answers)
    stored = b"".join(bytes(row.body) + row.headers.encode() for row in rows)
    for secret in (b"Maria", b"2000000000015", b"lk_", answers[2].json()["code"].encode()):
        assert secret not in stored
    again = await desk.post("/v1/keys", KeyRequest(name="x", scope="read-only"), Idempotency_Key="b")
    assert again.json() == answers[1].json()


async def test_an_answer_is_kept_for_a_day(desk: Desk) -> None:
    path = f"/v1/members/{await desk.member('1')}/adjustments"
    await desk.post(path, GIFT, Idempotency_Key="a")
    (row,) = await kept(desk)
    ages = {}
    for hours in (23, 25):
        await desk.write(partial(set_time, desk.tenant, row.created_at - timedelta(hours=hours)))
        ages[hours] = (await desk.post(path, GIFT, Idempotency_Key="a")).json()["available"]
    assert ages == {23: 5, 25: 10}


def set_time(tenant: str, at: datetime, connection: Connection) -> None:
    mine = idempotency_keys.c.tenant == tenant
    connection.execute(update(idempotency_keys).where(mine).values(created_at=at))


@pytest.mark.parametrize("name", ["", "a" * 256, "a\tb"])
async def test_a_key_that_cannot_be_used(desk: Desk, name: str) -> None:
    answer = await desk.post("/v1/members", MemberRequest(aliases=("1",)), Idempotency_Key=name)
    assert problem_of(answer) == "invalid-request"
