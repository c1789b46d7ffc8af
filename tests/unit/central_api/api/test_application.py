"""The HTTP API over ASGI on a database file: every call, every problem type, and what must not get through."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from central_api.api.application import create_app
from central_api.bootstrap import Central, initialise
from central_api.judging import judgement
from central_api.judging.matter import Matter
from central_api.judging.sales import judge_sale
from central_api.ledger.records import Verdict
from central_api.members import members
from central_api.problems import STATUS_BY_TYPE
from central_api.programmes import versions as programmes
from central_api.terminals import terminals
from loyalty_sdk.codec import decode, dumps, loads
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import (
    UPLOAD_BYTES_MAX,
    ChangesPage,
    EnrolmentAnswer,
    EntryPage,
    GrantRequest,
    IdentifyRequest,
    JournalView,
    MemberAnswer,
    SignedDocument,
    UploadAnswer,
)
from tests.support.terminal import SupportTerminal, basket_of, grant_document
from tests.unit.central_api.support import PROGRAMME, START, TENANT

JSON = {"Content-Type": "application/json"}
JOURNAL = "/v1/journals/01900000-0000-7000-8000-000000000001"


@dataclass(slots=True)
class Api:
    """A client of the app, a terminal that is enrolled through it, and the member with the alias 1."""

    client: httpx.AsyncClient
    central: Central
    till: SupportTerminal
    member_id: str

    @property
    def token(self) -> dict[str, str]:
        assert self.till.enrolment is not None
        return {"Authorization": f"Bearer {self.till.enrolment.token}"}

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        return await self.client.get(path, params=parameters, headers=self.token)

    async def post(self, path: str, question: object) -> httpx.Response:
        return await self.client.post(path, content=dumps(question), headers=self.token | JSON)

    async def upload(self, *span: int, **headers: str) -> httpx.Response:
        made, body = self.till.upload(*span)
        sent = self.token | {"Content-Type": "application/x-ndjson"} | made.to_headers() | headers
        return await self.client.post(f"/v1/journals/{self.till.journal}/entries", content=body, headers=sent)


def problem_of(response: httpx.Response) -> str:
    """The name of a problem, after checking its form."""
    assert response.headers["Content-Type"] == "application/problem+json"
    content = loads(response.content)
    assert content["status"] == response.status_code
    assert content["detail"]
    prefix, _, name = content["type"].rpartition(":")
    assert prefix == "urn:loyalty:problem"
    assert STATUS_BY_TYPE[name] == response.status_code
    return str(name)


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    central, _ = await initialise(database_url, tmp_path / "keys.json", TENANT)
    capabilities, database = central.capabilities, central.database
    await database.write(lambda found: programmes.activate_programme(found, capabilities, TENANT, PROGRAMME))
    registration = members.Registration(aliases=("1",), name="Maria da Silva")
    (member_id,) = await database.write(
        lambda found: members.register_members(found, capabilities, TENANT, [registration])
    )
    code = await database.write(lambda found: terminals.add_terminal(found, capabilities, TENANT, "till-1"))
    app = create_app(database=database, capabilities=capabilities, version="test")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as client:
        till = SupportTerminal(seed=1, now=START)
        answer = await client.post("/v1/enrolments", content=dumps(till.enrolment_request(code)), headers=JSON)
        till.enrolled(decode(EnrolmentAnswer, loads(answer.content)))
        programme = await client.get(
            "/v1/programme", headers={"Authorization": f"Bearer {till.enrolment.token if till.enrolment else ''}"}
        )
        signed = decode(SignedDocument, loads(programme.content))
        assert capabilities.keys.verify("programme", signed)
        till.programme = parse_programme(signed.document)
        yield Api(client=client, central=central, till=till, member_id=member_id)
    await database.close()


async def test_the_way_of_a_sale(api: Api) -> None:
    api.till.sale(basket_of(30_000), api.member_id)
    answer = decode(UploadAnswer, loads((await api.upload()).content))
    assert (answer.watermark, answer.watermark_hash) == (2, api.till.recorded[-1].hash.hex())
    assert [(one.outcome, one.points) for one in answer.outcomes] == [("applied", None), ("applied", 300)]
    question = IdentifyRequest(alias="1", journal=api.till.journal)
    identified = decode(MemberAnswer, loads((await api.post("/v1/members/identify", question)).content))
    assert (identified.snapshot.balance, identified.snapshot.includes_seq) == (300, 2)
    request = GrantRequest(
        redemption_id="r", member_id=api.member_id, journal=api.till.journal, points=100, points_min=100
    )
    granted = decode(MemberAnswer, loads((await api.post("/v1/grants", request)).content))
    assert [grant_document(one).points for one in granted.grants] == [200, 100]
    view = decode(JournalView, loads((await api.get(f"/v1/journals/{api.till.journal}")).content))
    assert view.watermark == 2
    page = decode(EntryPage, loads((await api.get(f"/v1/journals/{api.till.journal}/entries", limit=1)).content))
    assert ([one.seq for one in page.entries], page.more) == ([1], True)
    changes = decode(ChangesPage, loads((await api.get("/v1/changes", journal=api.till.journal)).content))
    assert [one.balance for one in changes.snapshots] == [300]
    assert (await api.get("/v1/programme/1")).status_code == 200


async def test_health_needs_no_token(api: Api) -> None:
    answer = await api.client.get("/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_every_call_needs_a_token(api: Api) -> None:
    paths = ["/v1/programme", "/v1/programme/1", JOURNAL, f"{JOURNAL}/entries", "/v1/changes?journal=x"]
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        for path in paths:
            assert problem_of(await api.client.get(path, headers=headers)) == "access-refused"
        for path in ("/v1/members/identify", "/v1/grants", f"{JOURNAL}/entries"):
            question = dumps(IdentifyRequest(alias="1", journal="x"))
            if path == "/v1/grants":
                question = dumps(GrantRequest(redemption_id="r", member_id="m", journal="x", points=1, points_min=1))
            answer = await api.client.post(path, headers=headers | JSON, content=question)
            assert problem_of(answer) == "access-refused"


async def test_a_code_works_once(api: Api) -> None:
    capabilities = api.central.capabilities
    code = await api.central.database.write(lambda found: terminals.add_terminal(found, capabilities, TENANT, "till-2"))
    till = SupportTerminal(seed=2, now=START)
    other = SupportTerminal(seed=3, now=START)
    answers = []
    for terminal in (till, till, other, till):
        content = dumps(terminal.enrolment_request(code.lower().replace("-", " ")))
        answers.append(await api.client.post("/v1/enrolments", content=content, headers=JSON))
    # The answer may have been lost: whoever has the key gets it again, and nobody else gets anything.
    assert [answer.status_code for answer in answers] == [200, 200, 403, 200]
    assert len({answer.json()["token"] for answer in answers if answer.status_code == 200}) == 1
    assert problem_of(answers[2]) == "code-invalid"


async def test_a_question_of_a_later_release_is_read_without_what_is_new(api: Api) -> None:
    content = b'{"alias":"nobody","journal":"x","more":{"deep":[1]}}'
    answer = await api.client.post("/v1/members/identify", content=content, headers=api.token | JSON)
    assert problem_of(answer) == "alias-unknown"


async def test_malformed_questions_name_the_place(api: Api) -> None:
    path = "/v1/members/identify"
    for content, place in (
        (b'{"alias":1,"journal":"x"}', "alias must be a text"),
        (b'{"alias":"1"}', "journal is missing"),
        (b"[" * 5_000, "not JSON"),
        (b'{"alias":"1","alias":"2","journal":"x"}', "twice"),
    ):
        answer = await api.client.post(path, content=content, headers=api.token | JSON)
        assert problem_of(answer) == "invalid-request"
        assert place in answer.json()["detail"]
    answer = await api.client.post(path, content=b"{}", headers=api.token | {"Content-Type": "text/plain"})
    assert problem_of(answer) == "invalid-request"


async def test_encodings_are_refused_and_bodies_capped(api: Api) -> None:
    path = f"/v1/journals/{api.till.journal}/entries"
    assert problem_of(await api.upload(**{"Content-Encoding": "gzip"})) == "encoding-refused"
    assert (await api.upload(**{"Content-Encoding": "identity"})).status_code == 200

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(UPLOAD_BYTES_MAX // 1_000_000 + 1):
            yield bytes(1_000_000)

    headers = api.token | {"Content-Type": "application/x-ndjson"} | api.till.upload()[0].to_headers()
    assert problem_of(await api.client.post(path, content=endless(), headers=headers)) == "body-too-large"
    said = headers | {"Content-Length": str(10**9)}
    assert problem_of(await api.client.post(path, content=b"x", headers=said)) == "body-too-large"
    large = dumps({"alias": "1" * 200_000, "journal": "x"})
    answer = await api.client.post("/v1/members/identify", content=large, headers=api.token | JSON)
    assert problem_of(answer) == "body-too-large"


async def test_uploads_are_refused_as_a_whole(api: Api) -> None:
    assert problem_of(await api.upload(**{"Loyalty-Signature": "00" * 64})) == "access-refused"
    assert problem_of(await api.upload(**{"Loyalty-Epoch": "other"})) == "epoch-changed"
    assert problem_of(await api.upload(**{"Loyalty-First-Seq": "one"})) == "invalid-request"
    assert problem_of(await api.upload(**{"Loyalty-Head-Hash": "xyz"})) == "invalid-request"
    assert (await api.upload()).status_code == 200
    api.till.recorded.pop()
    api.till.sale(basket_of(100))
    assert problem_of(await api.upload()) == "fork"


async def test_other_problems(api: Api) -> None:
    journal = api.till.journal
    unknown = IdentifyRequest(alias="none", journal=journal)
    assert problem_of(await api.post("/v1/members/identify", unknown)) == "alias-unknown"
    poor = GrantRequest(redemption_id="r", member_id=api.member_id, journal=journal, points=100, points_min=100)
    assert problem_of(await api.post("/v1/grants", poor)) == "insufficient-points"
    nobody = GrantRequest(redemption_id="r", member_id="nobody", journal=journal, points=1, points_min=1)
    assert problem_of(await api.post("/v1/grants", nobody)) == "not-found"
    assert problem_of(await api.get("/v1/programme/7")) == "not-found"
    assert problem_of(await api.get("/v1/programme/0")) == "invalid-request"
    assert problem_of(await api.get(f"/v1/programme/{10**30}")) == "invalid-request"
    assert problem_of(await api.get("/v1/changes")) == "invalid-request"
    assert problem_of(await api.get("/v1/changes", journal=journal, limit=0)) == "invalid-request"
    assert problem_of(await api.get("/v1/changes", journal=journal, limit=501)) == "invalid-request"
    assert problem_of(await api.get("/v1/changes", journal=journal, cursor="-1")) == "invalid-request"
    assert problem_of(await api.get("/v1/nothing")) == "not-found"
    assert problem_of(await api.client.delete("/v1/programme", headers=api.token)) == "method-not-allowed"


async def test_a_revoked_terminal_may_only_deliver(api: Api) -> None:
    await api.central.database.write(
        lambda found: terminals.revoke_terminal(found, api.central.capabilities, TENANT, "till-1")
    )
    question = IdentifyRequest(alias="1", journal=api.till.journal)
    assert problem_of(await api.post("/v1/members/identify", question)) == "terminal-revoked"
    assert problem_of(await api.get("/v1/changes", journal=api.till.journal)) == "terminal-revoked"
    assert (await api.upload()).status_code == 200


async def test_a_failure_shows_no_traceback(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr("central_api.api.terminals.changes_page", broken)
    answer = await api.get("/v1/changes", journal=api.till.journal)
    assert problem_of(answer) == "central-failure"
    assert "secret" not in answer.text


async def test_the_documentation_describes_the_bodies(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert {"IdentifyRequest", "MemberAnswer", "UploadAnswer", "Snapshot", "Problem"} <= set(schemas)
    call = document["paths"]["/v1/members/identify"]["post"]
    reference = {"$ref": "#/components/schemas/IdentifyRequest"}
    assert call["requestBody"]["content"]["application/json"]["schema"] == reference
    text = dumps(document).decode()
    for name in schemas:
        text = text.replace(f'"#/components/schemas/{name}"', "")
    assert "#/components/schemas/" not in text
    assert (await api.client.get("/docs")).status_code == 200


async def test_an_entry_that_breaks_its_judge_holds_back_no_other(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Law 6, where the fault is central's own: the entry is kept and quarantined, the queue behind it flows."""
    sales = [api.till.sale(basket_of(100), member_id=api.member_id) for _ in range(3)]
    broken = sales[1].entry.id

    def judge(matter: Matter) -> Verdict:
        if matter.entry.id == broken:
            raise ZeroDivisionError
        return judge_sale(matter)

    monkeypatch.setitem(judgement._JUDGES, "sale", judge)
    answer = decode(UploadAnswer, loads((await api.upload()).content))
    assert [outcome.outcome for outcome in answer.outcomes[1:]] == ["applied", "quarantined", "applied"]
    assert answer.outcomes[2].reason == "judging-failed"
    assert answer.watermark == len(answer.outcomes)
    assert "is quarantined" in caplog.text
