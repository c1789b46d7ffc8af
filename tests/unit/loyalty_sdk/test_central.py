"""Both clients of central on scripted transports: what is sent, what is repeated, and what an answer becomes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import httpx
import pytest

from central_api.problems import STATUS_BY_TYPE
from loyalty_sdk import _member_calls, _office_calls, _terminal_calls, errors, office
from loyalty_sdk._central_calls import ENDPOINTS
from loyalty_sdk._effects import Effects
from loyalty_sdk.central import AsyncCentral, AsyncListing, Central, Listing, RetryPolicy
from loyalty_sdk.codec import dumps, loads
from loyalty_sdk.errors import (
    PROBLEM_PREFIX,
    AccessRefused,
    Busy,
    CentralFailure,
    CentralUnreachable,
    InvalidRequest,
    LoyaltyError,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    error_class,
)
from loyalty_sdk.ids import uuid7
from loyalty_sdk.protocol import UploadHeaders

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}

Step = Exception | httpx.Response


def view(member_id: str = "m-1", **changes: Any) -> office.MemberView:
    given: dict[str, Any] = {"name": "Ana", "tier": "", "aliases": (), "balance": 5, "available": 5, "pending": 0}
    given |= {"reserved": 0, "owed": 0, "revision": 7, "created_at": NOW, "etag": "7-abc"}
    return office.MemberView(member_id=member_id, **given | changes)


def answer(value: object) -> httpx.Response:
    return httpx.Response(200, headers=JSON, content=dumps(value))


def problem(name: str, status: int, **headers: str) -> httpx.Response:
    body = dumps({"type": PROBLEM_PREFIX + name, "detail": "as central says"})
    return httpx.Response(status, headers=PROBLEM | headers, content=body)


@dataclass
class Script:
    """A transport that plays its steps in order and keeps what was asked and how long the caller slept."""

    steps: list[Step]
    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def sleep_async(self, seconds: float) -> None:
        self.slept.append(seconds)

    def settings(self, **more: Any) -> dict[str, Any]:
        effects = Effects(
            now=lambda: NOW,
            sleep=self.slept.append,
            sleep_async=self.sleep_async,
            fraction=lambda: 0.5,
            random_bytes=lambda size: b"\1" * size,
        )
        transport = httpx.MockTransport(self)
        return {"url": "http://central/", "token": "lk_1_s", "transport": transport, "effects": effects} | more


def blocking(script: Script, method: str, *arguments: Any, settings: Any = None, **named: Any) -> Any:
    with Central(**script.settings(**settings or {})) as central:
        result = getattr(central, method)(*arguments, **named)
        return list(result) if hasattr(result, "__iter__") else result


def awaiting(script: Script, method: str, *arguments: Any, settings: Any = None, **named: Any) -> Any:
    async def run() -> Any:
        async with AsyncCentral(**script.settings(**settings or {})) as central:
            result = getattr(central, method)(*arguments, **named)
            return [item async for item in result] if hasattr(result, "__aiter__") else await result

    return asyncio.run(run())


@pytest.fixture(params=[blocking, awaiting], ids=["Central", "AsyncCentral"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    chosen: Callable[..., Any] = request.param
    return chosen


# What is sent


def test_a_question_carries_the_token_and_no_key(call: Callable[..., Any]) -> None:
    script = Script([answer(view())])
    assert call(script, "member", "m/1 ?") == view()
    (request,) = script.requests
    assert (request.method, str(request.url)) == ("GET", "http://central/v1/members/m%2F1%20%3F")
    assert request.headers["authorization"] == "Bearer lk_1_s"
    assert request.headers["accept-encoding"] == "identity"
    assert {"idempotency-key", "content-type", "if-match", "if-none-match"}.isdisjoint(request.headers)


def test_a_write_carries_a_key_and_says_what_it_read(call: Callable[..., Any]) -> None:
    script = Script([answer(view(name="Eva"))])
    assert call(script, "update_member", view(), name="Eva").name == "Eva"
    (request,) = script.requests
    assert (request.method, request.url.path) == ("PATCH", "/v1/members/m-1")
    assert request.headers["if-match"] == '"7-abc"'
    assert request.headers["idempotency-key"] == uuid7(NOW, lambda size: b"\1" * size)
    assert loads(request.content) == {"name": "Eva", "tier": None}


def test_a_key_of_ones_own_is_used(call: Callable[..., Any]) -> None:
    script = Script([answer(view())])
    call(script, "adjust", view(), -5, "broken jar", idempotency_key="jar 17")
    assert script.requests[0].headers["idempotency-key"] == "jar 17"
    assert loads(script.requests[0].content) == {"points": -5, "reason": "broken jar"}


def test_what_is_known_comes_back_where_it_still_holds(call: Callable[..., Any]) -> None:
    known = view()
    script = Script([httpx.Response(304), answer(view(etag="8-abc"))])
    assert call(script, "member", known, known=known) is known
    assert call(script, "member", known, known=known).etag == "8-abc"
    assert script.requests[0].headers["if-none-match"] == '"7-abc"'


def test_a_delete_has_no_body(call: Callable[..., Any]) -> None:
    script = Script([answer(view())])
    alias = office.AliasView(alias_id="a-1", alias="4711", kind="card")
    call(script, "remove_alias", "m-1", alias)
    (request,) = script.requests
    assert (request.method, request.url.path, request.content) == ("DELETE", "/v1/members/m-1/aliases/a-1", b"")
    assert "content-type" not in request.headers


def test_filters_that_are_not_given_are_not_sent(call: Callable[..., Any]) -> None:
    script = Script([answer(office.TotalList(items=())), answer(office.GrantList(items=()))])
    call(script, "totals", first=date(2026, 5, 1))
    call(script, "grants", member=view(), state="open", limit=7)
    assert [dict(request.url.params) for request in script.requests] == [
        {"from": "2026-05-01", "limit": "100"},
        {"member_id": "m-1", "state": "open", "limit": "7"},
    ]


def test_an_upload_travels_as_it_was_signed(call: Callable[..., Any]) -> None:
    headers = UploadHeaders(epoch="e", first_seq=1, head_seq=2, head_hash=b"\1", signature=b"\2")
    script = Script([problem("epoch-changed", 409)])
    with pytest.raises(errors.EpochChanged):
        call(script, "upload", "j-1", headers, b'{"v":1}')
    (request,) = script.requests
    assert request.headers["content-type"] == "application/x-ndjson"
    assert request.headers["loyalty-head-hash"] == "01"
    assert request.content == b'{"v":1}'


def test_health_and_enrolment_need_no_token(call: Callable[..., Any]) -> None:
    health = {"status": "ok", "version": "1", "epoch": "e", "central_time": NOW}
    script = Script([answer(health), problem("code-invalid", 403)])
    assert call(script, "health", settings={"token": None}).epoch == "e"
    with pytest.raises(errors.CodeInvalid):
        call(script, "enrol", "AAAA", b"k" * 32, "1.0", settings={"token": None})
    assert all("authorization" not in request.headers for request in script.requests)


# What is repeated


LOST = httpx.ReadError("reset")


def test_a_write_whose_answer_is_lost_is_sent_again_under_its_key(call: Callable[..., Any]) -> None:
    script = Script([LOST, httpx.ReadTimeout("late"), answer(view())])
    assert call(script, "adjust", "m-1", 5, "sorry") == view()
    assert len({request.headers["idempotency-key"] for request in script.requests}) == 1
    assert len({request.content for request in script.requests}) == 1


def test_a_write_in_doubt_tells_the_key_to_repeat_it_under(call: Callable[..., Any]) -> None:
    script = Script([LOST] * 4)
    with pytest.raises(
        OutcomeUnknown, match="adjust may or may not be recorded; repeat it with idempotency_key='019"
    ) as e:
        call(script, "adjust", "m-1", 5, "sorry")
    assert e.value.idempotency_key == script.requests[0].headers["idempotency-key"]


def test_a_write_that_met_a_busy_central_tells_its_key_too(call: Callable[..., Any]) -> None:
    script = Script([problem("busy", 503)] * 4)
    with pytest.raises(Busy, match="as central says") as raised:
        call(script, "adjust", "m-1", 5, "sorry")
    assert raised.value.idempotency_key == script.requests[0].headers["idempotency-key"]


def test_a_pause_that_central_asks_for_is_kept(call: Callable[..., Any]) -> None:
    late = "Fri, 01 May 2026 09:30:08 GMT"
    steps = [problem("busy", 503, **{"Retry-After": "3"}), problem("too-many-requests", 429, **{"Retry-After": late})]
    script = Script([*steps, problem("busy", 503, **{"Retry-After": "soon"}), answer(view())])
    assert call(script, "member", "m-1") == view()
    assert script.slept == pytest.approx([3.075, 8.15, 0.3])


def test_a_pause_that_is_too_long_is_told(call: Callable[..., Any]) -> None:
    script = Script([problem("too-many-requests", 429, **{"Retry-After": "31"})])
    with pytest.raises(TooManyRequests) as raised:
        call(script, "adjust", "m-1", 5, "sorry")
    assert (raised.value.retry_after_s, script.slept) == (31.0, [])
    assert raised.value.idempotency_key


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_that_lost_central_is_asked_again(call: Callable[..., Any], status: int) -> None:
    page = httpx.Response(status, headers={"Content-Type": "text/html"}, content=b"<h1>Bad Gateway</h1>")
    assert call(Script([page, answer(view())]), "adjust", "m-1", 5, "sorry") == view()
    with pytest.raises(OutcomeUnknown):
        call(Script([page] * 4), "adjust", "m-1", 5, "sorry")
    with pytest.raises(CentralFailure, match="Bad Gateway"):
        call(Script([page] * 4), "member", "m-1")


def test_a_question_ends_without_doubt(call: Callable[..., Any]) -> None:
    script = Script([LOST] * 4)
    with pytest.raises(CentralUnreachable, match="http://central/v1/health answers from here"):
        call(script, "member", "m-1")
    assert len(script.requests) == 4
    with pytest.raises(CentralUnreachable, match=r"no central at http://central .* nothing was recorded"):
        call(Script([httpx.ConnectError("refused")] * 4), "adjust", "m-1", 5, "sorry")


def test_the_number_of_attempts_is_the_callers(call: Callable[..., Any]) -> None:
    once = {"retries": RetryPolicy(attempts_max=1)}
    with pytest.raises(OutcomeUnknown):
        call(Script([LOST]), "adjust", "m-1", 5, "sorry", settings=once)


# What an answer becomes


@pytest.mark.parametrize("name", sorted(STATUS_BY_TYPE))
def test_every_problem_of_central_is_one_exception(call: Callable[..., Any], name: str) -> None:
    script = Script([problem(name, STATUS_BY_TYPE[name])] * 4)
    # Of this one the client knows more: the key to repeat it with.
    says = "repeat it with idempotency_key" if name == "outcome-unknown" else "as central says"
    with pytest.raises(LoyaltyError, match=says) as raised:
        call(script, "adjust", "m-1", 5, "sorry")
    words = "".join(word.capitalize() for word in name.split("-"))
    assert type(raised.value).__name__ == words
    assert (raised.value.type, raised.value.status) == (PROBLEM_PREFIX + name, STATUS_BY_TYPE[name])


def test_a_problem_of_a_later_central_is_its_failure(call: Callable[..., Any]) -> None:
    assert error_class("urn:loyalty:problem:later", CentralFailure) is CentralFailure
    with pytest.raises(CentralFailure, match="as central says"):
        call(Script([problem("later", 418)]), "member", "m-1")


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (lambda: httpx.Response(200, html="<p>Welcome to the hotel</p>"), "Welcome to the hotel"),
        (lambda: httpx.Response(302, headers={"Location": "http://elsewhere/"}), "answered 302"),
        (lambda: httpx.Response(304), "answered 304"),
        (lambda: httpx.Response(204), "answered 204"),
        (lambda: httpx.Response(200, headers=JSON, content=b'{"member_id": "m-1"'), "does not read as MemberView"),
        (lambda: httpx.Response(200, headers=JSON, content=b" " * 8_000_001), "exceeds 8000000 bytes"),
        (lambda: httpx.Response(200, headers=JSON | {"Content-Encoding": "gzip"}, content=b""), "nobody asked for"),
    ],
)
def test_what_is_not_centrals_is_said_clearly(
    call: Callable[..., Any], response: Callable[[], httpx.Response], says: str
) -> None:
    with pytest.raises(CentralFailure, match=says) as raised:
        call(Script([response()]), "member", "m-1")
    assert "central" in str(raised.value)


def test_fields_of_a_later_central_are_left_out(call: Callable[..., Any]) -> None:
    document = loads(dumps(view())) | {"birthday": "2000-01-01"}
    assert call(Script([answer(document)]), "member", "m-1") == view()


# Lists


def page(cursor: str | None, *ids: str) -> httpx.Response:
    return answer(office.MemberList(items=tuple(view(one) for one in ids), next_cursor=cursor))


def test_a_list_is_asked_for_page_by_page(call: Callable[..., Any]) -> None:
    script = Script([page("c1", "a", "b"), page("c2"), page(None, "c")])
    assert [one.member_id for one in call(script, "members", limit=2)] == ["a", "b", "c"]
    assert [dict(request.url.params) for request in script.requests] == [
        {"limit": "2"},
        {"limit": "2", "cursor": "c1"},
        {"limit": "2", "cursor": "c2"},
    ]


def test_a_list_is_asked_for_only_as_far_as_somebody_reads() -> None:
    script = Script([page("c1", "a", "b"), page("c1", "a", "b")])
    with Central(**script.settings()) as central:
        members = central.members()
        assert script.requests == []
        assert next(iter(members)).member_id == "a"
        assert len(script.requests) == 1
        assert next(members.pages()).next_cursor == "c1"


async def test_an_awaited_list_is_too() -> None:
    script = Script([page("c1", "a", "b"), page("c1", "a", "b")])
    async with AsyncCentral(**script.settings()) as central:
        members = central.members()
        assert script.requests == []
        assert (await anext(aiter(members))).member_id == "a"
        assert len(script.requests) == 1
        assert (await anext(aiter(members.pages()))).next_cursor == "c1"


def test_the_same_page_again_is_no_list_for_ever(call: Callable[..., Any]) -> None:
    with pytest.raises(CentralFailure, match="the same page again"):
        call(Script([page("c1", "a"), page("c1", "a")]), "members")


def test_a_journal_goes_on_after_its_last_seq(call: Callable[..., Any]) -> None:
    def entries(more: bool, *seqs: int) -> httpx.Response:
        found = [{"seq": seq, "id": "", "hash": "", "outcome": "applied", "reason": ""} for seq in seqs]
        return answer({"entries": found, "more": more})

    script = Script([entries(True, 5, 6), entries(False, 7)])
    assert [one.seq for one in call(script, "journal_entries", "j-1", after=4)] == [5, 6, 7]
    assert [request.url.params["after"] for request in script.requests] == ["4", "6"]


# What cannot be asked


@pytest.mark.parametrize(
    ("method", "arguments", "named", "says"),
    [
        ("member", ("",), {}, "member_id must not be ''"),
        ("member", ("..",), {}, "member_id must not be"),
        ("member", ("m-2",), {"known": view()}, "known is the member m-1, not m-2"),
        ("update_member", ("m-1",), {"name": "Eva"}, r"central.member\(member_id\)"),
        ("update_member", (view(etag=""),), {"name": "Eva"}, "carries no etag"),
        ("create_member", ("4711",), {}, r"write \['4711'\]"),
        ("adjust", ("m-1", 5, "x"), {"idempotency_key": "ü"}, "printable ASCII"),
        ("adjust", ("m-1", 5, "x"), {"idempotency_key": "a" * 256}, "1 to 255"),
        ("adjust", ("m-1", 0.5, "x"), {}, "adjust: float"),
        ("judge_quarantine", (), {}, "name entries, or set all"),
        ("rotate_api_key", ("k",), {"hours": 721}, "hours must be from 0"),
        ("activate_programme", ("{}",), {"in_force_at": datetime(2026, 5, 1)}, "offset"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    call: Callable[..., Any], method: str, arguments: tuple[Any, ...], named: dict[str, Any], says: str
) -> None:
    script = Script([])
    with pytest.raises(InvalidRequest, match=says):
        call(script, method, *arguments, **named)
    assert script.requests == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": None}, "LOYALTY_CENTRAL_URL"),
        ({"url": "central.example"}, "no address of central"),
        ({"url": "https://a b"}, "no address of central"),
        ({"token": "a b"}, "the whole text as central told it"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
@pytest.mark.parametrize("make", [Central, AsyncCentral])
def test_a_client_is_made_with_what_it_needs(
    make: Callable[..., Any], settings: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOYALTY_CENTRAL_URL", raising=False)
    with pytest.raises(InvalidRequest, match=says):
        make(**Script([]).settings(**settings))


def test_the_environment_names_central_and_token(call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_CENTRAL_URL", "http://other")
    monkeypatch.setenv("LOYALTY_CENTRAL_TOKEN", "lk_2_t")
    script = Script([answer(view())])
    call(script, "member", "m-1", settings={"url": None, "token": None})
    assert script.requests[0].url.host == "other"
    assert script.requests[0].headers["authorization"] == "Bearer lk_2_t"


def test_a_missing_token_is_said_before_anything_is_sent(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOYALTY_CENTRAL_TOKEN", raising=False)
    with pytest.raises(AccessRefused, match="loyalty-central key add"):
        call(Script([]), "member", "m-1", settings={"token": None})


def test_an_authority_that_does_not_read_is_said(call: Callable[..., Any], tmp_path: Path) -> None:
    settings = {"transport": None, "certificate_authority": str(tmp_path / "none.pem")}
    with pytest.raises(InvalidRequest, match="name a PEM file"):
        call(Script([]), "health", settings=settings)


def test_a_closed_client_says_so() -> None:
    central = Central(**Script([]).settings())
    central.close()
    with pytest.raises(InvalidRequest, match="closed"):
        central.health()


# Both clients


def calls_of(client: type) -> Iterator[tuple[str, Any]]:
    for name, method in vars(client).items():
        if not name.startswith("_") and name != "close":
            yield name, method


def test_both_clients_have_every_call_and_nothing_else() -> None:
    assert dict(calls_of(Central)).keys() == dict(calls_of(AsyncCentral)).keys() == ENDPOINTS.keys()


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_both_clients_take_the_same_and_say_the_same(name: str) -> None:
    method, awaited = getattr(Central, name), getattr(AsyncCentral, name)
    assert inspect.signature(method) == inspect.signature(awaited)
    assert (method.__name__, method.__doc__) == (awaited.__name__, awaited.__doc__)
    assert method.__doc__
    modules = (_member_calls, _office_calls, _terminal_calls)
    (build,) = (getattr(module, name) for module in modules if name in module.__all__)
    is_list = inspect.signature(build).return_annotation.startswith("Pages[")
    assert inspect.iscoroutinefunction(awaited) is not is_list


def test_help_shows_what_a_method_takes() -> None:
    central = Central(**Script([]).settings())
    assert list(inspect.signature(central.adjust).parameters) == ["member", "points", "reason", "idempotency_key"]
    assert "Raises InsufficientPoints" in (inspect.getdoc(central.adjust) or "")


if TYPE_CHECKING:
    # Nothing runs here: the type checker holds that methods made of calls have the calls' types.
    def blocking_types(central: Central) -> None:
        assert_type(central.member("m-1"), office.MemberView)
        assert_type(central.adjust("m-1", 5, "x", idempotency_key="k"), office.MemberView)
        assert_type(central.members(), Listing[office.MemberView, office.MemberList])
        assert_type([one.points for one in central.transfers("m-1")], list[int])
        central.adjust("m-1", "5", "x")  # type: ignore[arg-type]  # the check is that it is refused
        central.adjust("m-1", 5)  # type: ignore[call-arg]  # the check is that it is refused

    async def awaiting_types(central: AsyncCentral) -> None:
        assert_type(await central.member("m-1"), office.MemberView)
        assert_type(central.members(), AsyncListing[office.MemberView, office.MemberList])
        assert_type([one.points async for one in central.transfers("m-1")], list[int])
        await central.adjust("m-1", "5", "x")  # type: ignore[arg-type]  # the check is that it is refused


def test_not_found_is_not_a_failure(call: Callable[..., Any]) -> None:
    with pytest.raises(NotFound):
        call(Script([problem("not-found", 404)]), "entry", "t/j/7")
