"""Journal against central: equal, missing, differing, unknown."""

import httpx
import pytest

from loyalty_sdk.codec import dumps
from loyalty_sdk.protocol import EntryPage, EntryRecord, JournalView
from sync.central import AnswerNonsense, CentralFailure
from terminal_agent import reconcile as module
from terminal_agent.reconcile import Reconciliation, reconcile
from tests.unit.terminal_agent.rig import NOW, Rig, sale_request


class CentralBooks:
    """What central holds of the journal, in pages."""

    def __init__(self, rig: Rig) -> None:
        with rig.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT seq, id, hash FROM entries ORDER BY seq").all()
        self.records = [EntryRecord(seq=row.seq, id=row.id, hash=row.hash.hex(), outcome="applied") for row in rows]
        self.stuck = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer central-token"
        if not request.url.path.endswith("/entries"):
            watermark = len(self.records)
            answer: object = JournalView(
                epoch="epoch-1", journal="j", watermark=watermark, watermark_hash="", central_time=NOW
            )
        else:
            after, limit = int(request.url.params["after"]), int(request.url.params["limit"])
            left = [record for record in self.records if record.seq > after or self.stuck]
            answer = EntryPage(entries=tuple(left[:limit]), more=len(left) > limit)
        headers = {"Content-Type": "application/json"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(dumps(answer)))


@pytest.fixture
async def books(rig: Rig) -> CentralBooks:
    for number in range(5):
        await rig.service.record_sale(sale_request(f"{number:04}"))
    return CentralBooks(rig)


def compare(rig: Rig, books: CentralBooks) -> Reconciliation:
    with httpx.Client(base_url="http://central", transport=httpx.MockTransport(books)) as client:
        return reconcile(rig.path, rig.identity, client, rig.host)


async def test_equal(rig: Rig, books: CentralBooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ENTRIES", 2)
    found = compare(rig, books)
    assert (found.equal, found.entries_here, found.entries_at_central) == (True, 6, 6)
    assert (found.missing, found.differing, found.unknown, found.not_applied) == ((), (), (), ())


async def test_missing_differing_and_unknown(rig: Rig, books: CentralBooks) -> None:
    first, second, third, *_, last = books.records
    other_hash = EntryRecord(seq=2, id=second.id, hash="00" * 32, outcome="applied")
    other_id = EntryRecord(seq=3, id="another", hash=third.hash, outcome="rejected", reason="unknown grant")
    beyond = EntryRecord(seq=9, id="beyond", hash=last.hash, outcome="applied")
    books.records = [first, other_hash, other_id, beyond]
    found = compare(rig, books)
    assert found.equal is False
    assert (found.missing, found.differing, found.unknown) == ((4, 5, 6), (2, 3), (9,))
    assert found.not_applied == ("3 rejected unknown grant",)


async def test_central_holds_nothing_yet(rig: Rig, books: CentralBooks) -> None:
    books.records = []
    assert compare(rig, books).missing == (1, 2, 3, 4, 5, 6)


async def test_a_central_that_goes_round_in_circles_is_left(
    rig: Rig, books: CentralBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_ENTRIES", 2)
    books.stuck = True
    with pytest.raises(AnswerNonsense, match="sends none of them"):
        compare(rig, books)


async def test_a_central_that_is_none_is_said(rig: Rig) -> None:
    def portal(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b"<p>"), headers={"Content-Type": "text/html"})

    client = httpx.Client(base_url="http://central", transport=httpx.MockTransport(portal))
    with client, pytest.raises(CentralFailure, match="captive portal"):
        reconcile(rig.path, rig.identity, client, rig.host)
