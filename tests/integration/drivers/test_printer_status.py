"""A printer whose status is watched: cover, paper and power are told as they change, and jobs wait for them."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.printer.document import Cut, Document, TextLine
from drivers.printer.events import PrinterStatusEvent
from drivers.printer.models import printer_model
from drivers.printer.profile import PrinterProfile
from drivers.printer.render import render_document
from drivers.printer.spool import JobState
from drivers.printer.status import PrinterCondition
from drivers.printer.twin import PrinterTwin, SerialPrinterTwin, TwinDialect
from drivers.state import DeviceState
from tests.integration.drivers.conftest import PrinterBench
from tests.integration.drivers.waiting import wait_until

OPEN, OK = PrinterCondition.COVER_OPEN, PrinterCondition.COVER_OK
EMPTY, NEAR, PAPER = PrinterCondition.REC_EMPTY, PrinterCondition.REC_NEAREMPTY, PrinterCondition.REC_PAPEROK

# A machine under load may be slow to answer: a test that waits for an event must not see the printer go.
PATIENT: dict[str, Any] = {"status_interval_s": 0.02, "status_timeout_s": 20.0}
MODELS = ("epson-tm-t88", "bematech-mp-4200", "star-tsp650", "star-tsp100")
WIRES = ("tcp", "serial")

Make = Callable[[str, str], PrinterBench]


def profile_of(model: str) -> PrinterProfile:
    return printer_model(model).profile()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A bench with a twin of one model on one wire."""
    benches: list[PrinterBench] = []

    def make_it(model: str, wire: str) -> PrinterBench:
        dialect: TwinDialect = "star" if model.startswith("star") else "escpos"
        twin = PrinterTwin(dialect=dialect) if wire == "tcp" else SerialPrinterTwin(dialect=dialect)
        benches.append(PrinterBench(tmp_path / f"{model}-{wire}.db", twin))
        return benches[-1]

    yield make_it
    for bench in benches:
        bench.close()
        bench.twin.close()


def receipt(name: str, model: str) -> bytes:
    return render_document(Document(elements=(TextLine(text=f"receipt {name}"), Cut())), profile_of(model))


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("model", MODELS)
def test_cover_and_paper_are_told_and_a_job_waits_for_them(model: str, wire: str, make: Make) -> None:
    bench = make(model, wire)
    printer = bench.start(profile=profile_of(model), **PATIENT)
    bench.await_states(DeviceState.ONLINE)
    bench.twin.set_cover_open(True)
    bench.await_conditions(OPEN)
    printer.submit("sale-1", receipt("1", model))
    assert printer.conditions == {OPEN}
    assert printer.status is not None
    assert "close it" in printer.status.reason
    bench.twin.set_paper_near_end(True)
    bench.await_conditions(OPEN, NEAR)
    assert bench.job("sale-1").state is JobState.QUEUED
    bench.twin.set_cover_open(False)
    bench.await_conditions(OPEN, NEAR, OK)
    bench.await_job("sale-1", JobState.PRINTED)
    bench.twin.set_paper_out(True)
    bench.await_conditions(OPEN, NEAR, OK, EMPTY)
    bench.twin.set_paper_near_end(False)
    bench.twin.set_paper_out(False)
    wait_until(lambda: bench.conditions()[-1] is PAPER, "the new roll")
    wait_until(lambda: not printer.conditions, "the end of all trouble")
    assert bench.states() == [DeviceState.ONLINE]
    assert bench.twin.receipts_cut == 1
    assert bench.twin.strange == []


@pytest.mark.parametrize("model", MODELS)
def test_escpos_08_jobs_are_confirmed_one_by_one_on_a_connection_that_is_held(model: str, make: Make) -> None:
    bench = make(model, "tcp")
    printer = bench.start(profile=profile_of(model), **PATIENT)
    for number in range(35):  # More than Star's counter holds.
        printer.submit(f"sale-{number}", receipt(str(number), model))
    bench.await_job("sale-34", JobState.PRINTED)
    assert bench.twin.receipts_cut == 35
    assert {state for _, state in bench.jobs()} == {JobState.PRINTED}


@pytest.mark.parametrize("model", ["epson-tm-t88", "star-tsp650"])
def test_paper_that_runs_out_in_a_receipt_is_waited_for_and_the_job_is_confirmed(model: str, make: Make) -> None:
    bench = make(model, "tcp")
    bench.twin.delay_s = 0.3
    printer = bench.start(profile=profile_of(model), confirm_timeout_s=2.0, **PATIENT)
    bench.await_states(DeviceState.ONLINE)
    printer.submit("sale-1", receipt("1", model))
    wait_until(lambda: bench.job("sale-1").state is JobState.SENT, "the job to leave")
    bench.twin.set_paper_out(True)
    bench.twin.delay_s = 0.0
    bench.await_conditions(EMPTY)
    bench.twin.set_paper_out(False)
    bench.await_job("sale-1", JobState.PRINTED)
    assert bench.twin.receipts_cut == 1


@pytest.mark.parametrize(("wire", "timeout_s"), [("tcp", 20.0), ("serial", 0.5)])
def test_a_printer_that_is_switched_off_is_told_and_found_again(wire: str, timeout_s: float, make: Make) -> None:
    bench = make("epson-tm-t88", wire)
    bench.twin.set_cover_open(True)
    times: dict[str, Any] = {"status_interval_s": 0.02, "status_timeout_s": timeout_s, "connect_timeout_s": 0.5}
    printer = bench.start(profile=profile_of("epson-tm-t88"), **times)
    bench.await_conditions(OPEN)
    bench.twin.power_off()
    wait_until(lambda: bench.states()[-1] is DeviceState.OFFLINE, "the printer to go")
    assert printer.conditions == frozenset()
    lost = next(event for event in reversed(bench.events) if isinstance(event, PrinterStatusEvent))
    assert not {"job", "paper"} & set(lost.reason.split()), "nothing was being printed"
    bench.twin.set_cover_open(False)
    bench.twin.power_on()
    wait_until(lambda: bench.states()[-1] is DeviceState.ONLINE, "the printer to come back")
    bench.await_conditions(OPEN, OK)


@pytest.mark.parametrize("model", MODELS)
def test_escpos_06_a_printer_that_falls_silent_on_an_open_connection_is_offline(model: str, make: Make) -> None:
    bench = make(model, "tcp")
    printer = bench.start(profile=profile_of(model), status_interval_s=0.02, status_timeout_s=0.5)
    bench.await_states(DeviceState.ONLINE)
    bench.twin.answering = False
    wait_until(lambda: bench.states()[-1] is DeviceState.OFFLINE, "the silence to be told")
    printer.submit("sale-1", receipt("1", model))
    bench.twin.answering = True
    bench.await_job("sale-1", JobState.PRINTED)
    assert bench.twin.receipts_cut == 1


def test_a_job_that_waits_too_long_under_an_open_cover_fails(make: Make) -> None:
    bench = make("epson-tm-t88", "tcp")
    bench.twin.set_cover_open(True)
    bench.start(profile=profile_of("epson-tm-t88"), queue_age_s_max=0.05, **PATIENT).submit("sale-1", b"x")
    assert "print a copy" in bench.await_job("sale-1", JobState.FAILED).reason


def test_stopping_a_printer_that_is_held_is_quick_and_leaves_no_thread(make: Make) -> None:
    bench = make("epson-tm-t88", "serial")
    printer = bench.start(profile=profile_of("epson-tm-t88"), **PATIENT)
    bench.await_states(DeviceState.ONLINE)
    printer.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "printer-front"]


def test_a_connection_that_breaks_while_it_is_held_loses_no_job(make: Make) -> None:
    bench = make("epson-tm-t88", "tcp")
    printer = bench.start(profile=profile_of("epson-tm-t88"), **PATIENT)
    bench.await_states(DeviceState.ONLINE)
    for number in range(5):
        bench.twin.power_off()
        printer.submit(f"sale-{number}", receipt(str(number), "epson-tm-t88"))
        bench.twin.power_on()
        wait_until(lambda: bench.job(f"sale-{number}").settled_at is not None, "the end of the job")  # noqa: B023 -- waited for at once
    states = [bench.job(f"sale-{number}").state for number in range(5)]
    assert set(states) <= {JobState.PRINTED, JobState.UNKNOWN}
    assert bench.twin.receipts_cut <= 5
    assert states.count(JobState.PRINTED) <= bench.twin.receipts_cut
