"""The back office's calls about points, over HTTP on both databases. What the ledger decides is tested with it."""

import json
from collections.abc import Sequence
from typing import Any

from loyalty_sdk.codec import decode
from loyalty_sdk.office import Adjustment, Merge, WriteOff
from loyalty_sdk.protocol import GrantRequest, IdentifyRequest, MemberAnswer, SignedDocument
from tests.support.terminal import SupportTerminal, basket_of
from tests.unit.central_api.office_support import Desk, Premises, problem_of


async def granted(desk: Desk, till: SupportTerminal, member_id: str, points: int, redemption_id: str) -> str:
    """Set points aside at a terminal. Returns the grant's id."""
    request = GrantRequest(
        redemption_id=redemption_id, member_id=member_id, journal=till.journal, points=points, points_min=points
    )
    answer = await desk.as_till(till, "POST", "/v1/grants", request)
    assert answer.status_code == 200, answer.text
    found = (await desk.items(f"/v1/members/{member_id}/grants"))[-1]
    assert found["points"] == points
    return str(found["grant_id"])


async def test_a_person_gives_and_takes_points(desk: Desk) -> None:
    member_id = await desk.member("1")
    path = f"/v1/members/{member_id}"
    given = await desk.post(f"{path}/adjustments", Adjustment(points=50, reason="a gift"), scope="back-office")
    assert (given.json()["available"], given.headers["ETag"]) == (50, f'"{given.json()["etag"]}"')
    assert (await desk.post(f"{path}/adjustments", Adjustment(points=-20, reason="too much"))).json()["balance"] == 30
    too_many = await desk.post(f"{path}/adjustments", Adjustment(points=-31, reason="x"))
    assert problem_of(too_many) == "insufficient-points"
    for points, more in ((0, {"reason": "x"}), (1, {"reason": " "}), (1, {}), (1.5, {"reason": "x"})):
        body = json.dumps({"points": points} | more).encode()
        assert problem_of(await desk.post(f"{path}/adjustments", body)) == "invalid-request"
    found = await desk.items(f"{path}/decisions", limit=1)
    key_id = desk.secrets["administrator"].split("_")[1]
    assert [(one["kind"], one["points"], one["reason"]) for one in found] == [
        ("adjustment", 50, "a gift"),
        ("adjustment", -20, "too much"),
    ]
    # Who did it is kept: the key, by its id.
    assert found[0]["actor"] == f"key:{desk.secrets['back-office'].split('_')[1]}"
    assert found[1]["actor"] == f"key:{key_id}"
    moved = await desk.items(f"{path}/transfers", limit=1)
    assert sums(moved) == {"issued": -30, "available": 30}
    assert {one["transfer_id"].partition("/")[0] for one in moved} == {one["decision_id"] for one in found}
    lots = await desk.items(f"{path}/lots", limit=1)
    assert [(one["points"], one["remaining"]) for one in lots] == [(50, 30)]


def sums(transfers: Sequence[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in transfers:
        found[one["from_account"]] = found.get(one["from_account"], 0) - one["points"]
        found[one["to_account"]] = found.get(one["to_account"], 0) + one["points"]
    return found


async def test_what_is_owed_is_written_off(desk: Desk) -> None:
    member_id, till = await desk.member("1"), await desk.till()
    sale = till.sale(basket_of(10_000), member_id)
    await desk.deliver(till)
    path = f"/v1/members/{member_id}"
    await desk.post(f"{path}/adjustments", Adjustment(points=-100, reason="spent elsewhere"))
    till.linked_return(sale)
    await desk.deliver(till)
    assert (await desk.view(member_id)).owed == 100
    assert problem_of(await desk.post(f"{path}/write-offs", WriteOff(points=101, reason="x"))) == "conflict"
    written_off = await desk.post(f"{path}/write-offs", WriteOff(points=40, reason="a good customer"))
    assert (written_off.json()["owed"], written_off.json()["balance"]) == (60, -60)
    assert (await desk.items(f"{path}/decisions"))[-1]["kind"] == "write_off"


async def test_two_members_become_one(desk: Desk) -> None:
    stays, goes = await desk.member("1"), await desk.member("2")
    for member_id, points in ((stays, 10), (goes, 5)):
        await desk.post(f"/v1/members/{member_id}/adjustments", Adjustment(points=points, reason="a gift"))
    question = Merge(source_member_id=goes, reason="had two cards")
    merged = (await desk.post(f"/v1/members/{stays}/merge", question)).json()
    assert (merged["member_id"], merged["available"]) == (stays, 15)
    assert {one["alias"] for one in merged["aliases"]} == {"1", "2"}
    gone = (await desk.get(f"/v1/members/{goes}")).json()
    assert (gone["merged_into"], gone["balance"], gone["aliases"]) == (stays, 0, [])
    assert problem_of(await desk.post(f"/v1/members/{stays}/merge", question)) == "conflict"
    same = Merge(source_member_id=stays, reason="x")
    assert problem_of(await desk.post(f"/v1/members/{stays}/merge", same)) == "conflict"
    nobody = Merge(source_member_id="nobody", reason="x")
    assert problem_of(await desk.post(f"/v1/members/{stays}/merge", nobody)) == "not-found"
    assert problem_of(await desk.post(f"/v1/members/{goes}/aliases", {"alias": "3"})) == "conflict"


async def test_a_members_history(desk: Desk) -> None:
    member_id, till = await desk.member("1"), await desk.till()
    sales = [till.sale(basket_of(amount), member_id) for amount in (10_000, 20_000, 30_000)]
    await desk.deliver(till)
    path = f"/v1/members/{member_id}"
    entries = await desk.items(f"{path}/entries", limit=2)
    assert [one["entry_id"] for one in entries] == [sale.entry.id for sale in sales]
    assert [(one["outcome"], one["points"], one["terminal"]) for one in entries] == [
        ("applied", points, "till-1") for points in (100, 200, 300)
    ]
    assert all(one["data"] is None for one in entries)
    lots = await desk.items(f"{path}/lots", limit=2)
    assert {one["lot_id"]: one["remaining"] for one in lots} == {
        sale.entry.id: points for sale, points in zip(sales, (100, 200, 300), strict=True)
    }
    transfers = await desk.items(f"{path}/transfers", limit=2)
    assert [(one["entry_id"], one["points"]) for one in transfers] == [
        (sale.entry.id, points) for sale, points in zip(sales, (100, 200, 300), strict=True)
    ]


async def test_grants_are_shown_and_wanted_back(premises: Premises, desk: Desk) -> None:
    member_id, till, other = await desk.member("1"), await desk.till(), await desk.till("till-2", seed=2)
    for one in (till, other):
        one.sale(basket_of(50_000), member_id)
        await desk.deliver(one)
    ids = [await granted(desk, till, member_id, 100, "a"), await granted(desk, other, member_id, 200, "b")]
    view = await desk.view(member_id)
    assert (view.available, view.reserved, view.balance) == (700, 300, 1_000)
    assert [one["grant_id"] for one in await desk.items("/v1/grants", limit=1)] == ids
    for query, found in (
        (f"member_id={member_id}", ids),
        ("terminal=till-2", ids[1:]),
        ("state=open&terminal=till-1", ids[:1]),
        ("state=closed", []),
        ("member_id=nobody", []),
    ):
        assert [one["grant_id"] for one in await desk.items(f"/v1/grants?{query}")] == found
    shown = (await desk.get(f"/v1/grants/{ids[0]}")).json()
    assert (shown["state"], shown["reserved"], shown["recalled"], shown["redemption_id"]) == ("open", 100, False, "a")
    path = f"/v1/grants/{ids[0]}/recall"
    assert (await desk.post(path, scope="back-office")).json()["recalled"] is True
    changes = (await desk.as_till(till, "GET", f"/v1/changes?journal={till.journal}")).json()
    assert changes["grants_recalled"] == [ids[0]]
    till.close_grant(await signed_grant(desk, till), 100)
    await desk.deliver(till)
    assert problem_of(await desk.post(path)) == "conflict"
    assert (await desk.get(f"/v1/grants/{ids[0]}")).json()["state"] == "closed"
    stranger = await premises.desk()
    assert problem_of(await stranger.get(f"/v1/grants/{ids[1]}")) == "not-found"
    assert problem_of(await stranger.post(f"/v1/grants/{ids[1]}/recall")) == "not-found"
    assert await stranger.items("/v1/grants") == []
    assert problem_of(await desk.get("/v1/grants?state=lost")) == "invalid-request"


async def signed_grant(desk: Desk, till: SupportTerminal) -> SignedDocument:
    """The grant that the terminal has for the member with the alias 1."""
    question = IdentifyRequest(alias="1", journal=till.journal, grant_ahead=False)
    answer = await desk.as_till(till, "POST", "/v1/members/identify", question)
    return decode(MemberAnswer, answer.json()).grants[0]
