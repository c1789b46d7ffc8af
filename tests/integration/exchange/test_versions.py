"""Versions apart by one release: today's terminal with 0.1.0's answers, today's central with 0.1.0's requests."""

from __future__ import annotations

import json
import shutil
import sqlite3
from base64 import b64decode
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from central_api.api.application import create_app
from central_api.bootstrap import migrate_database, open_central
from loyalty_sdk.codec import dumps
from tests.integration.exchange.proxy import Fault, Proxy, answer_of, json_answer
from tests.integration.exchange.tills import Till, wait_until

RELEASE = Path(__file__).parents[2] / "fixtures" / "v0.1.0"
PROBLEM = "application/problem+json"


def recorded() -> list[dict[str, Any]]:
    """The exchanges of release 0.1.0, as they went over the wire."""
    return [json.loads(line) for line in (RELEASE / "exchanges.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The release's terminal and central, copied so that opening them changes nothing."""
    copy = tmp_path / "release"
    copy.mkdir()
    for name in ("journal.db", "identity.json", "central.db", "central.keys.json"):
        shutil.copyfile(RELEASE / name, copy / name)
    (copy / "central.keys.json").chmod(0o600)
    return copy


def test_today_s_terminal_reads_the_answers_of_0_1_0(release: Path) -> None:
    """Its queue is full again; the answers are those that its central gave."""
    with closing(sqlite3.connect(release / "journal.db")) as connection, connection:
        connection.execute("UPDATE meta SET value = '0' WHERE name = 'watermark'")
        connection.execute("UPDATE meta SET value = '' WHERE name IN ('watermark_hash', 'cursor')")
        connection.execute("DELETE FROM snapshots")
    answers = {exchange["path"].partition("?")[0]: b64decode(exchange["answer"]) for exchange in recorded()}

    def old_central(proxy: Proxy, connection: Any, request: Any) -> None:
        answer = answers.get(request.line.split()[1].partition("?")[0])
        unknown = dumps(
            {"type": "urn:loyalty:problem:not-found", "title": "x", "status": 404, "detail": "no such call"}
        )
        connection.sendall(json_answer(answer) if answer else answer_of("404 x", PROBLEM, unknown))

    proxy = Proxy(0)
    faults: list[Fault] = [old_central] * 10_000
    proxy.fail("HTTP/1.1", *faults)
    till = Till(release, proxy.url)
    till.start()
    till.drain()
    wait_until(lambda: till.fact("cursor") != "")
    journal = till.journal
    till.sell(member_id=None)
    # The recorded answer is about fewer entries now; a report is a call that release 0.1.0 does not have.
    wait_until(lambda: bool(proxy.seen("/entries")) and len(proxy.seen("/changes")) > 3)
    assert till.journal == journal
    assert till.mark.head_seq == till.mark.seq + 1
    till.stop()
    proxy.close()


async def test_today_s_central_answers_0_1_0_with_the_fields_that_it_knows(release: Path) -> None:
    """A terminal of 0.1.0 refuses an answer with a field that it does not know: none is ever added to these."""
    url = f"sqlite:///{release / 'central.db'}"
    await migrate_database(url)
    central = await open_central(url, release / "central.keys.json")
    app = create_app(database=central.database, capabilities=central.capabilities, version="today")
    calls = set()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://central") as client:
        for exchange in recorded():
            if exchange["path"] == "/v1/enrolments":
                continue  # Its code is used up, and answered so by both.
            headers = {name: value for name, value in exchange["headers"].items() if name.lower() != "content-length"}
            answer = await client.request(
                exchange["method"], exchange["path"], content=b64decode(exchange["body"]), headers=headers
            )
            assert answer.status_code == exchange["status"], exchange["path"]
            assert fields_of(answer.json()) <= fields_of(json.loads(b64decode(exchange["answer"]))) | OPEN
            calls.add(exchange["path"].partition("?")[0].split("/")[2])
    await central.database.close()
    assert calls >= {"journals", "changes", "members", "grants", "programme"}


# Lists that were empty in one of the two answers say nothing of their fields.
OPEN = frozenset(
    f"{name}.{field}"
    for name, fields in {
        "snapshots": ("member_id", "name_masked", "tier", "balance", "revision", "as_of", "includes_seq"),
        "grants": ("document", "key_id", "signature"),
        "outcomes": ("seq", "id", "outcome", "reason", "points"),
    }.items()
    for field in fields
)


def fields_of(document: Any, place: str = "") -> frozenset[str]:
    """Every field's name, with that of the field that holds it."""
    if isinstance(document, list):
        return frozenset().union(*(fields_of(item, place) for item in document))
    if not isinstance(document, dict):
        return frozenset()
    names = {f"{place}{name}" for name in document}
    return frozenset(names).union(*(fields_of(item, f"{name}.") for name, item in document.items()))
