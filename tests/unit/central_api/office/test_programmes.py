"""Versions of the programme for the back office, over HTTP on both databases."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty_sdk.codec import decode
from loyalty_sdk.office import DryRunReport, DryRunRequest, ProgrammeCandidate, ProgrammeRequest, ProgrammeView
from loyalty_sdk.protocol import SignedDocument
from tests.support.terminal import basket_of
from tests.unit.central_api.office_support import Desk, Premises, problem_of
from tests.unit.central_api.support import PROGRAMME


def version(number: int, points: int = 1) -> str:
    return PROGRAMME.replace('"version": 1', f'"version": {number}').replace('"points": 1,', f'"points": {points},')


async def test_a_version_is_activated_now_or_at_a_date(desk: Desk) -> None:
    now = (await desk.post("/v1/programmes", ProgrammeRequest(document=version(2)))).json()
    assert (now["version"], now["state"], now["name"]) == (2, "in_force", "Test")
    later = datetime.now(UTC) + timedelta(days=30)
    answer = await desk.post("/v1/programmes", ProgrammeRequest(document=version(3), in_force_at=later))
    scheduled = decode(ProgrammeView, answer.json())
    assert (scheduled.state, answer.headers["ETag"]) == ("scheduled", f'"{scheduled.etag}"')
    assert scheduled.signed is not None
    capabilities = desk.premises.central.capabilities
    assert capabilities.keys.verify("programme", scheduled.signed)
    listed = await desk.items("/v1/programmes", limit=1)
    assert [(one["version"], one["state"]) for one in listed] == [(3, "scheduled"), (2, "in_force"), (1, "superseded")]
    assert all(one["signed"] is None for one in listed)
    withdrawn = await desk.post("/v1/programmes/3/withdraw")
    assert withdrawn.json()["state"] == "withdrawn"
    assert problem_of(await desk.post("/v1/programmes/2/withdraw")) == "conflict"
    assert problem_of(await desk.post("/v1/programmes/9/withdraw")) == "not-found"


async def test_a_version_that_is_known_is_not_sent_again(premises: Premises, desk: Desk) -> None:
    first = await desk.get("/v1/programmes/1", scope="read-only")
    assert decode(SignedDocument, first.json()["signed"]).document == PROGRAMME
    again = await desk.get("/v1/programmes/1", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    await desk.post("/v1/programmes", ProgrammeRequest(document=version(2)))
    # It is no longer the one in force.
    assert (await desk.get("/v1/programmes/1", If_None_Match=first.headers["ETag"])).status_code == 200
    stranger = await premises.desk()
    assert problem_of(await stranger.get("/v1/programmes/2")) == "not-found"
    assert problem_of(await stranger.post("/v1/programmes/2/withdraw")) == "not-found"


async def test_a_document_is_checked(desk: Desk) -> None:
    good = await desk.post("/v1/programmes/validate", ProgrammeCandidate(document=version(2)), scope="read-only")
    assert good.json()["valid"] is True
    wrong = version(2).replace('"per_minor": 100', '"per_minor": "x"').replace('"points": 100,', '"points": [],')
    found = (await desk.post("/v1/programmes/validate", ProgrammeCandidate(document=wrong))).json()
    assert found["valid"] is False
    assert {"earning[0].per_minor", "rewards[0].points"} <= {one["place"] for one in found["findings"]}
    refused = await desk.post("/v1/programmes", ProgrammeRequest(document=wrong))
    assert problem_of(refused) == "programme-invalid"
    assert refused.json()["findings"] == found["findings"]
    assert found["findings"][0]["place"] in refused.json()["detail"]
    tried = await desk.post("/v1/programmes/dry-run", DryRunRequest(document="{"))
    assert problem_of(tried) == "programme-invalid"
    assert len(await desk.items("/v1/programmes")) == 1


@pytest.mark.parametrize("at", [timedelta(days=-1), timedelta(days=4_000)])
async def test_a_date_that_cannot_be(desk: Desk, at: timedelta) -> None:
    request = ProgrammeRequest(document=version(2), in_force_at=datetime.now(UTC) + at)
    assert problem_of(await desk.post("/v1/programmes", request)) == "invalid-request"


async def test_a_date_beyond_the_calendar(desk: Desk) -> None:
    for at in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2030-01-01T00:00:00"):
        answer = await desk.post("/v1/programmes", {"document": version(2), "in_force_at": at})
        assert problem_of(answer) == "invalid-request"


async def test_a_version_that_does_not_grow(desk: Desk) -> None:
    assert problem_of(await desk.post("/v1/programmes", ProgrammeRequest(document=version(1)))) == "conflict"


async def test_recorded_sales_are_tried_with_a_document(desk: Desk) -> None:
    member_id, till = await desk.member("1"), await desk.till()
    till.now = datetime.now(UTC) - timedelta(hours=1)
    till.sale(basket_of(10_000), member_id)
    await desk.deliver(till)
    question = DryRunRequest(document=version(2, points=3), days=2)
    report = decode(DryRunReport, (await desk.post("/v1/programmes/dry-run", question, scope="read-only")).json())
    assert (report.sales, report.changed, report.points_before, report.points_after) == (1, 1, 100, 300)
    assert (await desk.view(member_id)).available == 100


async def test_a_document_may_be_large_and_no_larger(desk: Desk) -> None:
    large = version(2)[:-1] + " " * 900_000 + "}"
    good = await desk.post("/v1/programmes/validate", ProgrammeCandidate(document=large))
    assert good.json()["valid"] is True
    too_large = ProgrammeCandidate(document=" " * 2_000_000)
    assert problem_of(await desk.post("/v1/programmes/validate", too_large)) == "body-too-large"
