"""PostgreSQL goes away at a COMMIT: central says `outcome-unknown`, and a repetition ends with what was meant, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import get_args

import httpx
import pytest
from sqlalchemy.engine import URL

from loyalty_sdk.central import AsyncCentral, RetryPolicy
from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import OutcomeUnknown
from tests.contract.cut_line import CutLine, Moment, cut_line
from tests.contract.examiner import labels
from tests.contract.opened import DOCUMENT, Opened, Rows, Sent, described, opened
from tests.contract.test_repeated import CALLS, request_of
from tests.support.postgresql import Server
from tests.support.terminal import SupportTerminal, basket_of

MOMENTS = get_args(Moment)
UNKNOWN = "urn:loyalty:problem:outcome-unknown"
# A terminal that enrols again has another token, one that reports is told again.
RENEWED = ("terminals", "enrolment_codes", "feeds", "changes", "tellings")
WRITES_OF_TERMINALS = [
    call
    for call in labels(DOCUMENT)
    if call.startswith("POST") and {"key": []} not in described(call).get("security", ())
]


@pytest.fixture(scope="module")
def empty(postgresql: Server) -> Iterator[URL]:
    with postgresql.database() as url:
        yield url


@pytest.fixture(scope="module")
async def lined(empty: URL, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Opened, CutLine]]:
    async with cut_line(empty) as (line, address):
        url = address.render_as_string(hide_password=False)
        async with opened(url, tmp_path_factory.mktemp("keys")) as central:
            yield central, line


def sent_by_till(central: Opened, call: str) -> Sent:
    """A request of the shop's terminal that changes something."""
    shop, journal = central.site.shop, central.site.shop.till.journal
    member_id, alias = shop.names["member_id"][0], shop.names["alias"][0]
    wanted = {"redemption_id": "cut", "member_id": member_id, "journal": journal, "points": 5, "points_min": 5}
    match call.split()[1]:
        case "/v1/enrolments":
            newcomer = SupportTerminal(seed=99, now=shop.till.now)
            return Sent(body=dumps(newcomer.enrolment_request(str(shop.names["code"][0]))))
        case "/v1/grants":
            return Sent(body=dumps(wanted))
        case "/v1/members/identify":
            return Sent(body=dumps({"alias": alias, "journal": journal}))
        case path if path.endswith("/reports"):
            return Sent(path=path.format(journal=journal), body=dumps(shop.report()))
        case path:
            shop.till.sale(basket_of(10_000), str(member_id))
            headers, body = shop.till.upload()
            media = {"Content-Type": "application/x-ndjson"}
            return Sent(path=path.format(journal=journal), body=body, headers=media | headers.to_headers())


async def rows_of(central: Opened) -> Rows:
    """What is kept for the shop, without what a repetition may renew."""
    rows = await central.rows(central.site.shop)
    return {name: found for name, found in rows.items() if name not in RENEWED}


async def cut_twice(lined: tuple[Opened, CutLine], call: str, sent: Sent) -> httpx.Response:
    """Send the same until it comes through: cut before the COMMIT, cut after it, not cut. Returns the last answer."""
    central, line = lined
    for moment in MOMENTS:
        line.cut(moment)
        answer = await central.send(call, central.site.shop, sent)
        assert (answer.status_code, answer.json()["type"]) == (504, UNKNOWN), answer.text
    rows = await rows_of(central)
    answer = await central.send(call, central.site.shop, sent)
    assert answer.status_code == 200, answer.text
    assert await rows_of(central) == rows
    return answer


@pytest.mark.parametrize("call", WRITES_OF_TERMINALS)
async def test_what_a_terminal_repeats_is_done_once(lined: tuple[Opened, CutLine], call: str) -> None:
    # The terminals come first: a later test revokes this one.
    await cut_twice(lined, call, sent_by_till(lined[0], call))


@pytest.mark.parametrize("call", CALLS)
async def test_a_write_is_done_once_under_its_key(lined: tuple[Opened, CutLine], call: str) -> None:
    answer = await cut_twice(lined, call, request_of(lined[0], call))
    assert answer.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_client_repeats_it_by_itself(lined: tuple[Opened, CutLine], moment: Moment) -> None:
    line = lined[1]
    async with client_of(lined[0]) as client:
        member = await client.create_member([f"repeated {moment}"])
        line.cut(moment)
        assert (await client.adjust(member, 10, "sorry")).balance == 10
        assert line.moment is None
        assert [one.points async for one in client.transfers(member)] == [10]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_client_that_gives_up_knows_the_key(lined: tuple[Opened, CutLine], moment: Moment) -> None:
    async with client_of(lined[0], attempts_max=1) as client:
        member = await client.create_member([f"given up {moment}"])
        lined[1].cut(moment)
        with pytest.raises(OutcomeUnknown, match="repeat it with idempotency_key=") as raised:
            await client.adjust(member, 10, "sorry")
        again = await client.adjust(member, 10, "sorry", idempotency_key=raised.value.idempotency_key)
        assert again.balance == 10


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_question_is_never_in_doubt(lined: tuple[Opened, CutLine], moment: Moment) -> None:
    central, line = lined
    line.cut(moment, of_a_write=False)
    answer = await central.send("GET /v1/members", central.site.shop, Sent())
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:loyalty:problem:busy"), answer.text


def client_of(central: Opened, **policy: int) -> AsyncCentral:
    """The SDK's client in front of the application."""

    async def forward(request: httpx.Request) -> httpx.Response:
        path, headers = request.url.raw_path.decode(), request.headers
        answer = await central.client.request(request.method, path, content=request.content, headers=headers)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return AsyncCentral(
        "http://central",
        token=central.site.shop.keys["administrator"],
        retries=RetryPolicy(pause_first_s=0.001, pause_max_s=0.001, **policy),
        transport=httpx.MockTransport(forward),
    )
