"""Limits: 429 with Retry-After, bodies that are too large both ways, an enrolment whose answer was lost."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pytest

from central_api.api.limits import Limits
from loyalty_sdk.codec import dumps
from loyalty_sdk.protocol import UPLOAD_BYTES_MAX
from terminal_agent.enrolment import EnrolmentFailed
from tests.integration.exchange.conftest import serving
from tests.integration.exchange.proxy import Proxy, answer_of
from tests.integration.exchange.site import CentralSite
from tests.integration.exchange.test_faults import drained_through, held_once
from tests.integration.exchange.tills import Till


@pytest.fixture
def site(shared: tuple[CentralSite, Proxy, Till]) -> CentralSite:
    return shared[0]


@pytest.fixture
def proxy(shared: tuple[CentralSite, Proxy, Till]) -> Proxy:
    return shared[1]


@pytest.fixture
def till(shared: tuple[CentralSite, Proxy, Till]) -> Till:
    return shared[2]


def test_retry_after_is_honoured(till: Till, proxy: Proxy, site: CentralSite) -> None:
    asked: list[float] = []
    body = dumps({"type": "urn:loyalty:problem:too-many-requests", "status": 429, "detail": "later"})
    throttled = answer_of("429 x", "application/problem+json", body, "Retry-After: 1")

    def refuse(proxy: Proxy, connection: object, request: object) -> None:
        asked.append(time.monotonic())
        connection.sendall(throttled)  # type: ignore[attr-defined]  # a socket

    def note(proxy: Proxy, connection: object, request: object) -> None:
        asked.append(time.monotonic())

    till.drain()
    proxy.fail("HTTP/1.1", refuse, note)
    drained_through(till, proxy, site, "HTTP/1.1")
    assert asked[1] - asked[0] >= 1


def test_central_throttles_a_terminal_that_asks_too_much(tmp_path: Path) -> None:
    with serving(tmp_path / "central", Limits(per_s=20, burst=8)) as (site, proxy):
        till = Till.enrolled(tmp_path / "till", proxy.url, site.program.json("terminal", "add", "till-1")["code"])
        till.start()
        for _ in range(30):
            till.sell(member_id=None)
        till.drain()
        for _ in range(10):
            proxy.forward(proxy.seen("/changes")[-1])
        till.sell(member_id=None)
        till.drain()
        held_once(site, till)
        till.stop()
    refused = [answer for answer in proxy.answers if b" 429 " in answer.split(b"\r\n", 1)[0]]
    assert refused
    assert all(b"retry-after: 1" in answer.lower() for answer in refused)
    assert all(b"too-many-requests" in answer for answer in refused)


def test_an_upload_that_is_too_large_is_halved(till: Till, proxy: Proxy, site: CentralSite) -> None:
    body = dumps({"type": "urn:loyalty:problem:body-too-large", "status": 413, "detail": "too large"})
    too_large = answer_of("413 x", "application/problem+json", body)
    drained_through(till, proxy, site, "/entries", proxy.say(too_large), proxy.say(too_large))


def test_central_reads_no_body_beyond_its_cap(till: Till, proxy: Proxy) -> None:
    till.drain()
    upload = proxy.seen("/entries")[-1]
    length = f"content-length: {UPLOAD_BYTES_MAX + 1}".encode()
    head = re.sub(rb"content-length: \d+", length, upload.head, flags=re.IGNORECASE)
    answer = proxy.forward(type(upload)(line=upload.line, head=head, body=b"x"))
    assert b" 413 " in answer.split(b"\r\n", 1)[0]


def test_central_refuses_nonsense_and_goes_on(site: CentralSite, till: Till) -> None:
    token = {"Authorization": f"Bearer {till.identity.token}"}
    json_type = {"Content-Type": "application/json"}
    with httpx.Client(base_url=f"http://127.0.0.1:{site.port}", headers=token, trust_env=False) as client:
        for body in (b"[" * 50_000, b'{"a":1,"a":2}', b'{"report":"{}","signature":"AAAA"}', b"\xff", b"1e400"):
            answer = client.post(f"/v1/journals/{till.journal}/reports", content=body, headers=json_type)
            assert 400 <= answer.status_code < 500
        for query in ("acknowledged=-1", "head=999999999999999999999", "acknowledged=x&head=1"):
            assert client.get(f"/v1/changes?journal={till.journal}&{query}").status_code == 422
        assert client.get("/v1/health").status_code == 200


def test_an_enrolment_whose_answer_was_lost_is_done_again(site: CentralSite, proxy: Proxy, tmp_path: Path) -> None:
    code = site.program.json("terminal", "add", "till-lost")["code"]
    proxy.fail("/v1/enrolments", proxy.lose_answer, proxy.double)
    with pytest.raises(EnrolmentFailed, match="same code"):
        Till.enrolled(tmp_path / "till", proxy.url, code)
    till = Till.enrolled(tmp_path / "till", proxy.url, code)
    till.start()
    till.sell(member_id=None)
    till.drain()
    held_once(site, till)
    till.stop()
    assert not (tmp_path / "till" / "enrolment.key").exists()


def test_a_code_is_nobody_else_s(site: CentralSite, proxy: Proxy, tmp_path: Path) -> None:
    code = site.program.json("terminal", "add", "till-stolen")["code"]
    Till.enrolled(tmp_path / "till", proxy.url, code)
    with pytest.raises(EnrolmentFailed, match="used"):
        Till.enrolled(tmp_path / "thief", proxy.url, code)
    assert not (tmp_path / "thief").exists()
