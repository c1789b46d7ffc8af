"""Every problem of the local API and of the SDK's clients, produced from outside: over HTTP, or by a line that fails.

One cause for each class of `loyalty_sdk.errors` but those that only group others, and those of central, which
test_problems.py produces.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from drivers.errors import CommandRefused
from loyalty_sdk import errors
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.central import Central
from loyalty_sdk.codec import dumps, encode
from loyalty_sdk.errors import LoyaltyError
from loyalty_sdk.local import (
    CancelPrintRequest,
    DecodeCall,
    PrintRequest,
    QuoteRequest,
    ReceiptBlockRequest,
    ReleaseRequest,
    ReversalRequest,
    ScannerCall,
)
from loyalty_sdk.model import ReceiptKey
from loyalty_sdk.till import RetryPolicy, Till
from terminal_agent import events
from tests.contract.pages import classes, name_of, table
from tests.unit.sync.test_store import fail_at_commit
from tests.unit.terminal_agent.rig import ANA, BASKET, CASH, Rig, context, grant, hold_request, sale_request
from tests.unit.terminal_agent.test_scanners import Reader, installed

Cause = Callable[[Rig, pytest.MonkeyPatch], Awaitable[httpx.Response]]

QUERY = {"store": "12", "register": "3", "cashier": "77", "business_date": "2026-05-01"}
PAID = (Tender(kind="card", amount_minor=24_500),)
NOWHERE = ReceiptKey(store="12", register="3", business_date=context().business_date, number="9999")
CAUSES: dict[type[LoyaltyError], Cause] = {}


def causes(error: type[LoyaltyError]) -> Callable[[Cause], Cause]:
    """Note what causes a problem."""

    def note(cause: Cause) -> Cause:
        CAUSES[error] = cause
        return cause

    return note


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


async def ask(rig: Rig, path: str, question: object, **headers: str) -> httpx.Response:
    async with rig.client(**headers) as client:
        return await client.post(path, content=dumps(question))


async def held(rig: Rig) -> None:
    rig.know_ana(grants=(grant("ahead", 200),))
    rig.central.down()
    assert (await ask(rig, "/v1/holds", hold_request())).status_code == 200


@causes(errors.InvalidRequest)
async def malformed(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    return await ask(rig, "/v1/sales", {"receipt_number": 1})


@causes(errors.BasketInvalid)
async def wrong_total(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    return await ask(rig, "/v1/sales", encode(sale_request()) | {"basket": encode(BASKET) | {"total_minor": 1}})


@causes(errors.CurrencyMismatch)
async def other_currency(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    basket = Basket.of("BRL", Line.of("COFFEE", 250))
    return await ask(rig, "/v1/quotes", QuoteRequest(context=context(), basket=basket))


@causes(errors.ScanUnreadable)
async def empty_scan(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    return await ask(rig, "/v1/scans/decode", DecodeCall(context=context(), data=""))


@causes(errors.AccessRefused)
async def no_token(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    return await ask(rig, "/v1/sales", sale_request(), Authorization="")


@causes(errors.NotFound)
async def unknown_job(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    return await ask(rig, "/v1/print-jobs/cancel", CancelPrintRequest(context=context(), job_id="17"))


@causes(errors.MethodNotAllowed)
async def wrong_method(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    async with rig.client() as client:
        return await client.put("/v1/sales")


@causes(errors.ReceiptUnknown)
async def unknown_receipt(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    return await ask(rig, "/v1/receipt-blocks", ReceiptBlockRequest(context=context(), receipt=NOWHERE))


@causes(errors.HoldUnknown)
async def unknown_hold(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    return await ask(rig, "/v1/holds/release", ReleaseRequest(context=context(), hold_id=hold_request().redemption_id))


@causes(errors.Conflict)
async def redemption_id_taken(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    await held(rig)
    return await ask(rig, "/v1/holds", replace(hold_request(), member_id="member-bea"))


@causes(errors.ReceiptConflict)
async def receipt_taken(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    await ask(rig, "/v1/sales", sale_request())
    return await ask(rig, "/v1/sales", sale_request(alias="2400009"))


@causes(errors.HoldNotOpen)
async def hold_spent(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    await held(rig)
    spending = sale_request(member_id=ANA, hold_id=hold_request().redemption_id, tenders=PAID)
    assert (await ask(rig, "/v1/sales", spending)).status_code == 200
    return await ask(rig, "/v1/sales", replace(spending, receipt_number="0002"))


@causes(errors.TrainingMismatch)
async def training_hold_in_earnest(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    rig.know_ana(grants=(grant("ahead", 200),))
    assert (await ask(rig, "/v1/holds", hold_request(training=True))).status_code == 200
    hold_id = hold_request().redemption_id
    return await ask(rig, "/v1/sales", sale_request(member_id=ANA, hold_id=hold_id, tenders=PAID))


@causes(errors.InsufficientPoints)
async def nothing_granted(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    rig.know_ana()
    rig.central.down()
    return await ask(rig, "/v1/holds", hold_request())


@causes(errors.OfflineCapExceeded)
async def too_long_alone(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    rig.know_ana(grants=(grant("ahead", 200),))
    rig.central.down()
    rig.clock.now = rig.clock.now.replace(day=5)
    return await ask(rig, "/v1/holds", hold_request())


@causes(errors.RewardUnavailable)
async def no_such_reward(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    rig.know_ana(grants=(grant("ahead", 200),))
    return await ask(rig, "/v1/holds", replace(hold_request(), reward_id="nothing"))


@causes(errors.ReversalRefused)
async def returned_twice(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    sale = (await ask(rig, "/v1/sales", sale_request())).json()["receipt"]
    original = replace(NOWHERE, number=sale["number"])
    void = ReversalRequest(context=context(), receipt_number="R1", kind="void", original=original)
    assert (await ask(rig, "/v1/reversals", void)).status_code == 200
    return await ask(rig, "/v1/reversals", replace(void, receipt_number="R2"))


@causes(errors.Busy)
async def too_many_listeners(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    patch.setattr(events, "LISTENERS_MAX", 0)
    async with rig.client() as client:
        return await client.get("/v1/events", params=QUERY)


@causes(errors.OutcomeUnknown)
async def commit_fails(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    fail_at_commit(rig.store)
    return await ask(rig, "/v1/sales", sale_request())


@causes(errors.JournalUnavailable)
async def agent_ends(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    rig.writer.stop()
    return await ask(rig, "/v1/sales", sale_request())


@causes(errors.PrinterUnavailable)
async def no_printer(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    await ask(rig, "/v1/sales", sale_request())
    return await ask(rig, "/v1/print-jobs", PrintRequest(context=context(), receipt=replace(NOWHERE, number="0001")))


@causes(errors.ScannerUnavailable)
async def no_scanner(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    return await ask(rig, "/v1/scanners/command", ScannerCall(context=context(), command="beep"))


@causes(errors.ScannerCommandRefused)
async def scanner_cannot(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    rig.scanners = installed(front=("3", Reader(CommandRefused("it does not beep"))))
    rig.install(())
    return await ask(rig, "/v1/scanners/command", ScannerCall(context=context(), command="beep"))


@causes(errors.AgentFailure)
async def something_breaks(rig: Rig, patch: pytest.MonkeyPatch) -> httpx.Response:
    patch.setattr("terminal_agent.service.current_programme", lambda connection: 1 / 0)
    return await ask(rig, "/v1/quotes", QuoteRequest(context=context(), basket=BASKET))


def unanswered(error: Exception) -> dict[str, Any]:
    """The settings of a client whose line fails once and is not tried again."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    return {"transport": httpx.MockTransport(fail), "retries": RetryPolicy(attempts_max=1, question_attempts_max=1)}


def till(**settings: Any) -> Till:
    place: dict[str, Any] = {"store": "12", "register": "3", "cashier": "77"}
    return Till(**place, business_date=context().business_date, agent="http://127.0.0.1:1", token="t", **settings)


def test_agent_unreachable() -> None:
    with (
        till(**unanswered(httpx.ConnectError("refused"))) as subject,
        pytest.raises(errors.AgentUnreachable),
    ):
        subject.status()


def test_outcome_unknown() -> None:
    with till(**unanswered(httpx.ReadError("reset"))) as subject, pytest.raises(errors.OutcomeUnknown):
        subject.record_sale(BASKET, "0001", CASH)


def test_central_unreachable() -> None:
    settings = unanswered(httpx.ConnectError("refused"))
    with (
        Central("http://central", token="lk_x", **settings) as subject,
        pytest.raises(errors.CentralUnreachable),
    ):
        subject.member("m-1")


@pytest.mark.parametrize("name", table("The agent's local API"))
async def test_a_problem_of_the_page_is_produced(name: str, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    error = next(error for error in CAUSES if name_of(error) == name)
    answer = await CAUSES[error](rig, monkeypatch)
    assert (answer.json()["type"], answer.status_code) == (error.type, error.status), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_page_lists_every_class_of_the_sdk() -> None:
    local, clients, central = (table(name) for name in ("The agent's local API", "The SDK's clients", "Central"))
    assert {name_of(error): error.status for error in CAUSES} == local
    assert clients.keys() == {
        name_of(error) for error in (errors.AgentUnreachable, errors.OutcomeUnknown, errors.CentralUnreachable)
    }
    assert {name_of(error) for error in classes()} == local.keys() | clients.keys() | central.keys()
