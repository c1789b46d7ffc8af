"""The line to central: each question has a deadline, and a central that fails is left alone for a while."""

import asyncio

import httpx
import pytest

from loyalty_sdk.protocol import IdentifyRequest
from sync.central import AnswerNonsense, CentralFailure, CentralRefused, CentralUnreachable
from terminal_agent.central_line import PROBE_S
from tests.unit.terminal_agent.rig import Rig, answered, member_answer, problem

QUESTION = IdentifyRequest(alias="2400001", journal="j")


async def never(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("never")


async def test_an_answer_is_believed_and_told_to_the_exchange(rig: Rig) -> None:
    answer = await rig.line.identify(QUESTION)
    assert answer == member_answer()
    assert rig.exchange.reached_count == 1
    assert rig.central.requests[0].headers["Authorization"] == "Bearer central-token"
    assert rig.central.requests[0].headers["Accept-Encoding"] == "identity"


async def test_silence_costs_one_deadline_and_then_nothing_for_a_while(rig: Rig) -> None:
    rig.central.handler = never
    with pytest.raises(CentralUnreachable, match=r"within 0\.2 s"):
        await rig.line.identify(QUESTION)
    for _ in range(3):
        with pytest.raises(CentralUnreachable, match="a moment ago"):
            await rig.line.identify(QUESTION)
    assert len(rig.central.requests) == 1, "the exchange still believed that central is there"
    rig.clock.monotonic_s += PROBE_S
    rig.central.handler = lambda request: answered(member_answer())
    assert await rig.line.identify(QUESTION) == member_answer()


async def test_the_exchange_coming_through_ends_the_peace(rig: Rig) -> None:
    rig.central.down()
    rig.exchange.online = False
    with pytest.raises(CentralUnreachable):
        await rig.line.identify(QUESTION)
    rig.central.handler = lambda request: answered(member_answer())
    with pytest.raises(CentralUnreachable, match="a moment ago"):
        await rig.line.identify(QUESTION)
    rig.exchange.online = True
    assert await rig.line.identify(QUESTION) == member_answer()


async def test_a_refusal_is_contact_with_central(rig: Rig) -> None:
    rig.central.handler = lambda request: problem("alias-unknown", 404)
    for _ in range(2):
        with pytest.raises(CentralRefused, match="alias-unknown"):
            await rig.line.identify(QUESTION)
    assert (rig.exchange.reached_count, len(rig.central.requests)) == (2, 2)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_central_that_asks_for_peace_gets_it(rig: Rig, status: int) -> None:
    rig.central.handler = lambda request: problem("too-many-requests", status)
    with pytest.raises(CentralRefused):
        await rig.line.identify(QUESTION)
    with pytest.raises(CentralUnreachable, match="a moment ago"):
        await rig.line.identify(QUESTION)
    assert rig.exchange.reached_count == 0, "the pause of the exchange must not end by this"


HOSTILE = [
    httpx.Response(200, html="<h1>Log in to our Wi-Fi</h1>"),
    httpx.Response(302, headers={"Location": "http://portal/"}),
    httpx.Response(200, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}, content=b""),
    httpx.Response(200, headers={"Content-Type": "application/json"}, content=b'{"snapshot": {}}'),
    httpx.Response(200, headers={"Content-Type": "application/json"}, content=b"[" * 100_000),
    httpx.Response(200, headers={"Content-Type": "application/json"}, content=b"x" * 8_000_001),
    httpx.Response(404, headers={"Content-Type": "application/problem+json"}, content=b"[]"),
]


@pytest.mark.parametrize("answer", HOSTILE, ids=lambda answer: answer.headers.get("content-type", "redirect"))
async def test_what_is_not_central_is_never_believed(rig: Rig, answer: httpx.Response) -> None:
    rig.central.handler = lambda request: answer
    with pytest.raises(AnswerNonsense):
        await rig.line.identify(QUESTION)
    with pytest.raises(CentralFailure):
        await rig.line.identify(QUESTION)
    assert rig.exchange.reached_count == 0
