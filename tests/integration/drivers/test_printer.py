"""A printer on a real socket: sent once, confirmed or unknown, and waiting while it is off."""

import socket
import threading
from collections.abc import Callable

import pytest

from drivers.clock import SystemClock
from drivers.errors import DeviceUnavailable
from drivers.printer.document import Columns, Cut, Document, DrawerPulse, TextLine
from drivers.printer.printer import Printer
from drivers.printer.profile import PrinterProfile
from drivers.printer.render import render_document
from drivers.printer.settings import PrinterSettings
from drivers.printer.spool import JobState
from drivers.printer.transport import Connection, open_connection
from drivers.printer.twin import PrinterTwin, TwinFault
from drivers.state import DeviceState
from tests.integration.drivers.conftest import PrinterBench
from tests.integration.drivers.waiting import wait_until

Receipt = Callable[[str], bytes]


def test_a_document_is_printed_confirmed_and_opens_the_drawer(bench: PrinterBench) -> None:
    bench.start().submit(
        "sale-1",
        render_document(
            Document(elements=(TextLine(text="Olá João"), Columns(left="Saldo", right="5 €"), DrawerPulse(), Cut())),
            PrinterProfile(),
        ),
    )
    bench.await_job("sale-1", JobState.PRINTED)
    assert bench.twin.receipts() == ["Olá João\nSaldo" + " " * 34 + "5 €\n"]
    assert bench.twin.drawer_pulses == 1
    assert bench.twin.strange == []
    assert bench.states() == [DeviceState.ONLINE]


def test_jobs_are_printed_in_order_each_once(bench: PrinterBench, receipt: Receipt) -> None:
    printer = bench.start()
    for number in range(30):
        printer.submit(f"sale-{number}", receipt(str(number)))
        printer.submit(f"sale-{number}", receipt(str(number)))
    bench.await_job("sale-29", JobState.PRINTED)
    assert bench.twin.receipts() == [f"receipt {number}\n" for number in range(30)]


def test_without_confirmation_a_job_ends_as_sent(bench: PrinterBench, receipt: Receipt) -> None:
    bench.start("none").submit("sale-1", receipt("1"))
    job = bench.await_job("sale-1", JobState.SENT)
    assert job.settled_at is not None
    wait_until(lambda: bench.twin.receipts() == ["receipt 1\n"], "the receipt")


def test_escpos_08_paper_status_confirms_where_ids_are_missing(bench: PrinterBench, receipt: Receipt) -> None:
    bench.start("status").submit("sale-1", receipt("1"))
    bench.await_job("sale-1", JobState.PRINTED)


def test_escpos_08_a_paper_end_leaves_the_job_unknown(bench: PrinterBench, receipt: Receipt) -> None:
    bench.twin.set_paper_out(True)
    bench.start("status", confirm_timeout_s=0.2).submit("sale-1", receipt("1"))
    assert "look at the paper" in bench.await_job("sale-1", JobState.UNKNOWN).reason


def test_jobs_wait_while_the_printer_is_off_and_print_when_it_is_back(bench: PrinterBench, receipt: Receipt) -> None:
    bench.twin.power_off()
    printer = bench.start()
    bench.await_states(DeviceState.OFFLINE)
    for number in range(3):
        assert printer.submit(f"sale-{number}", receipt(str(number))).state is JobState.QUEUED
    assert printer.status is not None
    assert "switch it on" in printer.status.reason
    assert bench.spool.jobs_waiting() == 3
    bench.twin.power_on()
    bench.await_job("sale-2", JobState.PRINTED)
    assert bench.twin.receipts() == [f"receipt {number}\n" for number in range(3)]
    bench.await_states(DeviceState.OFFLINE, DeviceState.ONLINE)


def test_a_printer_that_comes_back_is_online_without_a_job(bench: PrinterBench) -> None:
    bench.twin.power_off()
    bench.start()
    bench.await_states(DeviceState.OFFLINE)
    bench.twin.power_on()
    bench.await_states(DeviceState.OFFLINE, DeviceState.ONLINE)


def test_escpos_09_silence_after_the_job_is_unknown_and_never_printed_again(
    bench: PrinterBench, receipt: Receipt
) -> None:
    printer = bench.start("status", confirm_timeout_s=0.05)
    bench.await_states(DeviceState.ONLINE)
    bench.twin.answering = False
    printer.submit("sale-1", receipt("1"))
    assert "look at the paper" in bench.await_job("sale-1", JobState.UNKNOWN).reason
    bench.twin.answering = True
    printer.submit("sale-1", receipt("1"))
    printer.submit("sale-2", receipt("2"))
    bench.await_job("sale-2", JobState.PRINTED)
    assert bench.twin.receipts() == ["receipt 1\n", "receipt 2\n"]


def test_a_printer_that_cannot_print_is_given_no_job(bench: PrinterBench, receipt: Receipt) -> None:
    bench.twin.printing = False
    printer = bench.start(connect_timeout_s=0.05)
    printer.submit("sale-1", receipt("1"))
    bench.await_states(DeviceState.OFFLINE)
    assert printer.status is not None
    assert "paper and its cover" in printer.status.reason
    assert bench.job("sale-1").state is JobState.QUEUED
    bench.twin.printing = True
    bench.await_job("sale-1", JobState.PRINTED)
    assert bench.twin.receipts() == ["receipt 1\n"]


def test_a_connection_that_breaks_in_mid_job_leaves_it_unknown(bench: PrinterBench, receipt: Receipt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[bytes] = []

        def take_a_bite_and_hang_up() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    taken.append(connection.recv(4))

        biter = threading.Thread(target=take_a_bite_and_hang_up)
        biter.start()
        port = server.getsockname()[1]
        bench.spool.submit("sale-1", receipt("1"))
        bench.start("status", address=f"127.0.0.1:{port}")
        reason = bench.await_job("sale-1", JobState.UNKNOWN).reason
        assert "look at the paper" in reason
        # The probe that asks whether it is back is the second to be hung up on.
        biter.join(20)
    assert taken[0] == b"\x1b@\x1bt"


def test_a_receipt_that_nobody_waits_for_any_more_fails(bench: PrinterBench, receipt: Receipt) -> None:
    bench.twin.power_off()
    bench.start(queue_age_s_max=0.02).submit("sale-1", receipt("1"))
    assert "print a copy" in bench.await_job("sale-1", JobState.FAILED).reason
    bench.twin.power_on()
    bench.await_states(DeviceState.OFFLINE, DeviceState.ONLINE)
    assert bench.twin.receipts() == []


def test_stopping_in_the_middle_of_a_confirmation_is_quick_and_unknown(bench: PrinterBench, receipt: Receipt) -> None:
    printer = bench.start("status", confirm_timeout_s=3600.0)
    bench.await_states(DeviceState.ONLINE)
    bench.twin.answering = False
    printer.submit("sale-1", receipt("1"))
    wait_until(lambda: bench.job("sale-1").state is JobState.SENT, "the job to leave")
    printer.stop()
    assert bench.job("sale-1").state is JobState.UNKNOWN
    assert not [thread for thread in threading.enumerate() if thread.name == "printer-front"]


@pytest.mark.parametrize("fault", [TwinFault.WRONG_ID, TwinFault.HALF_ANSWER, TwinFault.SILENT])
def test_escpos_08_an_answer_that_is_not_the_job_s_own_leaves_it_unknown(
    fault: TwinFault, bench: PrinterBench, receipt: Receipt
) -> None:
    bench.twin.fault = fault
    printer = bench.start(confirm_timeout_s=0.2)
    printer.submit("sale-1", receipt("1"))
    assert "look at the paper" in bench.await_job("sale-1", JobState.UNKNOWN).reason
    bench.twin.fault = TwinFault.NONE
    printer.submit("sale-2", receipt("2"))
    bench.await_job("sale-2", JobState.PRINTED)
    assert bench.twin.receipts() == ["receipt 1\n", "receipt 2\n"]


def test_a_slow_printer_is_waited_for(bench: PrinterBench, receipt: Receipt) -> None:
    bench.twin.delay_s = 0.3
    bench.start().submit("sale-1", receipt("1"))
    bench.await_job("sale-1", JobState.PRINTED)


def test_escpos_08_a_peer_that_never_reads_has_printed_nothing(bench: PrinterBench, receipt: Receipt) -> None:
    bench.twin.reading = False
    bench.start("status", confirm_timeout_s=0.2).submit("sale-1", receipt("1") * 200)
    bench.await_job("sale-1", JobState.UNKNOWN)
    assert bench.twin.receipts() == []


def test_a_job_that_is_cancelled_while_the_printer_is_made_ready_is_not_printed(
    bench: PrinterBench, receipt: Receipt
) -> None:
    bench.twin.delay_s = 0.2
    job = bench.spool.submit("sale-1", receipt("1"))
    printer = bench.start()
    bench.spool.settle(job.number, JobState.FAILED, "cancelled")
    bench.twin.delay_s = 0.0
    printer.submit("sale-2", receipt("2"))
    bench.await_job("sale-2", JobState.PRINTED)
    assert bench.twin.receipts() == ["receipt 2\n"]
    assert bench.states() == [DeviceState.ONLINE]


def test_a_job_that_is_cancelled_while_it_grows_too_old_takes_no_printer_away(
    bench: PrinterBench, receipt: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.spool.submit("sale-1", receipt("1"))
    settle = bench.spool.settle

    def cancelled_before(number: int, state: JobState, reason: str = "") -> None:
        if number == job.number:
            settle(number, JobState.FAILED, "cancelled")
        settle(number, state, reason)

    monkeypatch.setattr(bench.spool, "settle", cancelled_before)
    bench.start(queue_age_s_max=1e-6)
    wait_until(lambda: bench.states() == [DeviceState.ONLINE], f"the printer to be there, have {bench.events}")
    assert (bench.jobs(), bench.job("sale-1").reason) == ([], "cancelled")


class Recorder:
    """A connection that keeps what is sent, portion by portion."""

    def __init__(self, connection: Connection, sent: list[bytes]) -> None:
        self._connection = connection
        self._sent = sent

    def send(self, data: bytes) -> None:
        self._sent.append(data)
        self._connection.send(data)

    def receive(self, timeout_s: float) -> bytes:
        return self._connection.receive(timeout_s)

    def close(self) -> None:
        self._connection.close()


def test_escpos_05_a_receipt_is_sent_whole_and_once(bench: PrinterBench, receipt: Receipt) -> None:
    sent: list[bytes] = []
    assert isinstance(bench.twin, PrinterTwin)
    settings = PrinterSettings(
        name="front", transport="tcp", address=bench.twin.address, profile=PrinterProfile(confirm="status")
    )
    bench.printer = Printer(
        settings,
        bench.spool,
        bench.events.append,
        clock=SystemClock(),
        random=lambda: 0.5,
        connect=lambda chosen: Recorder(open_connection(chosen), sent),
    )
    bench.spool.submit("sale-1", receipt("1") * 50)
    bench.printer.start()
    bench.await_job("sale-1", JobState.PRINTED)
    assert sent == [receipt("1") * 50 + b"\x1dr1"]


def test_escpos_02_every_job_selects_its_page_after_its_reset_on_a_connection_of_its_own(bench: PrinterBench) -> None:
    printer = bench.start()
    document = Document(elements=(TextLine(text="João 5 €"), Cut()))
    for number, page in enumerate(("cp858", "cp1252", "cp860")):
        printer.submit(f"sale-{number}", render_document(document, PrinterProfile(code_page=page)))
        bench.await_job(f"sale-{number}", JobState.PRINTED)
    assert bench.twin.receipts() == ["João 5 €\n", "João 5 €\n", "João 5 EUR\n"]


def test_escpos_11_a_failed_open_fails_the_same_way_again_and_a_broken_socket_is_replaced(
    bench: PrinterBench, receipt: Receipt
) -> None:
    printer = bench.start("status")
    printer.submit("sale-1", receipt("1"))
    bench.await_job("sale-1", JobState.PRINTED)
    assert isinstance(bench.twin, PrinterTwin)
    bench.twin.power_off()
    settings = PrinterSettings(name="front", transport="tcp", address=bench.twin.address)
    for _ in range(2):
        with pytest.raises(DeviceUnavailable, match="switch it on"):
            open_connection(settings)
    bench.twin.power_on()
    printer.submit("sale-2", receipt("2"))
    bench.await_job("sale-2", JobState.PRINTED)
