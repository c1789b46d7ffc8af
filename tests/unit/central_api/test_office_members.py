"""The back office's calls about members, over HTTP on both databases."""

import asyncio
from typing import Any

import pytest

from central_api.judging import judgement
from central_api.judging.matter import Matter
from central_api.judging.sales import judge_sale
from central_api.ledger.records import Verdict
from loyalty_sdk.codec import decode
from loyalty_sdk.office import Adjustment, AliasAddition, MemberPatch, MemberRequest, MemberSearch, MemberView
from tests.support.terminal import basket_of
from tests.unit.central_api.office_support import Desk, Premises, problem_of


async def test_a_member_is_registered_found_and_shown(desk: Desk) -> None:
    request = MemberRequest(aliases=("2000000000015", "+351912345678"), name="Maria da Silva", tier="gold")
    made = decode(MemberView, (await desk.post("/v1/members", request, scope="back-office")).json())
    assert (made.name, made.tier, made.balance, made.owed) == ("Maria da Silva", "gold", 0, 0)
    assert [(one.alias, one.kind) for one in made.aliases] == [("+351912345678", "code"), ("2000000000015", "code")]
    answer = await desk.get(f"/v1/members/{made.member_id}")
    assert decode(MemberView, answer.json()) == made
    assert answer.headers["ETag"] == f'"{made.etag}"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    found = await desk.post("/v1/members/search", MemberSearch(alias="2000000000015"))
    assert [one["member_id"] for one in found.json()["items"]] == [made.member_id]
    nobody = await desk.post("/v1/members/search", MemberSearch(alias="2000000000022"))
    assert nobody.json() == {"items": [], "next_cursor": None}


async def test_a_read_only_key_sees_names_and_aliases_masked(desk: Desk) -> None:
    member_id = await desk.member("2000000000015", "7")
    for answer in (
        await desk.get(f"/v1/members/{member_id}", scope="read-only"),
        await desk.post("/v1/members/search", MemberSearch(alias="7"), scope="read-only"),
        await desk.get("/v1/members", scope="read-only"),
    ):
        assert answer.status_code == 200
        assert "Maria" not in answer.text
        assert "200000000" not in answer.text
    shown = (await desk.get(f"/v1/members/{member_id}", scope="read-only")).json()
    assert (shown["name"], [one["alias"] for one in shown["aliases"]]) == ("M*** S.", ["*", "*********0015"])
    # Another representation has another ETag.
    assert shown["etag"] != (await desk.view(member_id)).etag


async def test_a_member_that_was_not_changed_is_not_sent_again(desk: Desk) -> None:
    path = f"/v1/members/{await desk.member('1')}"
    etag = (await desk.get(path)).headers["ETag"]
    again = await desk.get(path, If_None_Match=f'"other", {etag}')
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    await desk.post(f"{path}/adjustments", Adjustment(points=5, reason="a gift"))
    changed = await desk.get(path, If_None_Match=etag)
    assert (changed.status_code, changed.json()["available"]) == (200, 5)


async def test_a_change_names_what_it_changes(desk: Desk) -> None:
    member_id = await desk.member("1")
    path, seen = f"/v1/members/{member_id}", await desk.view(member_id)
    patch = MemberPatch(name="João", tier="gold")
    assert problem_of(await desk.ask("PATCH", path, patch)) == "precondition-required"
    assert problem_of(await desk.ask("PATCH", path, patch, If_Match='"0"')) == "precondition-failed"
    changed = await desk.ask("PATCH", path, patch, If_Match=f'"{seen.etag}"')
    view = decode(MemberView, changed.json())
    assert (view.name, view.tier, view.revision) == ("João", "gold", seen.revision + 1)
    assert changed.headers["ETag"] == f'"{view.etag}"'
    # Whoever read it before has lost: the other change would be gone otherwise.
    assert problem_of(await desk.ask("PATCH", path, patch, If_Match=f'"{seen.etag}"')) == "precondition-failed"
    left = await desk.ask("PATCH", path, MemberPatch(name=""), If_Match="*")
    assert (left.json()["name"], left.json()["tier"]) == ("", "gold")
    # A field that is not known could have meant anything.
    assert problem_of(await desk.ask("PATCH", path, {"nmae": "x"}, If_Match="*")) == "invalid-request"


async def test_of_changes_at_once_to_the_same_state_one_is_done(desk: Desk) -> None:
    member_id = await desk.member("1")
    path, etag = f"/v1/members/{member_id}", (await desk.view(member_id)).etag
    patches = (desk.ask("PATCH", path, MemberPatch(name=f"name {number}"), If_Match=etag) for number in range(5))
    answers = await asyncio.gather(*patches)
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    done = next(answer for answer in answers if answer.status_code == 200)
    assert (await desk.view(member_id)).name == done.json()["name"]


async def test_a_change_reaches_the_terminals(desk: Desk) -> None:
    member_id, till = await desk.member("1"), await desk.till()
    till.sale(basket_of(10_000), member_id)
    await desk.deliver(till)
    changes = f"/v1/changes?journal={till.journal}"
    cursor = (await desk.as_till(till, "GET", changes)).json()["cursor"]
    await desk.ask("PATCH", f"/v1/members/{member_id}", MemberPatch(tier="gold"), If_Match="*")
    told = (await desk.as_till(till, "GET", f"{changes}&cursor={cursor}")).json()
    assert [one["tier"] for one in told["snapshots"]] == ["gold"]


async def test_aliases_come_and_go(desk: Desk) -> None:
    member_id, other = await desk.member("1"), await desk.member("2")
    path = f"/v1/members/{member_id}/aliases"
    added = decode(MemberView, (await desk.post(path, AliasAddition(alias=" 3 "))).json())
    assert [one.alias for one in added.aliases] == ["1", "3"]
    assert (await desk.post(path, AliasAddition(alias="3"))).json()["aliases"] == added_aliases(added)
    assert problem_of(await desk.post(path, AliasAddition(alias="2"))) == "conflict"
    assert problem_of(await desk.post(path, AliasAddition(alias=" "))) == "invalid-request"
    first, second = added.aliases
    left = await desk.ask("DELETE", f"{path}/{first.alias_id}")
    assert [one["alias"] for one in left.json()["aliases"]] == ["3"]
    assert problem_of(await desk.ask("DELETE", f"{path}/{first.alias_id}")) == "not-found"
    assert problem_of(await desk.ask("DELETE", f"{path}/{second.alias_id}")) == "conflict"
    # The alias of another member is not one of this member's.
    alien = (await desk.view(other)).aliases[0].alias_id
    assert problem_of(await desk.ask("DELETE", f"{path}/{alien}")) == "not-found"
    # It is free again.
    assert (await desk.post(f"/v1/members/{other}/aliases", AliasAddition(alias="1"))).status_code == 200


def added_aliases(view: MemberView) -> list[dict[str, Any]]:
    return [{"alias_id": one.alias_id, "alias": one.alias, "kind": one.kind} for one in view.aliases]


async def test_a_sale_that_waited_for_a_card_counts_when_the_card_is_added(desk: Desk) -> None:
    member_id, till = await desk.member("1"), await desk.till()
    till.sale(basket_of(10_000), alias="9")
    await desk.deliver(till)
    added = await desk.post(f"/v1/members/{member_id}/aliases", AliasAddition(alias="9"))
    assert added.json()["available"] == 100


async def test_an_entry_that_breaks_its_judge_keeps_nobody_from_registering(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    till = await desk.till()
    sales = [till.sale(basket_of(10_000), alias="9") for _ in range(2)]
    await desk.deliver(till)

    def judge(matter: Matter) -> Verdict:
        if matter.entry.id == sales[0].entry.id:
            raise ZeroDivisionError
        return judge_sale(matter)

    monkeypatch.setitem(judgement._JUDGES, "sale", judge)
    made = await desk.post("/v1/members", MemberRequest(aliases=("9",)))
    assert (made.status_code, made.json()["available"]) == (200, 100)
    assert [one["entry_id"] for one in await desk.items("/v1/quarantine")] == [sales[0].entry.id]
    assert "is quarantined" in caplog.text


async def test_what_a_member_may_not_be(desk: Desk) -> None:
    await desk.member("1")
    for request, problem in (
        (MemberRequest(aliases=("1",)), "conflict"),
        (MemberRequest(aliases=("5", "5")), "conflict"),
        (MemberRequest(aliases=()), "invalid-request"),
        (MemberRequest(aliases=("a" * 257,)), "invalid-request"),
        (MemberRequest(aliases=("6",), name="a\nb"), "invalid-request"),
        (MemberRequest(aliases=("6",), tier="a" * 65), "invalid-request"),
        ({"aliases": ["6"], "birthday": "1990-01-01"}, "invalid-request"),
        ({"aliases": ["\0"]}, "invalid-request"),
    ):
        assert problem_of(await desk.post("/v1/members", request)) == problem
    assert problem_of(await desk.get("/v1/members/nobody")) == "not-found"
    assert problem_of(await desk.get("/v1/members/a%00b")) == "invalid-request"


async def test_pages_hold_while_members_are_added(desk: Desk) -> None:
    before = {await desk.member(str(number)) for number in range(7)}
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await desk.get(f"/v1/members?limit=2&cursor={cursor}")).json()
        seen += [one["member_id"] for one in page["items"]]
        await desk.member(f"new-{len(seen)}")
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen))
    assert before <= set(seen)
    assert seen == sorted(seen)


async def test_a_cursor_belongs_to_its_list(desk: Desk) -> None:
    for number in range(3):
        await desk.member(str(number))
    cursor = (await desk.get("/v1/members?limit=1")).json()["next_cursor"]
    for path in (
        f"/v1/terminals?cursor={cursor}",
        "/v1/members?cursor=x",
        "/v1/members?cursor=%00",
        "/v1/members?limit=0",
    ):
        assert problem_of(await desk.get(path)) == "invalid-request"


async def test_a_member_of_another_tenant_does_not_exist(premises: Premises, desk: Desk) -> None:
    member_id = await desk.member("1")
    alias_id = (await desk.view(member_id)).aliases[0].alias_id
    other = await premises.desk()
    path = f"/v1/members/{member_id}"
    assert problem_of(await other.get(path)) == "not-found"
    assert problem_of(await other.ask("PATCH", path, MemberPatch(name="x"), If_Match="*")) == "not-found"
    assert problem_of(await other.post(f"{path}/aliases", AliasAddition(alias="5"))) == "not-found"
    assert problem_of(await other.ask("DELETE", f"{path}/aliases/{alias_id}")) == "not-found"
    assert problem_of(await other.post(f"{path}/adjustments", Adjustment(points=1, reason="x"))) == "not-found"
    for name in ("transfers", "entries", "lots", "grants", "decisions"):
        assert problem_of(await other.get(f"{path}/{name}")) == "not-found"
    assert (await other.post("/v1/members/search", MemberSearch(alias="1"))).json()["items"] == []
    assert await other.items("/v1/members") == []
    # The same card may be a member of each.
    assert (await other.post("/v1/members", MemberRequest(aliases=("1",)))).status_code == 200
    assert (await desk.view(member_id)).name == "Maria da Silva"
