"""From a recorded entry to the spool: which printer, how often, and what is said when there is none."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.printer.printer import Printer
from drivers.printer.spool import Spool
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import InvalidRequest, PrinterUnavailable, ReceiptUnknown
from loyalty_sdk.local import PrintRequest, ReceiptBlockRequest
from loyalty_sdk.model import ReceiptKey, Sale
from terminal_agent.printing import InstalledPrinter
from terminal_agent.settings import PrinterSection
from tests.unit.terminal_agent.rig import ANA, Rig, context, sale_request

Install = Callable[..., InstalledPrinter]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Printers whose threads never start, so that jobs stay in their spools."""
    made: list[InstalledPrinter] = []

    def install(name: str, *, queued_max: int = 500, **settings: object) -> InstalledPrinter:
        section = PrinterSection(name=name, transport="file", address=str(tmp_path / name), **settings)  # type: ignore[arg-type]
        spool = Spool(tmp_path / f"{name}.db", now=SystemClock().now, queued_max=queued_max)
        printer = Printer(section.driver_settings(), spool, lambda event: None, clock=SystemClock(), random=lambda: 0.5)
        made.append(InstalledPrinter(section=section, printer=printer, spool=spool))
        return made[-1]

    yield install
    for installed in made:
        installed.spool.close()


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
    assert (installed.spool.jobs_waiting(), rig.printing.jobs_waiting()) == (1, 1)
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
