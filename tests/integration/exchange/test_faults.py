"""Faults of the line between terminal and central, on real sockets: docs/exchange.md says what each comes to."""

from __future__ import annotations

import pytest

from loyalty_sdk.codec import dumps
from tests.integration.exchange.proxy import Fault, Proxy, answer_of, json_answer
from tests.integration.exchange.site import CentralSite
from tests.integration.exchange.tills import Till, wait_until

PROBLEM = "application/problem+json"


@pytest.fixture
def site(shared: tuple[CentralSite, Proxy, Till]) -> CentralSite:
    return shared[0]


@pytest.fixture
def proxy(shared: tuple[CentralSite, Proxy, Till]) -> Proxy:
    return shared[1]


@pytest.fixture
def till(shared: tuple[CentralSite, Proxy, Till]) -> Till:
    return shared[2]


def held_once(site: CentralSite, till: Till) -> None:
    """Central holds exactly this journal, byte for byte, each entry once."""
    theirs = site.rows("SELECT seq, bytes, hash FROM entries WHERE journal = ? ORDER BY seq", till.journal)
    assert theirs == till.chain()


def drained_through(till: Till, proxy: Proxy, site: CentralSite, part: str, *faults: Fault) -> None:
    """Sell, meet the faults, and come through with everything."""
    till.drain()
    proxy.fail(part, *faults)

    def sold_through() -> bool:
        till.sell(member_id=None)
        return not proxy.failing

    wait_until(sold_through)
    till.sell(member_id=None)
    till.drain()
    held_once(site, till)


def test_a_lost_request_is_sent_again(till: Till, proxy: Proxy, site: CentralSite) -> None:
    drained_through(till, proxy, site, "/entries", proxy.lose_request, proxy.lose_request)


def test_a_lost_answer_counts_nothing_twice(till: Till, proxy: Proxy, site: CentralSite) -> None:
    drained_through(till, proxy, site, "/entries", proxy.lose_answer, proxy.lose_answer)


def test_a_doubled_request_counts_nothing_twice(till: Till, proxy: Proxy, site: CentralSite) -> None:
    drained_through(till, proxy, site, "/entries", proxy.double, proxy.double)


def test_a_request_that_others_overtook_changes_nothing(till: Till, proxy: Proxy, site: CentralSite) -> None:
    drained_through(till, proxy, site, "/entries", proxy.delay)
    before = site.rows("SELECT count(*) FROM entries")
    (answer,) = proxy.release()
    assert b"200 OK" in answer.split(b"\r\n", 1)[0]
    assert site.rows("SELECT count(*) FROM entries") == before
    till.sell(member_id=None)
    till.drain()
    held_once(site, till)


@pytest.mark.parametrize("size", [1, 40, 300])
def test_a_truncated_answer_is_none(till: Till, proxy: Proxy, site: CentralSite, size: int) -> None:
    drained_through(till, proxy, site, "/entries", proxy.cut_answer(size))


@pytest.mark.parametrize("size", [20, 300, 900])
def test_a_truncated_request_stores_nothing(till: Till, proxy: Proxy, site: CentralSite, size: int) -> None:
    drained_through(till, proxy, site, "/entries", proxy.cut_request(size))


STRANGE = {
    "a captive portal's page": answer_of("200 OK", "text/html", b"<h1>Log in to our Wi-Fi</h1>"),
    "a portal's redirect": answer_of("302 Found", "text/html", b"", "Location: http://127.0.0.1:9/login"),
    "a redirect to elsewhere": answer_of("307 Temporary Redirect", "text/html", b"", "Location: https://example.com/"),
    "an error of a proxy": answer_of("502 Bad Gateway", "text/html", b"<h1>502</h1>"),
    "an error 500": answer_of("500 Internal Server Error", "text/plain", b"oops"),
    "a problem 500": answer_of("500 x", PROBLEM, dumps({"type": "urn:loyalty:problem:central-failure"})),
    "a compressed answer": answer_of("200 OK", "application/json", b"\x1f\x8b\x08", "Content-Encoding: gzip"),
    "too large": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * 8_100_000,
    "too large a header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    "no HTTP": b"220 mail.example.com ESMTP\r\n",
    "noise": bytes(range(256)),
    "nothing": b"",
    "deep nesting": json_answer(b"[" * 100_000),
    "not a number": json_answer(b'{"watermark":NaN}'),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a switch of protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("data", STRANGE.values(), ids=STRANGE.keys())
def test_what_is_no_answer_of_central_is_not_believed(till: Till, proxy: Proxy, site: CentralSite, data: bytes) -> None:
    drained_through(till, proxy, site, "/entries", proxy.say(data))


def test_a_redirect_is_not_followed(till: Till, proxy: Proxy, site: CentralSite) -> None:
    elsewhere = answer_of("307 Temporary Redirect", "text/html", b"", f"Location: {proxy.url}/elsewhere")
    drained_through(till, proxy, site, "/entries", proxy.say(elsewhere))
    assert proxy.seen("/elsewhere") == []


def test_terminals_ask_for_no_encoding(till: Till, proxy: Proxy, site: CentralSite) -> None:
    drained_through(till, proxy, site, "/entries")
    assert proxy.requests
    assert all(b"accept-encoding: identity" in request.head.lower() for request in proxy.requests)


def test_central_refuses_an_encoded_body(till: Till, proxy: Proxy, site: CentralSite) -> None:
    till.drain()
    request = proxy.seen("/entries")[0]
    encoded = request.head.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    answer = proxy.forward(type(request)(line=request.line, head=encoded, body=request.body))
    assert b" 415 " in answer.split(b"\r\n", 1)[0]
    assert b"encoding-refused" in answer


@pytest.mark.parametrize("slow", ["headers", "body", "silence"])
def test_a_slow_central_does_not_hold_the_exchange(till: Till, proxy: Proxy, site: CentralSite, slow: str) -> None:
    """Every byte comes within the read's timeout, and the whole answer never: the request is cut off by its limit."""
    start = b"HTTP/1.1 200 OK\r\nX-Slow: "
    faults: dict[str, Fault] = {
        "headers": proxy.drip(start, 0.01),
        "body": proxy.drip(start + b"\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n ", 0.001),
        "silence": proxy.hang,
    }
    drained_through(till, proxy, site, "/entries", faults[slow])


def test_the_exchange_stops_in_the_middle_of_a_request(till: Till, proxy: Proxy) -> None:
    till.stop()
    till.start()
    proxy.fail("/changes", proxy.hang)
    wait_until(lambda: not proxy.failing)
    till.stop()
    assert not till.exchange._thread.is_alive()
    till.start(request_s_max=0.3)


def test_a_central_that_is_down_is_found_when_it_returns(till: Till, site: CentralSite) -> None:
    till.drain()
    site.stop()
    for _ in range(5):
        till.sell(member_id=None)
    wait_until(lambda: not till.exchange.online)
    site.start()
    till.drain()
    held_once(site, till)
