"""From a recorded entry to the spool: which printer, how often, and what is said when there is none."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from drivers.printer._paper import Paper
from drivers.printer.spool import JobState
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import InvalidRequest, NotFound, PrinterUnavailable, ReceiptUnknown
from loyalty_sdk.local import (
    CancelPrintRequest,
    PrintJobsRequest,
    PrintRequest,
    PrintTestRequest,
    ReceiptBlockRequest,
    ReprintRequest,
    ReversalRequest,
)
from loyalty_sdk.model import ReceiptKey, ReturnLine, Sale
from sync.replica import store_programme
from terminal_agent.receipt_words import RECEIPT_WORDS
from tests.unit.terminal_agent.conftest import Install
from tests.unit.terminal_agent.rig import ANA, PROGRAMME, Rig, context, sale_request, signed


@pytest.fixture
async def sale(rig: Rig) -> Sale:
    rig.know_ana()
    return await rig.service.record_sale(sale_request(member_id=ANA))


def printed(sale: Sale, *, register: str = "3", copy: bool = False) -> PrintRequest:
    return PrintRequest(context=context(register=register), receipt=sale.receipt, copy=copy)


async def test_a_receipt_is_one_job_however_often_it_is_asked_for(rig: Rig, install: Install, sale: Sale) -> None:
    installed = install("front")
    rig.install((installed,))
    first = await rig.printing.print_receipt(printed(sale), {})
    assert (first.state, (await rig.printing.print_receipt(printed(sale), {})).job_id) == ("queued", first.job_id)
    assert (installed.spool.jobs_waiting(), rig.printing.state()) == (1, (1, ()))
    copy = await rig.printing.print_receipt(printed(sale, copy=True), {})
    assert copy.job_id != first.job_id
    job = installed.spool.next_queued()
    assert job is not None
    assert job.data.startswith(b"\x1b@")
    assert "Talão 0001".encode("cp858") in job.data


async def test_the_printer_that_names_the_register_comes_first(rig: Rig, install: Install, sale: Sale) -> None:
    every, ours = install("every"), install("ours", registers=("3",))
    rig.install((every, ours))
    await rig.printing.print_receipt(printed(sale), {})
    assert (every.spool.jobs_waiting(), ours.spool.jobs_waiting()) == (0, 1)
    await rig.printing.print_receipt(printed(sale, register="9"), {})
    assert every.spool.jobs_waiting() == 1


async def test_without_a_printer_the_remedy_is_named(rig: Rig, install: Install, sale: Sale) -> None:
    with pytest.raises(PrinterUnavailable, match=r"\[\[printer\]\] section"):
        await rig.printing.print_receipt(printed(sale), {})
    rig.install((install("other", registers=("9",)),))
    with pytest.raises(PrinterUnavailable, match="no printer serves register 3"):
        await rig.printing.print_receipt(printed(sale), {})


async def test_a_full_spool_is_said(rig: Rig, install: Install, sale: Sale) -> None:
    rig.install((install("front", queued_max=1),))
    await rig.printing.print_receipt(printed(sale), {})
    with pytest.raises(PrinterUnavailable, match="1 receipts wait"):
        await rig.printing.print_receipt(printed(sale, copy=True), {})


async def test_an_unknown_receipt_is_said(rig: Rig, sale: Sale) -> None:
    unknown = ReceiptKey(store="12", register="3", business_date=sale.receipt.business_date, number="9999")
    with pytest.raises(ReceiptUnknown, match="12/3 2026-05-01 9999"):
        await rig.printing.receipt_block(ReceiptBlockRequest(context=context(), receipt=unknown), {})


async def test_a_block_is_lines_and_bytes_without_reset_and_cut(rig: Rig, install: Install, sale: Sale) -> None:
    rig.install((install("front", code_page="cp1252"),))
    block = await rig.printing.receipt_block(
        ReceiptBlockRequest(context=context(), receipt=sale.receipt, columns=24), {}
    )
    assert all(len(line) <= 24 for line in block.lines)
    assert "Pontos ganhos        250" in block.lines
    assert b"\x1b@" not in block.escpos
    assert b"\x1dV" not in block.escpos
    assert b"\x1bt\x10" in block.escpos, "the page of the register's printer"
    assert b"Pontos ganhos        250" in block.escpos


async def test_a_receipt_longer_than_any_paper_is_refused_and_stays_recorded(rig: Rig, install: Install) -> None:
    rig.install((install("front"),))
    basket = Basket.of("EUR", Line.of("A", 100, description="x" * 5_000))
    sale = await rig.service.record_sale(
        replace(sale_request("0009"), basket=basket, tenders=(Tender(kind="cash", amount_minor=100),))
    )
    with pytest.raises(InvalidRequest, match="cannot be printed"):
        await rig.printing.print_receipt(printed(sale), {})


async def test_the_status_counts_what_waits(rig: Rig, install: Install, sale: Sale) -> None:
    rig.install((install("front"),))
    await rig.printing.print_receipt(printed(sale), {})
    status = await rig.status.read()
    assert (status.print_jobs_waiting, status.head_seq, status.queue_length, status.open_holds) == (1, 2, 2, 0)
    assert (status.central_online, status.programme_version, status.warnings) == (True, 1, ())


async def test_the_status_warns_with_remedies(rig: Rig) -> None:
    rig.exchange.trouble, rig.exchange.online = "central does not answer", False
    rig.hub.dropped_scans = 2
    status = await rig.status.read()
    assert status.warnings == (
        "central: central does not answer",
        "2 scans came while no POS listened: start till.scans()",
    )


@pytest.mark.parametrize("columns", [32, 42, 48])
@pytest.mark.parametrize("locale", ["pt_BR", "pt_PT", "es", "en"])
async def test_a_block_says_the_same_on_lines_and_in_bytes(rig: Rig, sale: Sale, locale: str, columns: int) -> None:
    programme = PROGRAMME | {"version": 2, "receipt": {"locale": locale, "header": ["Pão"], "footer": ["Até já"]}}
    rig.writer.call(lambda transaction: store_programme(transaction, signed("programme", json.dumps(programme))))
    request = ReceiptBlockRequest(context=context(), receipt=sale.receipt, columns=columns)
    block = await rig.printing.receipt_block(request)
    words = RECEIPT_WORDS[locale]
    assert max(len(line) for line in block.lines) <= columns
    assert any(line.startswith(words.points_earned) and line.endswith("250") for line in block.lines)
    assert any(line.startswith(words.balance) for line in block.lines)
    for command in (b"\x1b@", b"\x1dV", b"\x1bp", b"\x1bi", b"\x1bm"):
        assert command not in block.escpos, "no reset, no cut, no drawer"
    assert read_back(block.escpos, columns) == [line.rstrip() for line in block.lines]
    assert block.escpos.rstrip(b"\n")[-3:] != b"\x1bE\x01", "normal weight is left behind"


def read_back(escpos: bytes, columns: int) -> list[str]:
    """What stands on the paper of a POS that adds its own text after the block, in the block's last state."""
    paper = Paper(columns=columns, receipts_max=1)
    assert paper.feed(escpos + b"X\n") == b""
    assert not paper.strange
    lines = paper.uncut()
    assert lines.pop() == "X", "left aligned again"
    return lines


async def test_a_copy_of_the_latest_receipt_is_a_job_of_its_own_and_records_nothing(
    rig: Rig, install: Install, sale: Sale
) -> None:
    installed = install("front")
    rig.install((installed,))
    later = await rig.service.record_sale(sale_request("0002"))
    head = rig.head_seq()
    job = await rig.printing.reprint(ReprintRequest(context=context()))
    assert (job.content, job.receipt, job.state) == ("copy", later.receipt, "queued")
    anywhere = await rig.printing.reprint(ReprintRequest(context=context(store="-", register="-")))
    assert (anywhere.receipt, anywhere.job_id != job.job_id) == (later.receipt, True)
    waiting = installed.spool.next_queued()
    assert waiting is not None
    assert "2.ª VIA".encode("cp858") in waiting.data
    assert rig.head_seq() == head
    with pytest.raises(ReceiptUnknown, match="register 9"):
        await rig.printing.reprint(ReprintRequest(context=context(register="9")))


async def test_a_copy_of_a_job_prints_its_receipt_and_never_prints_by_itself(
    rig: Rig, install: Install, sale: Sale
) -> None:
    installed = install("front")
    rig.install((installed,))
    first = await rig.printing.print_receipt(printed(sale))
    await rig.service.record_sale(sale_request("0002"))
    installed.spool.mark_sent(1)
    installed.spool.settle(1, JobState.UNKNOWN, "look at the paper")
    again = await rig.printing.print_receipt(printed(sale))
    assert (again.job_id, again.state, again.reason) == (first.job_id, "unknown", "look at the paper")
    assert installed.spool.jobs_waiting() == 0
    copy = await rig.printing.reprint(ReprintRequest(context=context(), job_id=first.job_id))
    assert (copy.receipt, copy.content) == (sale.receipt, "copy")
    of_the_copy = await rig.printing.reprint(ReprintRequest(context=context(), job_id=copy.job_id))
    assert of_the_copy.receipt == sale.receipt
    test_page = await rig.printing.print_test(PrintTestRequest(context=context()))
    with pytest.raises(ReceiptUnknown, match="prints no receipt"):
        await rig.printing.reprint(ReprintRequest(context=context(), job_id=test_page.job_id))
    for nonsense in ("front:99", "back:1", "front", "front:", ":1", "front:²"):
        with pytest.raises(NotFound, match="spool list"):
            await rig.printing.reprint(ReprintRequest(context=context(), job_id=nonsense))


async def test_jobs_are_listed_with_their_receipts_and_cancelled_while_they_wait(
    rig: Rig, install: Install, sale: Sale
) -> None:
    told: list[Any] = []
    installed = replace(install("front"), tell=told.append)
    rig.install((installed,))
    receipt = await rig.printing.print_receipt(printed(sale))
    test_page = await rig.printing.print_test(PrintTestRequest(context=context()))
    found = (await rig.printing.jobs(PrintJobsRequest(context=context()))).jobs
    assert [(job.job_id, job.content, job.receipt) for job in found] == [
        (test_page.job_id, "test", None),
        (receipt.job_id, "receipt", sale.receipt),
    ]
    cancelled = await rig.printing.cancel(CancelPrintRequest(context=context(), job_id=receipt.job_id))
    assert (cancelled.state, "cancelled at the till" in cancelled.reason, cancelled.ended_at is None) == (
        "failed",
        True,
        False,
    )
    assert [job.state for job in told] == [JobState.FAILED], "every POS of the printer hears of it"
    installed.spool.mark_sent(2)
    left = await rig.printing.cancel(CancelPrintRequest(context=context(), job_id=test_page.job_id))
    assert (left.state, len(told)) == ("sent", 1)


async def test_training_prints_a_test_page_without_the_drawer(rig: Rig, install: Install) -> None:
    installed = install("front")
    rig.install((installed, install("back")))
    for training, pulses in ((False, True), (True, False)):
        await rig.printing.print_test(PrintTestRequest(context=context(training=training), printer="front"))
        job = installed.spool.next_queued()
        assert job is not None
        assert (b"\x1bp" in job.data) == pulses
        installed.spool.settle(job.number, JobState.FAILED)
    with pytest.raises(NotFound, match=r"the printers of agent\.toml are front, back"):
        await rig.printing.print_test(PrintTestRequest(context=context(), printer="side"))
    with pytest.raises(PrinterUnavailable, match="name one of front, back"):
        await rig.printing.print_test(PrintTestRequest(context=context(register="-")))


async def test_a_return_is_printed_with_the_articles_of_its_sale(rig: Rig, install: Install, sale: Sale) -> None:
    installed = install("front")
    rig.install((installed,))
    tenders = (Tender(kind="cash", amount_minor=250),)
    lines = (ReturnLine(line=1, quantity=Decimal(1)),)
    request = ReversalRequest(
        context=context(), receipt_number="0002", kind="return", original=sale.receipt, lines=lines, tenders=tenders
    )
    reversal = await rig.service.reverse_sale(request)
    await rig.printing.print_receipt(PrintRequest(context=context(), receipt=reversal.receipt))
    job = installed.spool.next_queued()
    assert job is not None
    assert "Café                                   x 1".encode("cp858") in job.data
    assert "TOTAL DEVOLVIDO                     2,50 €".encode("cp858") in job.data


async def test_a_receipt_whose_entry_has_left_the_journal_is_told_so(rig: Rig, install: Install, sale: Sale) -> None:
    rig.install((install("front"),))
    rig.writer.call(lambda transaction: transaction.execute("DELETE FROM entries WHERE seq = 2"))
    with pytest.raises(ReceiptUnknown, match="has left the journal since"):
        await rig.printing.print_receipt(printed(sale))
