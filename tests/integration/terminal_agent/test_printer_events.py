"""What a printer says reaches the POS and the commands: cover, paper, outcomes, copies, reports, the test page."""

from __future__ import annotations

import json
import subprocess
import threading
from queue import Queue
from typing import Any

import pytest

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.model import PrinterStatus, PrintJob
from tests.integration.terminal_agent.conftest import Shop
from tests.support.agent_process import wait_until

ANA = "2400000000001"
BASKET = Basket.of("EUR", Line.of("PAO", 250, 4, description="Pão de forma"))
CASH = [Tender(kind="cash", amount_minor=1_000)]


@pytest.fixture
def talking(shop: Shop) -> Shop:
    """A shop whose printer is a model that tells of its cover and paper by itself."""
    settings = shop.agent.folder / "agent.toml"
    text = settings.read_text(encoding="utf-8")
    model = 'model = "epson-tm-t88"\ncode_page = "cp850"'
    settings.write_text(text.replace('confirm = "process_id"', model), encoding="utf-8")
    shop.agent.start()
    return shop


def test_the_pos_hears_of_cover_paper_and_outcomes_and_the_commands_show_them(talking: Shop) -> None:
    shop = talking
    till = shop.agent.till()
    heard: Queue[PrinterStatus | PrintJob] = Queue()

    def listen() -> None:
        for event in till.events():
            if isinstance(event, PrinterStatus | PrintJob):
                heard.put(event)

    threading.Thread(target=listen, daemon=True).start()

    def await_status(wanted: str, code: int) -> PrinterStatus:
        while True:
            event = heard.get(timeout=60)
            if isinstance(event, PrinterStatus) and event.status == wanted:
                assert (event.printer, event.code) == ("receipt", code)
                return event

    await_status("power_online", 2001)
    wait_until(lambda: "lacks € (U+20AC EURO SIGN" in shop.agent.log, "the check of the texts at the start")
    shop.printer.set_cover_open(True)
    assert "close it" in await_status("cover_open", 11).reason

    # With its cover open nothing leaves; the POS sees the job wait, and may take it back.
    shop.add_member(ANA, "Ana Sousa")
    sale = till.record_sale(BASKET, "0001", CASH, member=till.identify(ANA))
    job = till.print_receipt(sale)
    assert (job.state, job.printer, job.receipt) == ("queued", "receipt", sale.receipt)
    assert any("cover is open" in warning for warning in till.status().warnings)
    cancelled = till.cancel_print(job)
    assert (cancelled.state, cancelled.job_id, cancelled.receipt) == ("failed", job.job_id, sale.receipt)
    assert till.cancel_print(job) == cancelled
    shop.printer.set_cover_open(False)
    await_status("cover_ok", 12)
    shop.printer.set_paper_near_end(True)
    await_status("rec_nearempty", 25)
    shop.printer.set_paper_out(True)
    await_status("rec_empty", 24)
    shop.printer.set_paper_out(False)
    shop.printer.set_paper_near_end(False)
    await_status("rec_paperok", 26)
    statuses = {status.status for status in till.status().printers}
    assert statuses == {"power_online", "cover_ok", "rec_paperok"}
    assert shop.printer.receipts() == [], "nothing was printed by itself"

    copy = command(shop, "reprint", "--register", "1")
    assert (copy["content"], copy["state"], copy["receipt"]["number"]) == ("copy", "printed", "0001")
    assert "2.ª VIA" in shop.printer.receipts()[0]
    assert till.status().head_seq == 2, "a copy records nothing"
    ended = heard.get(timeout=60)
    assert isinstance(ended, PrintJob)
    assert (ended.job_id, ended.state, ended.receipt) == (copy["job_id"], "printed", sale.receipt)
    late = shop.agent.command("spool", "cancel", ended.job_id)
    assert (late.returncode, f"left already: {ended.job_id}" in late.stderr) == (1, True)

    test_page = command(shop, "print-test")
    assert (test_page["content"], test_page["state"]) == ("test", "printed")
    page = shop.printer.receipts()[1]
    for characters in ("ÇüéâäàåçêëèïîìÄÅ", "ÉæÆôöòûùÿÖÜø£Ø×ƒ"):
        assert characters in page
    assert shop.printer.drawer_pulses == 1

    listed = command(shop, "spool")
    assert [(job["content"], job["state"]) for job in listed] == [
        ("test", "printed"),
        ("copy", "printed"),
        ("receipt", "failed"),
    ]

    report = command(shop, "report", "z", "--print", "--date", str(sale.receipt.business_date))
    assert (report["number"], report["sales"], report["points_earned"], report["complete"]) == (1, 1, 10, True)
    assert (report["job"]["state"], shop.printer.receipts_cut) == ("printed", 3), "the command waited for it"
    assert "RELATÓRIO Z DE FIDELIZAÇÃO 1" in shop.printer.receipts()[2]
    again = command(shop, "report", "z", "--print", "--register", "1", "--number", "1")
    assert (again["number"], again["copy"]) == (1, True)
    wait_until(lambda: shop.printer.receipts_cut == 4, "its copy")
    first, second = (receipt.rstrip().splitlines() for receipt in shop.printer.receipts()[2:])
    assert (second[0].strip(), second[1:]) == ("2.ª VIA", first), "the same, but for the heading"


def command(shop: Shop, *arguments: str) -> Any:
    done: subprocess.CompletedProcess[str] = shop.agent.command(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
