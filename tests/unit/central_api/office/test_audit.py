"""The audit trail over HTTP, on both databases: who did what, once, with what was done or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from loyalty_sdk.office import KeyRequest, KeyRotation, ProgrammeRequest, TerminalRequest
from loyalty_sdk.protocol import GrantRequest
from tests.support.terminal import basket_of
from tests.unit.central_api.office_support import Desk, Premises, problem_of
from tests.unit.central_api.support import PROGRAMME


def told(acts: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Oldest first: what was done to what, and more about it."""
    return [(one["act"], one["subject"], one["detail"]) for one in reversed(acts)]


async def test_every_act_of_the_back_office_is_noted_with_its_key(desk: Desk) -> None:
    administrator = f"key:{desk.secrets['administrator'].split('_')[1]}"
    till, member = await desk.till(), await desk.member("1")
    till.sale(basket_of(50_000), member)
    await desk.deliver(till)
    question = GrantRequest(redemption_id="r-1", member_id=member, journal=till.journal, points=100, points_min=100)
    granted = (await desk.as_till(till, "POST", "/v1/grants", question)).json()["grants"][0]
    grant_id = json.loads(granted["document"])["grant_id"]
    made = (await desk.post("/v1/keys", KeyRequest(name="shop", scope="read-only"))).json()["key"]["key_id"]
    rotated = (await desk.post(f"/v1/keys/{made}/rotate", KeyRotation(hours=1))).json()["key"]["key_id"]
    await desk.ask("DELETE", f"/v1/keys/{made}")
    await desk.post("/v1/terminals", TerminalRequest(terminal="till-2"))
    await desk.post(f"/v1/grants/{grant_id}/recall")
    await desk.post("/v1/terminals/till-1/recall")
    await desk.post("/v1/terminals/till-1/revoke")
    document = PROGRAMME.replace('"version": 1', '"version": 2')
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await desk.post("/v1/programmes", ProgrammeRequest(document=document, in_force_at=tomorrow))
    await desk.post("/v1/programmes/2/withdraw")
    found = await desk.items("/v1/audit", limit=3)
    assert told(found) == [
        ("terminal-enrolled", "till-1", ""),
        ("key-added", made, "read-only"),
        ("key-rotated", made, rotated),
        ("key-revoked", made, ""),
        ("terminal-added", "till-2", ""),
        ("grant-recalled", grant_id, ""),
        ("grants-recalled", "till-1", "1"),
        ("terminal-revoked", "till-1", ""),
        ("programme-activated", "2", ""),
        ("programme-withdrawn", "2", ""),
    ]
    assert [one["actor"] for one in reversed(found)] == ["terminal:till-1", *[administrator] * (len(found) - 1)]
    assert found == await desk.items("/v1/audit")


async def test_what_is_refused_or_repeated_is_noted_no_more(premises: Premises, desk: Desk) -> None:
    for _ in range(3):
        answer = await desk.post("/v1/terminals", TerminalRequest(terminal="till-9"), Idempotency_Key="once")
        assert answer.status_code == 200
    assert problem_of(await desk.post("/v1/terminals/nobody/revoke")) == "not-found"
    assert problem_of(await desk.post("/v1/terminals/till-9/revoke", scope="back-office")) == "scope-missing"
    assert told(await desk.items("/v1/audit")) == [("terminal-added", "till-9", "")]
    assert (await desk.get("/v1/audit", scope="read-only")).status_code == 200
    stranger = await premises.desk()
    assert await stranger.items("/v1/audit") == []
