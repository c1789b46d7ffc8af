"""The way of a sale through real processes: POS, agent, central, a serial scanner and a printer in the network."""

from __future__ import annotations

import json
import stat
import threading
from decimal import Decimal
from pathlib import Path
from queue import Queue

import pytest

from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.errors import AgentUnreachable, OutcomeUnknown, TrainingMismatch
from loyalty_sdk.model import ReturnLine, Scan, ScannerStatus
from loyalty_sdk.till import RetryPolicy, Till
from tests.integration.terminal_agent.conftest import Shop
from tests.support.agent_process import AgentProcess, CentralProcess, wait_until

ANA, RUI, STRANGER = "2400001", "2400002", "2400003"
BASKET = Basket.of("EUR", Line.of("COFFEE", 250, 2, description="Café"), Line.of("CAKE", 24_500))
CASH = [Tender(kind="cash", amount_minor=25_000)]
ONCE = RetryPolicy(attempts_max=1, question_attempts_max=1)


def drained(till: Till) -> bool:
    status = till.status()
    return status.queue_length == 0 and status.central_online


def await_drained(till: Till) -> None:
    wait_until(lambda: drained(till), "an empty queue to central")


def await_balance(till: Till, alias: str, balance: int) -> None:
    wait_until(lambda: till.identify(alias).balance == balance, f"a balance of {balance}")


def test_a_day_with_central(shop: Shop) -> None:
    member_id = shop.add_member(ANA, "Ana Sousa")
    shop.agent.start()
    till = shop.agent.till()

    # Earn.
    ana = till.identify(ANA)
    assert (ana.state, ana.member_id, ana.balance, ana.online) == ("known", member_id, 0, True)
    assert "Sousa" not in ana.name_masked
    sale = till.record_sale(BASKET, "0001", CASH, member=ana)
    assert (sale.points_earned, sale.balance, sale.recorded_before) == (250, 250, False)
    again = till.record_sale(BASKET, "0001", CASH, member=ana)
    assert (again.recorded_before, again.entry_id) == (True, sale.entry_id)

    # Redeem from an exact grant, once central has the points.
    await_drained(till)
    quote = till.quote(BASKET, till.identify(ANA))
    assert [(offer.reward_id, offer.count_max) for offer in quote.rewards] == [("five-off", 1)]
    hold = till.hold_redemption(quote)
    assert [left.hold_id for left in till.open_holds()] == [hold.hold_id]
    paid = [Tender(kind="card", amount_minor=24_500)]
    redeemed = till.record_sale(BASKET, "0002", paid, member=ana, hold=hold)
    assert (redeemed.points_earned, redeemed.points_redeemed, redeemed.balance) == (245, 100, 395)
    assert till.open_holds() == ()

    # Give back: a part, then a void of the redemption.
    back = [Tender(kind="cash", amount_minor=250)]
    returned = till.reverse_sale(
        "return", "0003", original=sale, lines=[ReturnLine(line=1, quantity=Decimal(1))], tenders=back
    )
    assert (returned.points_debited, returned.points_credited) == (3, 0)
    void = till.reverse_sale("void", "0004", original=redeemed, tenders=paid)
    assert (void.points_debited, void.points_credited, void.balance) == (245, 100, 247)

    # On paper.
    block = till.receipt_block(redeemed, columns=32)
    assert "Pontos descontados           100" in block.lines
    assert b"\x1b@" not in block.escpos
    assert b"\x1dV" not in block.escpos
    job = till.print_receipt(redeemed)
    assert till.print_receipt(redeemed).job_id == job.job_id
    wait_until(lambda: shop.printer.receipts_cut == 1, "the receipt")
    assert "Prémio de fidelização" in shop.printer.receipts()[0]
    wait_until(lambda: till.print_receipt(redeemed).state == "printed", "the printer's confirmation")
    till.print_receipt(redeemed, copy=True)
    wait_until(lambda: shop.printer.receipts_cut == 2, "the copy")
    assert "2.ª VIA" in shop.printer.receipts()[1]

    # The same at central.
    await_drained(till)
    done = shop.agent.command("reconcile", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["equal"], found["entries_here"], found["not_applied"]) == (True, 5, [])
    at_central = shop.central.command("member", "show", ANA)
    assert at_central["available"] + at_central["reserved"] - at_central["owed"] == 247
    assert "-0001" not in shop.agent.log
    shown = shop.agent.command("status")
    assert shown.returncode == 0, shown.stderr
    assert "queue length" in shown.stdout


def test_scans_come_from_the_serial_line_and_training_counts_nowhere(shop: Shop) -> None:
    shop.add_member(ANA, "Ana Sousa")
    shop.agent.start()
    till = shop.agent.till()
    heard: Queue[Scan | ScannerStatus] = Queue()

    def listen() -> None:
        for event in till.scans():
            heard.put(event)

    threading.Thread(target=listen, daemon=True).start()
    status = heard.get(timeout=20)
    assert isinstance(status, ScannerStatus)
    assert (status.scanner, status.state) == ("counter", "online")
    shop.scanner.scan(f"]C1{ANA}")
    scan = heard.get(timeout=20)
    assert isinstance(scan, Scan)
    assert (scan.data, scan.entry_method, scan.scanner) == (ANA, "scanned", "counter")

    ana = till.identify(scan)
    till.record_sale(BASKET, "0001", CASH, member=ana)
    await_drained(till)
    await_balance(till, ANA, 250)
    head = till.status().head_seq
    training = till.with_context(training=True)
    hold = training.hold_redemption(training.quote(BASKET, training.identify(ANA)))
    with pytest.raises(TrainingMismatch):
        till.record_sale(BASKET, "0002", [Tender(kind="card", amount_minor=24_500)], member=ana, hold=hold)
    exercise = training.record_sale(BASKET, "T1", [Tender(kind="card", amount_minor=24_500)], member=ana, hold=hold)
    assert (exercise.training, exercise.points_redeemed) == (True, 100)
    assert "FORMAÇÃO - SEM VALIDADE" in "\n".join(training.receipt_block(exercise).lines)
    assert till.status().head_seq == head

    till.close()
    assert shop.agent.terminate() == 0, shop.agent.log
    assert "Traceback" not in shop.agent.log


def test_without_central_the_shop_sells_on_and_the_queue_drains(shop: Shop) -> None:
    shop.add_member(ANA, "Ana Sousa")
    shop.agent.start()
    till = shop.agent.till()
    till.record_sale(BASKET, "0001", CASH, member=till.identify(ANA))
    await_drained(till)
    await_balance(till, ANA, 250)  # and points are set aside here.

    shop.central.kill()
    ana = till.identify(ANA)
    assert (ana.state, ana.online, ana.balance) == ("known", False, 250)
    stranger = till.identify(STRANGER)
    assert (stranger.state, stranger.alias) == ("unconfirmed", STRANGER)
    hold = till.hold_redemption(till.quote(BASKET, ana))
    till.record_sale(BASKET, "0002", [Tender(kind="cash", amount_minor=24_500)], member=ana, hold=hold)
    till.record_sale(BASKET, "0003", CASH, member=stranger)
    wait_until(lambda: not till.status().central_online, "the agent to see that central is gone")
    status = till.status()
    assert status.queue_length >= 2
    assert any(warning.startswith("central:") for warning in status.warnings)

    shop.central.start()
    shop.add_member(STRANGER, "Eva Lima")
    await_drained(till)
    wait_until(lambda: till.status().entries_refused == 0, "central to judge the stranger's sale again")
    await_balance(till, ANA, 250 + 245 - 100)
    assert json.loads(shop.agent.command("reconcile", "--json").stdout)["equal"] is True


@pytest.mark.parametrize("point", ["record_sale.before_commit", "record_sale.after_commit"])
def test_a_sale_survives_a_kill_under_its_receipt_key(shop: Shop, tmp_path: Path, point: str) -> None:
    shop.add_member(ANA, "Ana Sousa")
    failpoints = tmp_path / "failpoints"
    failpoints.mkdir()
    shop.agent.start(failpoints)
    till = shop.agent.till(retries=ONCE)
    ana = till.identify(ANA)
    (failpoints / point).touch()
    failed: Queue[BaseException] = Queue()

    def sell() -> None:
        try:
            till.record_sale(BASKET, "0001", CASH, member=ana)
        except OutcomeUnknown as error:
            failed.put(error)

    seller = threading.Thread(target=sell)
    seller.start()
    wait_until((failpoints / f"{point}.reached").exists, "the failpoint")
    shop.agent.kill()
    seller.join()
    assert isinstance(failed.get(timeout=1), OutcomeUnknown)

    shop.agent.start(failpoints)
    sale = till.record_sale(BASKET, "0001", CASH, member=ana)
    assert sale.recorded_before is (point == "record_sale.after_commit")
    assert (sale.points_earned, sale.balance) == (250, 250)
    await_drained(till)
    assert json.loads(shop.agent.command("reconcile", "--json").stdout)["entries_here"] == 2


def test_sigterm_ends_the_agent_cleanly(shop: Shop) -> None:
    shop.agent.start()
    till = shop.agent.till()
    sock, journal = shop.agent.folder / "agent.sock", shop.agent.folder / "journal.db"
    assert stat.S_IMODE(sock.stat().st_mode) == 0o600
    till.record_sale(BASKET, "0001", CASH)
    await_drained(till)
    assert shop.agent.terminate() == 0, shop.agent.log
    assert not sock.exists()
    assert not journal.with_name("journal.db-wal").exists(), "the write-ahead log is folded into the file"
    assert "Traceback" not in shop.agent.log
    with pytest.raises(AgentUnreachable, match="loyalty-agent run"):
        till.status()
    done = shop.agent.command("status")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    done = shop.agent.command("reconcile")
    assert done.returncode == 0, "the journal of an agent that stopped can be compared"


def test_a_socket_left_behind_is_replaced_and_a_second_agent_is_refused(shop: Shop) -> None:
    shop.agent.start()
    shop.agent.kill()
    assert (shop.agent.folder / "agent.sock").exists()
    shop.agent.start()
    assert shop.agent.till().status().head_seq >= 1
    second = shop.agent.command("run")
    assert second.returncode == 2
    assert second.stderr.splitlines()[-1].startswith("loyalty-agent: another agent runs on ")
    assert "Traceback" not in second.stderr
    assert shop.agent.till().status().head_seq >= 1, "the first agent is untouched"


def test_tcp_where_there_is_no_unix_socket(tmp_path: Path) -> None:
    central, agent = CentralProcess(tmp_path / "central"), AgentProcess(tmp_path / "agent")
    try:
        central.initialise({"format": "loyalty-programme-1", "name": "T", "version": 1, "currency": "EUR"})
        central.start()
        agent.enrol(central, "till-1")
        file = agent.folder / "agent.toml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("[local_api]\n", '[local_api]\nlisten = "127.0.0.1:0"\n'), encoding="utf-8")
        agent.start()
        assert agent.address.startswith("http://127.0.0.1:")
        assert agent.till().record_sale(BASKET, "0001", CASH).points_earned == 0

        taken = agent.address.rpartition(":")[2]
        other = AgentProcess(tmp_path / "other")
        other.enrol(central, "till-2")
        text = file.read_text(encoding="utf-8").replace("127.0.0.1:0", f"127.0.0.1:{taken}")
        (other.folder / "agent.toml").write_text(text, encoding="utf-8")
        done = other.command("run")
        assert done.returncode == 2
        assert f"127.0.0.1:{taken} cannot be listened on" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    finally:
        agent.close()
        central.close()
