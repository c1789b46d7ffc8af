"""Answers that lie: whatever is said in central's name, no entry is dropped that central does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loyalty_sdk.codec import dumps
from tests.integration.exchange.conftest import MakeTill
from tests.integration.exchange.proxy import Proxy, answer_of, json_answer
from tests.integration.exchange.site import CentralSite
from tests.integration.exchange.test_faults import drained_through, held_once
from tests.integration.exchange.tills import Till, wait_until

Lie = Callable[[dict[str, Any]], object]


def fork() -> bytes:
    """Central's refusal of another life of a journal."""
    body = dumps({"type": "urn:loyalty:problem:fork", "status": 409, "detail": "a fork\x1b[2J\u202e"})
    return answer_of("409 Conflict", "application/problem+json", body)


def make_it_report(proxy: Proxy) -> None:
    """Make the terminal send a report, however short ago it sent another: the next upload comes after that pause."""
    proxy.fail("/entries HTTP", *[proxy.say(fork())] * 2)


LIES: dict[str, Lie] = {
    "a watermark beyond the head": lambda answer: answer.update(watermark=10**6, watermark_hash="ab" * 32),
    "a watermark without its hash": lambda answer: answer.update(watermark_hash=""),
    "a wrong hash": lambda answer: answer.update(watermark_hash="00" * 32),
    "a negative watermark": lambda answer: answer.update(watermark=-1),
    "a watermark that goes back": lambda answer: answer.update(watermark=0, watermark_hash=""),
    "a huge watermark": lambda answer: answer.update(watermark=2**70),
    "a watermark in words": lambda answer: answer.update(watermark="all"),
    "true for a number": lambda answer: answer.update(watermark=True),
    "another epoch": lambda answer: answer.update(epoch="another"),
    "no watermark": lambda answer: answer.pop("watermark"),
    "outcomes of others": lambda answer: answer.update(
        outcomes=[{"seq": seq, "id": "x", "outcome": "rejected", "reason": "?"} for seq in (-1, 0, 2**52)]
    ),
    "an unknown outcome": lambda answer: answer.update(outcomes=[{"seq": 1, "id": "x", "outcome": "eaten"}]),
    "a time before all time": lambda answer: answer.update(central_time="0001-01-01T00:00:00+00:00"),
    "a time without offset": lambda answer: answer.update(central_time="2026-01-01T00:00:00"),
}


@pytest.fixture
def site(shared: tuple[CentralSite, Proxy, Till]) -> CentralSite:
    return shared[0]


@pytest.fixture
def proxy(shared: tuple[CentralSite, Proxy, Till]) -> Proxy:
    return shared[1]


@pytest.fixture
def till(shared: tuple[CentralSite, Proxy, Till]) -> Till:
    return shared[2]


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_law_2_no_lie_drops_an_entry(till: Till, proxy: Proxy, site: CentralSite, lie: Lie) -> None:
    journal = till.journal
    drained_through(till, proxy, site, "/entries", proxy.changed(lie))
    assert till.journal == journal
    assert till.fact("central_time_seen") > "2026"  # type: ignore[operator]  # a contact was noted


@pytest.mark.parametrize("part", ["/changes", "/reports"])
@pytest.mark.parametrize("data", [json_answer(b'{"epoch":"x","epoch":"y"}'), json_answer(b"[" * 5_000)])
def test_nonsense_in_every_call(till: Till, proxy: Proxy, site: CentralSite, part: str, data: bytes) -> None:
    if part == "/reports":
        make_it_report(proxy)
    drained_through(till, proxy, site, part, proxy.say(data))


def test_a_page_of_changes_that_lies_changes_nothing(till: Till, proxy: Proxy, site: CentralSite) -> None:
    def lie(page: dict[str, Any]) -> None:
        page["snapshots"] = [
            {
                "member_id": "nobody",
                "name_masked": "x",
                "tier": "",
                "balance": 10**9,
                "revision": 1,
                "as_of": "2026-05-01T00:00:00+00:00",
                "includes_seq": 2**52,
            }
        ]
        page["grants"] = [{"document": "{}", "key_id": "signing-x", "signature": "AAAA"}]
        page["grants_recalled"] = ["nothing"]

    drained_through(till, proxy, site, "/changes", proxy.changed(lie))
    assert till.scalar("SELECT count(*) FROM snapshots WHERE member_id = 'nobody'") == 0
    assert till.scalar("SELECT count(*) FROM grants") == 0


def test_a_refusal_in_control_characters_is_shown_without_them(till: Till, proxy: Proxy) -> None:
    body = dumps({"type": "urn:loyalty:problem:x\x1b[2J", "status": 422, "detail": "\x1b]0;owned\x07\n\u202e"})
    proxy.fail("/changes", proxy.say(answer_of("422 x", "application/problem+json", body)))
    troubles: list[str] = []

    def told() -> bool:
        troubles.append(till.exchange.trouble)
        return "owned" in troubles[-1]

    wait_until(told)
    assert troubles[-1].isprintable()


def test_law_4_a_lie_about_a_fork_costs_a_journal_and_no_entry(
    make_private_till: MakeTill, proxy: Proxy, site: CentralSite
) -> None:
    till = make_private_till("till-fork")
    till.start()
    till.drain()
    journal = till.journal
    make_it_report(proxy)
    lie = proxy.changed(lambda answer: answer.update(watermark=10**6, watermark_hash="ab" * 32))
    proxy.fail("/reports", lie)
    for _ in range(3):
        till.sell(member_id=None)
    wait_until(lambda: not proxy.failing)
    wait_until(lambda: till.journal != journal)
    till.drain()
    sold = till.rows("SELECT id FROM entries WHERE kind = 'sale'")
    assert len(sold) == 3
    for (entry_id,) in sold:
        assert site.rows("SELECT outcome FROM entries WHERE id = ?", entry_id) == [("applied",)]
    assert len(list(till.folder.glob("journal.damaged-*.db"))) == 1
    held_once(site, till)
    # Once in an hour: the disk does not fill with journals.
    journal = till.journal
    make_it_report(proxy)
    proxy.fail("/reports", lie)
    till.sell(member_id=None)
    wait_until(lambda: not proxy.failing)
    till.drain()
    assert till.journal == journal
    till.stop()


@pytest.fixture
def make_private_till(
    site: CentralSite, proxy: Proxy, till: Till, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeTill]:
    """Terminals for one test, beside the shared one, which is stopped meanwhile so that it meets none of the faults."""

    def make(name: str) -> Till:
        code = site.program.json("terminal", "add", name)["code"]
        return Till.enrolled(tmp_path_factory.mktemp("private") / name, proxy.url, code)

    till.stop()
    yield make
    till.start(request_s_max=0.3)
