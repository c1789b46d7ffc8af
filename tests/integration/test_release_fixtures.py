"""Every released version's journal and central database open with today's code, and its exchanges still read."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from central_api.api.application import create_app
from central_api.bootstrap import migrate_database, open_central
from loyalty_sdk.codec import decode, loads
from loyalty_sdk.envelope import chain_hash, decode_entry, first_hash
from loyalty_sdk.protocol import (
    ChangesPage,
    EnrolmentAnswer,
    MemberAnswer,
    SignedDocument,
    UploadAnswer,
    split_upload,
)
from sync import identity as identities
from sync.host import Host
from sync.journal import queue_batch
from sync.store import Store
from terminal_agent.bootstrap import system_host

RELEASES = sorted(path for path in (Path(__file__).parents[1] / "fixtures").iterdir() if path.name.startswith("v"))
ANSWERS: dict[str, Any] = {
    "/v1/enrolments": EnrolmentAnswer,
    "/v1/programme": SignedDocument,
    "/v1/members/identify": MemberAnswer,
    "/v1/grants": MemberAnswer,
    "/v1/changes": ChangesPage,
}


@pytest.fixture(params=RELEASES, ids=lambda path: str(path.name))
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A release's fixtures, copied so that opening them changes nothing."""
    copy = Path(shutil.copytree(request.param, tmp_path / "release"))
    (copy / "central.keys.json").chmod(0o600)
    return copy


@pytest.fixture
def store(release: Path) -> Iterator[Store]:
    host: Host = system_host()
    store = Store(release / "journal.db", identities.read(release / "identity.json"), host, "today")
    store.open()
    yield store
    store.close()


def exchanges_of(release: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (release / "exchanges.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_journal_opens_and_its_chain_verifies(store: Store) -> None:
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT seq, bytes, hash FROM entries ORDER BY seq").all()
        assert queue_batch(connection, rows[-1].seq, 100, 1_000_000) == []
    entries = [decode_entry(row.bytes) for row in rows]
    digest = first_hash(entries[0].terminal, entries[0].journal)
    for row, entry in zip(rows, entries, strict=True):
        digest = chain_hash(digest, row.bytes)
        assert (entry.seq, row.hash) == (row.seq, digest)
    assert {entry.kind for entry in entries} == {"journal_opened", "sale", "reversal", "release", "grant_closed"}


async def test_central_answers_every_recorded_upload_as_it_did(release: Path) -> None:
    database = f"sqlite:///{release / 'central.db'}"
    await migrate_database(database)
    central = await open_central(database, release / "central.keys.json")
    app = create_app(database=central.database, capabilities=central.capabilities, version="today")
    uploads = [exchange for exchange in exchanges_of(release) if exchange["path"].endswith("/entries")]
    assert uploads
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://central") as client:
        for upload in uploads:
            headers = {name: value for name, value in upload["headers"].items() if name.lower() != "content-length"}
            answer = await client.post(upload["path"], content=b64decode(upload["body"]), headers=headers)
            assert answer.status_code == 200
            then = decode(UploadAnswer, loads(b64decode(upload["answer"])))
            now = decode(UploadAnswer, loads(answer.content))
            assert now.epoch == then.epoch
            # What was held then may have been judged since; what came after is told too, up to the watermark.
            told = [(outcome.seq, outcome.id) for outcome in then.outcomes]
            again = [(outcome.seq, outcome.id) for outcome in now.outcomes]
            assert again[: len(told)] == told
            assert [seq for seq, _ in again] == list(range(told[0][0], now.watermark + 1))
    await central.database.close()


def test_recorded_exchanges_still_read(release: Path) -> None:
    exchanges = exchanges_of(release)
    for exchange in exchanges:
        path = exchange["path"].partition("?")[0]
        if exchange["status"] != 200:
            assert loads(b64decode(exchange["answer"]))["type"].startswith("urn:loyalty:problem:")
        elif path.endswith("/entries"):
            decode(UploadAnswer, loads(b64decode(exchange["answer"])))
            assert all(decode_entry(line.entry) for line in split_upload(b64decode(exchange["body"])))
        else:
            decode(ANSWERS[path], loads(b64decode(exchange["answer"])))
    paths = {exchange["path"].partition("?")[0] for exchange in exchanges}
    assert paths >= {"/v1/enrolments", "/v1/changes", "/v1/members/identify", "/v1/grants"}
