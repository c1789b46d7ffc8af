"""An agent's local API to be examined: a real journal, spool and programme, no processes, a central that knows Ana."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import httpx

from drivers.clock import SystemClock
from drivers.printer.printer import Printer
from drivers.printer.spool import Spool
from loyalty_sdk.codec import dumps, encode
from loyalty_sdk.local import PrintRequest
from loyalty_sdk.model import ReceiptKey
from terminal_agent.local_api import Gate, create_app
from terminal_agent.openapi import openapi_document
from terminal_agent.operations import operations
from terminal_agent.printers import InstalledPrinter
from terminal_agent.settings import PrinterSection
from tests.contract.agent_mending import DEVICE, mended
from tests.contract.examiner import Document, Subject
from tests.unit.terminal_agent.rig import (
    ANA,
    ANA_CARD,
    TOKEN,
    Rig,
    answered,
    context,
    grant,
    hold_request,
    member_answer,
    problem,
    sale_request,
)
from tests.unit.terminal_agent.test_scanners import Reader, installed

__all__ = ["AGENT_DOCUMENT", "examined_agent"]

HOST = "testserver"
CONTEXT = encode(context())
SOLD = ("0001", "0002", "0003")


def _document() -> Document:
    """The document without the stream of events, which never ends."""
    nobody = Mock()
    names = ("desk", "scanners", "service", "training", "printing", "reports", "status")
    document = openapi_document(operations(**dict.fromkeys(names, nobody)))
    del document["paths"]["/v1/events"]
    return document


AGENT_DOCUMENT = _document()


@contextmanager
def examined_agent(folder: Path) -> Iterator[Subject]:
    """Start an agent with a printer, a scanner, sales, a hold and print jobs; yields what is examined."""
    rig = Rig(folder)
    section = PrinterSection(name=DEVICE, transport="file", address=str(folder / DEVICE))
    spool = Spool(folder / "spool.db", now=SystemClock().now, queued_max=100_000)
    printer = Printer(section.driver_settings(), spool, lambda event: None, clock=SystemClock(), random=lambda: 0.5)
    try:
        rig.scanners = installed(**{DEVICE: ("", Reader())})
        rig.install((InstalledPrinter(section=section, printer=printer, spool=spool),))
        jobs = asyncio.run(_furnish(rig))
        gate = Gate(token=TOKEN, hosts=frozenset({HOST}))
        app = create_app(operations=rig.operations, hub=rig.hub, gate=gate, new_request_id=rig.host.new_id)
        yield Subject(app=app, tokens={"token": TOKEN}, names=_names(jobs), mend=mended)
    finally:
        spool.close()
        rig.close()


async def _furnish(rig: Rig) -> tuple[str, ...]:
    """Record sales, hold points, and print; returns the print jobs."""
    rig.know_ana(grants=(grant("ahead", 200),))
    rig.central.handler = _central
    key = ReceiptKey(store="12", register="3", business_date=context().business_date, number=SOLD[0])
    async with rig.client() as client:
        for number in SOLD:
            answer = await client.post("/v1/sales", content=dumps(sale_request(number, member_id=ANA)))
            assert answer.status_code == 200, answer.text
        answer = await client.post("/v1/holds", content=dumps(hold_request()))
        assert answer.status_code == 200, answer.text
        answer = await client.post("/v1/print-jobs", content=dumps(PrintRequest(context=context(), receipt=key)))
        assert answer.status_code == 200, answer.text
    return (answer.json()["job_id"],)


def _central(request: httpx.Request) -> httpx.Response:
    """Central knows one card, and grants nothing more."""
    if request.url.path.endswith("/identify"):
        return answered(member_answer()) if ANA_CARD.encode() in request.content else problem("alias-unknown", 404)
    return problem("insufficient-points", 409)


def _names(jobs: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    place = {name: (str(CONTEXT[name]),) for name in ("store", "register", "cashier", "business_date")}
    sold = {name: place[name] for name in ("store", "register", "business_date")} | {"number": SOLD}
    return (
        place
        | {f"context.{name}": values for name, values in place.items()}
        | {f"receipt.{name}": values for name, values in sold.items()}
        | {f"original.{name}": values for name, values in sold.items()}
        | {
            "member_id": (ANA,),
            "data": (ANA_CARD,),
            "hold_id": (hold_request().redemption_id,),
            "reward_id": ("five-off",),
            "job_id": jobs,
        }
    )
