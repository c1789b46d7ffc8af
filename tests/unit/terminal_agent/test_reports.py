"""X and Z reports: what they count, that nothing is in two of them, and what they say of what cannot be counted."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.printer.document import Columns
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import InvalidRequest, JournalUnavailable, NotFound, PrinterUnavailable, ReceiptUnknown
from loyalty_sdk.local import ReportRequest, ReversalRequest
from loyalty_sdk.model import Reversal, Sale
from loyalty_sdk.programme import ReceiptTexts
from loyalty_sdk.reports import Report
from sync.replica import store_programme
from terminal_agent.report_document import report_document
from terminal_agent.report_file import FiledReport, ReportFile, ReportFileUnusable
from terminal_agent.reports import Reports
from tests.unit.terminal_agent.conftest import Install
from tests.unit.terminal_agent.rig import ANA, NOW, PROGRAMME, Rig, context, grant, hold_request, sale_request, signed

DAY = date(2026, 5, 1)


def asked(kind: str = "x", **changes: Any) -> ReportRequest:
    own = {name: changes.pop(name) for name in ("number", "printed", "columns") if name in changes}
    return ReportRequest(context=context(**changes), kind=kind, **own)  # type: ignore[arg-type]  # "x" or "z"


async def sell(rig: Rig, number: str, *, member: bool = True, euros: int = 250, **changes: Any) -> Sale:
    basket = Basket.of("EUR", Line.of("A", euros * 100))
    tenders = (Tender(kind="cash", amount_minor=euros * 100),)
    request = sale_request(number, basket=basket, tenders=tenders, member_id=ANA if member else None)
    return await rig.service.record_sale(replace(request, context=context(**changes)))


async def take_back(rig: Rig, number: str, sale: Sale, paid_minor: int, **changes: Any) -> Reversal:
    tenders = (Tender(kind="cash", amount_minor=paid_minor),)
    request = ReversalRequest(
        context=context(), receipt_number=number, kind="return", original=sale.receipt, tenders=tenders, **changes
    )
    return await rig.service.reverse_sale(request)


@pytest.fixture(autouse=True)
def _known(rig: Rig) -> None:
    rig.know_ana(grants=(grant("g-1", 200),))


async def test_an_interim_report_counts_sales_members_points_and_value(rig: Rig) -> None:
    rig.central.down()
    await rig.service.hold(hold_request())
    paid = (Tender(kind="cash", amount_minor=24_500),)
    request = replace(sale_request("0001", member_id=ANA, tenders=paid), hold_id=hold_request().redemption_id)
    redeemed = await rig.service.record_sale(request)
    plain = await sell(rig, "0002", euros=100)
    await sell(rig, "0003", member=False, euros=7)
    await rig.service.record_sale(replace(sale_request("0004"), alias="a-card-nobody-knows"))
    await take_back(rig, "0005", plain, 10_000)
    await sell(rig, "0006", register="4")
    await sell(rig, "0007", business_date=date(2026, 5, 2))
    report = await rig.reports.report(asked())
    assert (redeemed.points_earned, plain.points_earned) == (245, 100)
    assert (report.sales, report.member_sales, report.members, report.reversals) == (4, 2, 1, 1)
    assert (report.sales_minor, report.discount_minor, report.reversed_minor) == (60_200, 500, 10_000)
    assert (report.points_earned, report.points_redeemed, report.points_pending) == (345, 100, 250)
    assert (report.points_taken_back, report.points_given_back) == (100, 0)
    assert (report.number, report.complete, report.currency, report.copy) == (None, True, "EUR", False)
    assert [line.strip() for line in report.lines] == [
        "Clube Aurora",
        "RELATÓRIO X DE FIDELIZAÇÃO",
        "intermédio, não fecha o dia",
        "-" * 42,
        "Loja 12, caixa 3",
        "Data do dia                     01/05/2026",
        report.lines[6],
        "-" * 42,
        "Vendas                                   4",
        "Valor das vendas                  602,00 €",
        "Vendas com cartão de cliente             2",
        "Clientes                                 1",
        "Devoluções e anulações                   1",
        "Valor devolvido                   100,00 €",
        "-" * 42,
        "Pontos ganhos                          345",
        "Pontos descontados                     100",
        "Valor dos prémios                   5,00 €",
        "Pontos retirados                       100",
        "Pontos devolvidos                        0",
        "Pontos por confirmar                   250",
        "Pontos, líquido                        145",
        "-" * 42,
        "Este documento não serve de fatura",
        "",
    ]
    assert await rig.reports.report(asked()) == report, "an X report leaves no trace"


async def test_a_z_report_closes_once_and_what_comes_late_has_its_own(rig: Rig) -> None:
    await sell(rig, "0001")
    first = await rig.reports.report(asked("z"))
    again = await rig.reports.report(asked("z"))
    assert (first.number, first.sales, first.copy, first.earlier_numbers) == (1, 1, False, ())
    assert again == replace(first, copy=True, lines=again.lines)
    assert again.lines[0].strip() == "2.ª VIA"
    assert again.lines[1:] == first.lines
    await sell(rig, "0002", euros=30)
    interim = await rig.reports.report(asked("x"))
    assert (interim.sales, interim.earlier_numbers) == (1, (1,))
    late = await rig.reports.report(asked("z"))
    assert (late.number, late.sales, late.points_earned, late.earlier_numbers) == (2, 1, 30, (1,))
    other = await rig.reports.report(asked("z", register="4"))
    assert (other.number, other.sales) == (1, 0), "each register counts for itself, and a day without sales closes too"
    by_number = await rig.reports.report(asked("z", number=1, business_date=date(2027, 1, 1)))
    assert (by_number.number, by_number.business_date, by_number.copy) == (1, DAY, True)
    with pytest.raises(NotFound, match="no Z report 3"):
        await rig.reports.report(asked("z", number=3))


async def test_a_z_report_stays_as_it_was_made(rig: Rig) -> None:
    await sell(rig, "0001")
    first = await rig.reports.report(asked("z"))
    document = json.dumps(PROGRAMME | {"version": 2, "name": "Outro", "receipt": {"locale": "en"}})
    rig.writer.call(lambda transaction: store_programme(transaction, signed("programme", document)))
    rig.writer.call(lambda transaction: transaction.execute("DELETE FROM entries WHERE seq = 2"))
    again = await rig.reports.report(asked("z", number=1))
    assert again.lines[1:] == first.lines
    assert (again.sales, again.complete) == (1, True)
    assert (await rig.reports.report(asked("x"))).complete, "what a Z report contains is not missing"


async def test_what_has_left_the_journal_is_said_to_be_missing(rig: Rig) -> None:
    await sell(rig, "0001")
    await sell(rig, "0002", register="4")
    await sell(rig, "0003", business_date=date(2026, 5, 2))
    rig.writer.call(lambda transaction: transaction.execute("DELETE FROM entries WHERE seq = 3"))
    report = await rig.reports.report(asked())
    assert (report.sales, report.receipts_missing, report.complete) == (1, 1, False)
    shown = "\n".join(report.lines)
    assert "INCOMPLETO" in shown
    assert "já saíram do diário: 1" in " ".join(shown.split())
    assert (await rig.reports.report(asked(business_date=date(2026, 5, 2)))).complete


async def test_points_that_only_central_knows_and_foreign_money_make_it_incomplete(rig: Rig) -> None:
    known = await sell(rig, "0001")
    unknown = replace(known.receipt, number="9999")
    await take_back(rig, "0002", replace(known, receipt=unknown), 500)
    report = await rig.reports.report(asked())
    assert (report.reversals, report.reversals_unvalued, report.reversed_minor, report.complete) == (1, 1, 500, False)
    document = json.dumps(PROGRAMME | {"version": 2, "currency": "BRL"})
    rig.writer.call(lambda transaction: store_programme(transaction, signed("programme", document)))
    foreign = await rig.reports.report(asked())
    assert (foreign.other_currency, foreign.sales, foreign.sales_minor) == (1, 1, 0)


async def test_training_counts_nowhere_and_has_no_report(rig: Rig) -> None:
    await sell(rig, "0001")
    rig.training.record_sale(sale_request("T1", training=True, member_id=ANA))
    assert (await rig.reports.report(asked())).sales == 1
    with pytest.raises(InvalidRequest, match="training counts nothing"):
        await rig.reports.report(asked(training=True))


async def test_a_tool_leaves_store_and_register_to_the_latest_receipt(rig: Rig, install: Install) -> None:
    with pytest.raises(ReceiptUnknown):
        await rig.reports.report(asked(store="-", register="-"))
    await sell(rig, "0001", register="7")
    found = await rig.reports.report(asked(store="-", register="-"))
    assert (found.store, found.register, found.sales) == ("12", "7", 1)
    rig.install((install("front", registers=("3",)), install("back", registers=("7",))))
    printed = await rig.reports.report(asked(store="-", register="-", printed=True))
    assert printed.job is not None
    assert printed.job.printer == "back", "the printer of the register that was found"


async def test_a_report_is_printed_once_and_then_as_a_copy(rig: Rig, install: Install) -> None:
    with pytest.raises(PrinterUnavailable):
        await rig.reports.report(asked("z", printed=True))
    installed = install("front")
    rig.install((installed,))
    await sell(rig, "0001")
    first = await rig.reports.report(asked("z", printed=True))
    again = await rig.reports.report(asked("z", printed=True))
    interim = [await rig.reports.report(asked("x", printed=True)) for _ in range(2)]
    jobs = [report.job for report in (first, again, *interim)]
    assert [job.content for job in jobs if job] == ["report"] * 4
    assert len({job.job_id for job in jobs if job}) == 4
    waiting = []
    while (job := installed.spool.next_queued()) is not None:
        waiting.append("2.ª VIA".encode("cp858") in job.data)
        installed.spool.mark_sent(job.number)
    assert waiting == [False, True, False, False]
    assert (first.number, again.number) == (1, 1), "a print that was refused closed nothing"


async def test_two_who_close_at_once_get_the_same_report(rig: Rig) -> None:
    await sell(rig, "0001")
    found = await asyncio.gather(*(rig.reports.report(asked("z")) for _ in range(5)))
    assert [report.number for report in found] == [1] * 5
    assert sorted(report.copy for report in found) == [False] + [True] * 4


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=12))
def test_every_receipt_is_in_exactly_one_z_report(
    tmp_path_factory: pytest.TempPathFactory, days: list[tuple[int, int, bool]]
) -> None:
    """Law: the Z reports of a register are numbered from 1 without gaps, and add up to what was sold there."""
    asyncio.run(_close_at_will(Rig(tmp_path_factory.mktemp("rig")), days))


async def _close_at_will(rig: Rig, days: list[tuple[int, int, bool]]) -> None:
    try:
        rig.know_ana()
        sold, numbers, counted = 0, dict[str, list[int]](), 0
        places = [(register, DAY.replace(day=1 + day)) for register in ("1", "2", "3") for day in range(3)]
        for number, (register, day, close) in enumerate(days):
            place: dict[str, Any] = {"register": str(register + 1), "business_date": DAY.replace(day=1 + day)}
            sold += (await sell(rig, str(number), euros=1, **place)).points_earned
            if close:
                counted += _note(await rig.reports.report(asked("z", **place)), numbers)
        for register_name, business_date in places:
            request = asked("z", register=register_name, business_date=business_date)
            counted += _note(await rig.reports.report(request), numbers)
        assert counted == sold == len(days)
        assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    finally:
        rig.close()


def _note(report: Report, numbers: dict[str, list[int]]) -> int:
    """The points of a report that is new; a copy brings none."""
    if report.copy:
        return 0
    numbers.setdefault(report.register, []).append(report.number or 0)
    return report.points_earned


async def test_z_reports_survive_a_restart_and_foreign_files_are_left_alone(rig: Rig) -> None:
    await sell(rig, "0001")
    first = await rig.reports.report(asked("z"))
    path = rig.path.with_name("reports.db")
    with pytest.raises(ReportFileUnusable, match="cannot be used"):
        ReportFile(path)
    rig.report_file.close()
    rig.report_file = ReportFile(path)
    rig.install(())
    assert (await rig.reports.report(asked("z"))).lines[1:] == first.lines
    foreign = path.with_name("foreign.db")
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE somebody_elses (value)")
    with pytest.raises(ReportFileUnusable, match="holds no Z reports"):
        ReportFile(foreign)
    damaged = path.with_name("damaged.db")
    damaged.write_bytes(b"no database at all" * 100)
    with pytest.raises(ReportFileUnusable, match="move a damaged file away"):
        ReportFile(damaged)


async def test_without_the_file_the_reason_is_said(rig: Rig) -> None:
    reports = Reports(
        store=rig.store,
        printing=rig.printing,
        printers=rig.printers,
        file=None,
        trouble="the disk is gone",
        now=rig.host.now,
        new_id=rig.host.new_id,
    )
    reports.close()
    with pytest.raises(JournalUnavailable, match="the disk is gone"):
        await reports.report(asked())


@pytest.mark.parametrize("columns", [32, 42, 48])
@pytest.mark.parametrize("locale", ["pt_BR", "pt_PT", "es", "en"])
async def test_a_report_fits_every_paper_in_every_language(rig: Rig, locale: str, columns: int) -> None:
    document = json.dumps(PROGRAMME | {"version": 2, "receipt": {"locale": locale}})
    rig.writer.call(lambda transaction: store_programme(transaction, signed("programme", document)))
    await sell(rig, "0001")
    for kind in ("x", "z"):
        report = await rig.reports.report(asked(kind, columns=columns))
        assert max(len(line) for line in report.lines) <= columns
        assert not any("{" in line for line in report.lines)


def test_without_a_currency_amounts_are_plain() -> None:
    report = Report(kind="x", store="1", register="1", business_date=DAY, made_at=NOW)
    filed = FiledReport(report=report, programme_name="", texts=ReceiptTexts())
    assert Columns(left="Value of sales", right="0") in report_document(filed).elements
