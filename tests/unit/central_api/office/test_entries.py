"""Journal entries and the quarantine for the back office, over HTTP on both databases."""

from base64 import b64decode
from datetime import timedelta

import pytest

from central_api.judging import judgement
from central_api.judging.matter import Matter
from central_api.judging.sales import judge_sale
from central_api.ledger.records import Verdict
from central_api.programmes.versions import activate_programme
from loyalty_sdk.office import QuarantineRequest
from tests.support.terminal import basket_of
from tests.unit.central_api.office_support import Desk, Premises, problem_of
from tests.unit.central_api.support import PROGRAMME


async def test_entries_are_listed_by_what_is_asked(premises: Premises, desk: Desk) -> None:
    member_id, one, two = await desk.member("1"), await desk.till(), await desk.till("till-2", seed=2)
    for till in (one, two):
        till.sale(basket_of(10_000), member_id)
        till.sale(basket_of(10_000), alias="9")
        await desk.deliver(till)
    every = await desk.items("/v1/entries", limit=1)
    assert [(item["terminal"], item["seq"]) for item in every] == [
        (name, seq) for name in ("till-1", "till-2") for seq in (1, 2, 3)
    ]
    for query, count in (
        ("terminal=till-1", 3),
        (f"journal={two.journal}", 3),
        (f"member_id={member_id}", 2),
        ("outcome=held", 2),
        ("outcome=held&terminal=till-2", 1),
        ("outcome=rejected", 0),
    ):
        assert len(await desk.items(f"/v1/entries?{query}", limit=1)) == count
    assert problem_of(await desk.get("/v1/entries?outcome=lost")) == "invalid-request"
    assert await (await premises.desk()).items("/v1/entries") == []


async def test_an_entry_is_shown_with_its_bytes(premises: Premises, desk: Desk) -> None:
    till = await desk.till()
    sale = till.sale(basket_of(10_000))
    await desk.deliver(till)
    shown = (await desk.get(f"/v1/entries/{sale.entry.id}")).json()
    assert (b64decode(shown["data"]), shown["hash"]) == (sale.data, sale.hash.hex())
    by_place = f"/v1/entries/till-1/{till.journal}/2"
    assert (await desk.get(by_place)).json() == shown
    assert (await desk.get(by_place.replace(f"/{till.journal}/", f"%2F{till.journal}%2F"))).json() == shown
    stranger = await premises.desk()
    for path in (f"/v1/entries/{sale.entry.id}", by_place):
        assert problem_of(await stranger.get(path)) == "not-found"
    for path in ("/v1/entries/nothing", "/v1/entries/a/b/c", "/v1/entries/a/b/99999999999999999999"):
        assert problem_of(await desk.get(path)) == "not-found"


async def quarantined(desk: Desk, count: int) -> list[str]:
    """Deliver sales of a programme version that is not there yet. Returns their ids."""
    member_id, till = await desk.member("1"), await desk.till()
    sales = []
    for _ in range(count):
        till.now += timedelta(seconds=1)
        assert till.programme is not None
        sales.append(till.sale(basket_of(10_000), member_id, programme_version=2))
    await desk.deliver(till)
    return [sale.entry.id for sale in sales]


async def activate(desk: Desk) -> None:
    document = PROGRAMME.replace('"version": 1', '"version": 2')
    capabilities = desk.premises.central.capabilities
    await desk.write(lambda connection: activate_programme(connection, capabilities, desk.tenant, document))


async def test_what_could_not_be_judged_is_judged_anew(premises: Premises, desk: Desk) -> None:
    ids = await quarantined(desk, 3)
    listed = await desk.items("/v1/quarantine", limit=1)
    assert [one["entry_id"] for one in listed] == ids
    path = "/v1/quarantine/judge"
    still = await desk.post(path, QuarantineRequest(entries=(ids[0],)), scope="back-office")
    assert [(one["entry_id"], one["outcome"]) for one in still.json()["judged"]] == [(ids[0], "quarantined")]
    await activate(desk)
    one = await desk.post(path, QuarantineRequest(entries=(ids[1], ids[1])))
    assert [(one["entry_id"], one["outcome"]) for one in one.json()["judged"]] == [(ids[1], "applied")]
    assert problem_of(await desk.post(path, QuarantineRequest(entries=(ids[1],)))) == "not-found"
    stranger = await premises.desk()
    assert problem_of(await stranger.post(path, QuarantineRequest(entries=(ids[0],)))) == "not-found"
    assert (await stranger.post(path, QuarantineRequest(all=True))).json() == {"judged": [], "next_cursor": None}
    for body in ({}, {"all": True, "entries": ["x"]}, {"entries": ["x"], "cursor": "y"}, {"all": True, "cursor": "y"}):
        assert problem_of(await desk.post(path, body)) == "invalid-request"
    await desk.post(path, QuarantineRequest(all=True))
    assert await desk.items("/v1/quarantine") == []


async def test_all_are_judged_in_parts_even_if_some_stay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await quarantined(desk, 5)
    monkeypatch.setattr("central_api.office.entries.QUARANTINE_JUDGED_MAX", 2)
    found: list[str] = []
    question = QuarantineRequest(all=True)
    while True:
        answer = (await desk.post("/v1/quarantine/judge", question)).json()
        found += [one["entry_id"] for one in answer["judged"]]
        if answer["next_cursor"] is None:
            break
        question = QuarantineRequest(all=True, cursor=answer["next_cursor"])
    assert found == ids


async def test_an_entry_that_breaks_its_judge_stays_and_holds_back_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await quarantined(desk, 3)
    await activate(desk)

    def judge(matter: Matter) -> Verdict:
        if matter.entry.id == ids[1]:
            raise ZeroDivisionError
        return judge_sale(matter)

    monkeypatch.setitem(judgement._JUDGES, "sale", judge)
    answer = await desk.post("/v1/quarantine/judge", QuarantineRequest(all=True))
    assert [one["outcome"] for one in answer.json()["judged"]] == ["applied", "quarantined", "applied"]
    assert answer.json()["judged"][1]["reason"] == "judging-failed"
    assert "is quarantined" in caplog.text
