"""A recorded sale to the bytes of its receipt, against python-escpos as it is usually written, with the same texts."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from bench.measure import contest
from bench.rows import Row, at_most, compared
from bench.terminal import PROGRAMME, sales
from bench.workshop import Subject, Workshop
from drivers.printer.document import Columns, Cut, Document, Feed, Rule, TextLine
from drivers.printer.profile import PrinterProfile
from drivers.printer.render import render_document, warm_up
from loyalty_sdk.envelope import SaleBody
from loyalty_sdk.model import Sale
from loyalty_sdk.programme import parse_programme
from sync.replica import MemberView
from sync.sales import receipt_key_of
from terminal_agent.receipts import Receipt, receipt_document

__all__ = ["RECEIPT"]

NAME = "recorded sale to the bytes of its receipt, p50"
PROFILE = PrinterProfile()


def measure_receipt(workshop: Workshop) -> Iterator[Row]:
    """Both make the texts of the receipt (amounts and dates in the shop's language), then the bytes."""
    workshop.begin("receipts", workshop.rounds)
    warm_up()
    receipt = example_receipt()
    sides: dict[str, Callable[[], object]] = {
        "ours": lambda: render_document(receipt_document(receipt), PROFILE),
        "python-escpos": lambda: usual_bytes(receipt_document(receipt)),
    }
    taken = contest(sides, rounds=workshop.rounds, operations=workshop.operations, advance=workshop.step)
    yield compared(NAME, "ms", taken["ours"].p50s_ms, taken["python-escpos"].p50s_ms, "python-escpos", at_most(1.2))


def example_receipt() -> Receipt:
    """Return a sale of two articles to a member, as recorded."""
    request = next(sales())
    key, as_of = receipt_key_of(request), datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    body = SaleBody(
        cashier=request.context.cashier,
        member_id=request.member_id,
        basket=request.basket,
        tenders=request.tenders,
        points_earned=6,
    )
    result = Sale(
        entry_id="0192f0a0-0000-7000-8000-000000000001",
        receipt=key,
        member_id=request.member_id,
        points_earned=6,
        points_redeemed=0,
        discount_minor=0,
        balance=1_006,
        as_of=as_of,
    )
    member = MemberView(
        member_id=str(request.member_id),
        name_masked="J*** C***",
        tier="",
        balance=1_006,
        revision=1,
        as_of=as_of,
    )
    return Receipt(body=body, key=key, result=result, programme=parse_programme(PROGRAMME), member=member)


def usual_bytes(document: Document) -> bytes:
    """Print the document as a program that uses python-escpos directly would: set, text, cut."""
    paper: Any = importlib.import_module("escpos.printer").Dummy()
    paper.hw("INIT")
    paper.charcode("CP858")
    for element in document.elements:
        if isinstance(element, TextLine):
            paper.set(align=element.align.value, bold=element.bold, double_height=element.double_height)
            paper.textln(element.text)
        elif isinstance(element, Columns):
            paper.set(align="left", bold=element.bold)
            room = PROFILE.columns - len(element.right)
            paper.textln(f"{element.left[: room - 1]:<{room}}{element.right}")
        elif isinstance(element, Rule):
            paper.set(align="left", bold=False)
            paper.textln(element.character * PROFILE.columns)
        elif isinstance(element, Feed):
            paper.ln(element.lines)
        elif isinstance(element, Cut):
            paper.cut()
    output: bytes = paper.output
    return output


RECEIPT = Subject(names=(NAME,), measure=measure_receipt)
