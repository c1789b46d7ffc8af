"""N requests at once under one Idempotency-Key do the work once; all get its answer, and so does a later one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from loyalty_sdk.codec import dumps
from tests.contract.attempts import BODIES, Attempt
from tests.contract.examiner import labels
from tests.contract.opened import DOCUMENT, Opened, Sent, described, names_in, paths
from tests.contract.shops import PROGRAMME

CALLS = [call for call in labels(DOCUMENT) if "Idempotency-Key" in names_in(call, "header")]
PARALLEL = 8
# Where a body of one shop against the other says nothing of use to oneself.
OWN: Mapping[str, object] = {
    "POST /v1/members": {"aliases": ["repeated"]},
    "POST /v1/terminals": {"terminal": "repeated"},
    "POST /v1/programmes": {"document": PROGRAMME % ("Clube", 400), "in_force_at": "2030-01-01T00:00:00+00:00"},
    "POST /v1/quarantine/judge": {"all": True},
}


def request_of(central: Opened, call: str) -> Sent:
    """A request that succeeds once."""
    shop = central.site.shop
    found = BODIES[call](shop, shop)[-1] if "requestBody" in described(call) else Attempt()
    body = dumps(OWN[call]) if call in OWN else found.body
    headers = {"Idempotency-Key": f"once {call}", "If-Match": "*"}
    # The first version is in force already, and the first member owes nothing.
    path = paths(call, shop)[-1 if call.endswith(("/withdraw", "/write-offs")) else 0]
    return Sent(path=path, body=body, headers=headers)


@pytest.mark.parametrize("call", CALLS)
async def test_the_work_is_done_once(central: Opened, call: str) -> None:
    shop, sent = central.site.shop, request_of(central, call)

    async def send() -> httpx.Response:
        return await central.send(call, shop, sent)

    answers = await asyncio.gather(*(send() for _ in range(PARALLEL)))
    rows = await central.rows(shop)
    answers.append(await send())
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers].count("true") == PARALLEL
    assert await central.rows(shop) == rows


@pytest.mark.parametrize("call", [call for call in CALLS if "requestBody" in described(call)])
async def test_another_request_under_the_key_is_refused(central: Opened, call: str) -> None:
    sent = request_of(central, call)
    again = Sent(path=sent.path, body=(sent.body or b"") + b" ", headers=sent.headers)
    rows = await central.rows(central.site.shop)
    answer = await central.send(call, central.site.shop, again)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:loyalty:problem:idempotency-conflict"), answer.text
    assert await central.rows(central.site.shop) == rows
