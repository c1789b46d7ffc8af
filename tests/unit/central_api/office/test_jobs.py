"""Jobs and totals for the back office, over HTTP on both databases."""

from datetime import UTC, datetime, timedelta

from central_api.jobs.catalogue import JOBS
from loyalty_sdk.office import Adjustment
from tests.unit.central_api.office_support import Desk, Premises, problem_of


async def test_every_job_is_shown_though_it_never_ran(desk: Desk) -> None:
    answer = await desk.get("/v1/jobs", scope="read-only")
    items = answer.json()["items"]
    assert [(one["job"], one["state"]) for one in items] == [(job.name, "new") for job in JOBS]


async def test_the_programme_by_day(premises: Premises, desk: Desk) -> None:
    member_id = await desk.member("1")
    await desk.post(f"/v1/members/{member_id}/adjustments", Adjustment(points=50, reason="a gift"))
    today = datetime.now(UTC).date()
    # The test may run over midnight.
    query = f"/v1/totals?from={today - timedelta(days=3)}&to={today + timedelta(days=1)}"
    days = await desk.items(query, limit=2)
    assert [one["day"] for one in days] == [str(today + timedelta(days=number)) for number in range(-3, 2)]
    assert (sum(one["issued"] for one in days), days[-1]["outstanding"]) == (50, 50)
    assert [one["outstanding"] for one in days][:3] == [0, 0, 0]
    assert len(await desk.items("/v1/totals")) == 30
    assert [one["day"] for one in await desk.items(f"/v1/totals?to={today}", limit=7)][-1] == str(today)
    stranger = await premises.desk()
    assert sum(one["issued"] for one in await stranger.items(query)) == 0


async def test_days_that_cannot_be(desk: Desk) -> None:
    for query in (
        "from=2026-05-02&to=2026-05-01",
        "from=1900-01-01&to=2026-05-01",
        "from=yesterday",
        "from=0001-01-01&to=0001-01-02",
        "to=0001-01-01",
    ):
        assert problem_of(await desk.get(f"/v1/totals?{query}")) == "invalid-request"
    assert (await desk.get("/v1/totals?from=9999-12-30&to=9999-12-31&limit=1")).status_code == 200
    cursor = (await desk.get("/v1/totals?limit=1")).json()["next_cursor"]
    assert problem_of(await desk.get(f"/v1/totals?to=2026-05-01&cursor={cursor}")) == "invalid-request"
