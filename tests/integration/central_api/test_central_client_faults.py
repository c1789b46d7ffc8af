"""Writes of the back office over a line that fails: whatever is lost, cut, doubled or late, each counts once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loyalty_sdk.central import AsyncCentral, Central
from loyalty_sdk.errors import CentralFailure, CentralUnreachable, LoyaltyError, OutcomeUnknown
from loyalty_sdk.office import MemberView
from tests.integration.central_api.central_client import PROGRAMME, RETRIES, Site, connected, new
from tests.integration.exchange.proxy import Fault, Proxy, answer_of
from tests.integration.exchange.test_tls import Authority

BAD_GATEWAY = answer_of("502 Bad Gateway", "text/html", b"<h1>Bad Gateway</h1>")


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    made = Proxy(int(site.url.rpartition(":")[2]))
    yield made
    made.close()


@pytest.fixture
def direct(site: Site) -> Iterator[Central]:
    """A client whose line is whole: what it sees is so."""
    with Central(**site.settings()) as made:
        yield made


@pytest.fixture(params=["Central", "AsyncCentral"])
def central(request: pytest.FixtureRequest, site: Site, proxy: Proxy) -> Iterator[Any]:
    """A client behind the proxy; one that hangs is given up soon."""
    with connected(request.param, site.settings(url=proxy.url, timeout_s=10.0)) as made:
        yield made


FAULTS: dict[str, Callable[[Proxy], Fault]] = {
    "lost request": lambda proxy: proxy.lose_request,
    "lost answer": lambda proxy: proxy.lose_answer,
    "doubled": lambda proxy: proxy.double,
    "late": lambda proxy: proxy.delay,
    "cut request": lambda proxy: proxy.cut_request(150),
    "cut answer": lambda proxy: proxy.cut_answer(150),
    "gateway": lambda proxy: proxy.say(BAD_GATEWAY),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_points_are_given_once_whatever_the_line_does(central: Any, direct: Central, proxy: Proxy, fault: str) -> None:
    member = direct.create_member([new("card")])
    proxy.fail("adjustments", FAULTS[fault](proxy), FAULTS[fault](proxy))
    assert central.adjust(member, 10, "sorry").balance == 10
    if fault != "doubled":
        assert not proxy.failing
    proxy.release()
    assert direct.member(member).balance == 10
    assert [one.points for one in direct.transfers(member)] == [10]


def test_a_write_that_hangs_is_asked_for_again(direct: Central, site: Site, proxy: Proxy) -> None:
    member = direct.create_member([new("card")])
    proxy.fail("adjustments", proxy.hang)
    with Central(**site.settings(url=proxy.url, timeout_s=1.0)) as impatient:
        # The second answer may be late as well on a slow machine; the key then tells what became of it.
        assert until_done(partial(giving, impatient, member, 10)).balance == 10
    assert direct.member(member).balance == 10


def giving(central: Any, member: MemberView, points: int, key: str) -> MemberView:
    given: MemberView = central.adjust(member, points, "x", idempotency_key=key)
    return given


def until_done(write: Callable[[str], Any]) -> Any:
    """What a careful caller does: repeat a write under its key until it is known."""
    key = new("careful")
    for _ in range(20):
        try:
            return write(key)
        except (OutcomeUnknown, CentralUnreachable, CentralFailure):
            continue
    raise AssertionError("the line never came back")


def test_a_write_in_doubt_is_repeated_under_the_key_of_its_error(central: Any, direct: Central, proxy: Proxy) -> None:
    member = direct.create_member([new("card")])
    proxy.fail("adjustments", *[proxy.lose_answer] * RETRIES.attempts_max)
    with pytest.raises(OutcomeUnknown, match="repeat it with idempotency_key=") as raised:
        central.adjust(member, 10, "sorry")
    assert direct.member(member).balance == 10
    assert central.adjust(member, 10, "sorry", idempotency_key=raised.value.idempotency_key).balance == 10
    assert direct.member(member).balance == 10


def test_a_question_whose_answer_is_lost_is_asked_again(central: Any, direct: Central, proxy: Proxy) -> None:
    member = direct.create_member([new("card")])
    proxy.fail("GET", proxy.lose_answer, proxy.cut_answer(200), proxy.say(BAD_GATEWAY))
    assert central.member(member).member_id == member.member_id
    assert not proxy.failing


# Every other write


def losing(proxy: Proxy, part: str) -> None:
    """Lose the answer of the next write: central has done it, and is asked again."""
    proxy.fail(part, proxy.lose_answer)


def test_a_member_is_registered_once(central: Any, direct: Central, proxy: Proxy) -> None:
    card = new("card")
    losing(proxy, "POST /v1/members ")
    member = central.create_member([card], name="Ana")
    assert [one.member_id for one in direct.search_members(card).items] == [member.member_id]
    assert member.name == "Ana"


def test_a_change_that_was_made_is_not_refused_as_outdated(central: Any, direct: Central, proxy: Proxy) -> None:
    member = direct.create_member([new("card")], name="Ana")
    losing(proxy, "PATCH")
    changed = central.update_member(member, name="Eva")
    assert changed.name == "Eva"
    assert direct.member(changed, known=changed) is changed


def test_aliases_are_given_and_taken_once(central: Any, direct: Central, proxy: Proxy) -> None:
    member, phone = direct.create_member([new("card")]), new("phone")
    losing(proxy, "/aliases")
    added = central.add_alias(member, phone)
    (alias,) = (one for one in added.aliases if one.alias == phone)
    losing(proxy, "DELETE")
    assert [one.alias for one in central.remove_alias(member, alias).aliases] == [member.aliases[0].alias]


def test_members_are_merged_once(central: Any, direct: Central, proxy: Proxy) -> None:
    source, target = direct.create_member([new("card")]), direct.create_member([new("card")])
    direct.adjust(source, 40, "before")
    losing(proxy, "/merge")
    assert central.merge_members(target, source, "one person").balance == 40


def test_a_terminals_code_and_a_keys_secret_are_told_again(
    central: Any, direct: Central, proxy: Proxy, site: Site
) -> None:
    losing(proxy, "/v1/terminals")
    code = central.create_terminal(new("till"))
    assert direct.enrol(code.code, b"k" * 32, "test").terminal == code.terminal
    losing(proxy, "/v1/keys")
    name = new("key")
    made = central.create_api_key(name, "read-only")
    assert [one.key_id for one in direct.api_keys() if one.name == name] == [made.key.key_id]
    with Central(**site.settings(token=made.secret)) as reader:
        assert reader.search_members("nobody").items == ()
    losing(proxy, "/rotate")
    rotated = central.rotate_api_key(made.key)
    assert sorted(one.key_id for one in direct.api_keys() if one.name == name) == sorted(
        [made.key.key_id, rotated.key.key_id]
    )


def test_a_programme_is_activated_once(central: Any, direct: Central, proxy: Proxy) -> None:
    before = max(one.version for one in direct.programmes())
    losing(proxy, "POST /v1/programmes ")
    made = central.activate_programme(PROGRAMME.replace('"version": 1', f'"version": {before + 1}'))
    assert (made.version, made.state) == (before + 1, "in_force")


# Many at once


def test_one_key_in_many_threads_counts_once(direct: Central) -> None:
    member, key = direct.create_member([new("card")]), new("order")
    with ThreadPoolExecutor(6) as threads:
        done = [threads.submit(direct.adjust, member, 10, "once", idempotency_key=key) for _ in range(12)]
        answers = {one.result() for one in done}
    assert {one.balance for one in answers} == {10}
    assert direct.member(member).balance == 10


async def test_many_tasks_share_one_client(direct: Central, site: Site) -> None:
    member = direct.create_member([new("card")])
    async with AsyncCentral(**site.settings()) as central:
        await asyncio.gather(*(central.adjust(member, 1, f"task {number}") for number in range(50)))
        assert (await central.member(member)).balance == 50


def test_over_a_bad_day_every_write_counts_once(direct: Central, site: Site, proxy: Proxy) -> None:
    """Every third call meets some fault; a caller who repeats under the key ends with what was meant."""
    member, chance, meant = direct.create_member([new("card")]), random.Random(7), 0
    names = sorted(FAULTS)
    with Central(**site.settings(url=proxy.url)) as central:
        for _ in range(40):
            faults = [FAULTS[chance.choice(names)](proxy) for _ in range(chance.choice((0, 0, 1, 3, 5)))]
            proxy.fail("adjustments", *faults)
            points = chance.randint(1, 9)
            until_done(partial(giving, central, member, points))
            meant += points
            if chance.random() < 0.2:
                proxy.release()
    proxy.release()
    assert direct.member(member).balance == meant
    assert len(list(direct.transfers(member))) == 40


@pytest.mark.parametrize("kind", ["Central", "AsyncCentral"])
def test_only_a_certificate_that_is_trusted_is_spoken_to(kind: str, site: Site, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    proxy = Proxy(int(site.url.rpartition(":")[2]), authority.server())
    try:
        trusting = site.settings(url=proxy.url, certificate_authority=str(authority.path))
        with connected(kind, trusting) as central:
            assert central.search_members("nobody").items == ()
        with connected(kind, site.settings(url=proxy.url)) as central, pytest.raises(CentralUnreachable):
            central.search_members("nobody")
        assert len(proxy.requests) == 1, "without trust not even the token is sent"
    finally:
        proxy.close()


@pytest.mark.parametrize("kind", ["Central", "AsyncCentral"])
def test_the_proxy_of_the_environment_is_used(
    kind: str, site: Site, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "elsewhere.invalid")
    proxy.fail("GET", proxy.say(answer_of("404 Not Found", "application/problem+json", b'{"type":"x"}')))
    with connected(kind, site.settings(url="http://central.invalid")) as central, pytest.raises(CentralFailure):
        central.member("m-1")
    assert [request.line for request in proxy.requests] == ["GET http://central.invalid/v1/members/m-1 HTTP/1.1"]


def test_no_bytes_of_a_line_raise_anything_but_an_error_of_the_sdk(site: Site, proxy: Proxy) -> None:
    hostile = [
        b"",
        b"\x16\x03\x01",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n",
        answer_of("200 OK", "application/json", b"[" * 2_000),
        answer_of("200 OK", "application/json", b'{"member_id":1e400}'),
        answer_of("200 OK", "application/json", b"x", "Content-Encoding: gzip"),
        answer_of("503 Busy", "application/problem+json", b'{"type":"urn:loyalty:problem:busy"}', "Retry-After: 1e9"),
    ]
    with Central(**site.settings(url=proxy.url)) as central:
        for data in hostile:
            proxy.fail("GET", *[proxy.say(data)] * 4)
            with pytest.raises(LoyaltyError):
                central.member("m-1")
            while proxy.failing:
                with pytest.raises(LoyaltyError):
                    central.member("m-1")
