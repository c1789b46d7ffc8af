"""Printer twins, spools and printers that are stopped and closed whatever a test does."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import SystemClock
from drivers.printer.events import PrinterConditionEvent, PrinterEvent, PrinterStatusEvent, PrintJobEvent
from drivers.printer.printer import Printer
from drivers.printer.profile import PrinterProfile
from drivers.printer.settings import PrinterSettings
from drivers.printer.spool import Job, JobState, Spool
from drivers.printer.status import PrinterCondition
from drivers.printer.twin import PrinterTwin, SerialPrinterTwin
from drivers.state import DeviceState
from tests.integration.drivers.waiting import wait_until


class PrinterBench:
    """One printer on one twin, with what it told."""

    def __init__(self, spool_path: Path, twin: PrinterTwin | SerialPrinterTwin) -> None:
        self.twin = twin
        self.events: list[PrinterEvent] = []
        self.spool = Spool(spool_path, now=SystemClock().now)
        self.printer: Printer | None = None

    def start(self, confirm: str = "process_id", **settings: Any) -> Printer:
        chosen: dict[str, object] = {
            "name": "front",
            **self._reached(),
            "profile": PrinterProfile(confirm=confirm),  # type: ignore[arg-type]  # The tests name real methods.
            "reconnect_first_s": 0.01,
            "reconnect_limit_s": 0.05,
        }
        self.printer = Printer(
            PrinterSettings(**(chosen | settings)),  # type: ignore[arg-type]  # The tests name real fields.
            self.spool,
            self.events.append,
            clock=SystemClock(),
            random=lambda: 0.5,
        )
        self.printer.start()
        return self.printer

    def _reached(self) -> dict[str, object]:
        if isinstance(self.twin, PrinterTwin):
            return {"transport": "tcp", "address": self.twin.address}
        return {"transport": "serial", "address": self.twin.path}

    def conditions(self) -> list[PrinterCondition]:
        return [event.condition for event in self.events if isinstance(event, PrinterConditionEvent)]

    def states(self) -> list[DeviceState]:
        return [event.state for event in self.events if isinstance(event, PrinterStatusEvent)]

    def jobs(self) -> list[tuple[str, JobState]]:
        return [(event.reference, event.state) for event in self.events if isinstance(event, PrintJobEvent)]

    def job(self, reference: str) -> Job:
        job = self.spool.job(reference)
        assert job is not None
        return job

    def await_job(self, reference: str, state: JobState) -> Job:
        wait_until(lambda: (reference, state) in self.jobs(), f"{reference} {state}, have {self.events}")
        assert self.job(reference).state is state
        return self.job(reference)

    def await_conditions(self, *expected: PrinterCondition) -> None:
        wait_until(lambda: len(self.conditions()) >= len(expected), f"conditions {expected}, have {self.events}")
        assert self.conditions() == list(expected)

    def await_states(self, *expected: DeviceState) -> None:
        wait_until(lambda: len(self.states()) >= len(expected), f"states {expected}, have {self.events}")
        assert self.states()[: len(expected)] == list(expected)

    def close(self) -> None:
        if self.printer is not None:
            self.printer.stop()
        self.spool.close()


@pytest.fixture
def printer_twin() -> Iterator[PrinterTwin]:
    with PrinterTwin() as twin:
        yield twin


@pytest.fixture
def bench(tmp_path: Path, printer_twin: PrinterTwin) -> Iterator[PrinterBench]:
    bench = PrinterBench(tmp_path / "spool.db", printer_twin)
    yield bench
    bench.close()


@pytest.fixture
def receipt() -> Callable[[str], bytes]:
    """The bytes of a small receipt that names its job."""
    return lambda name: b"\x1b@\x1bt\x13receipt " + name.encode() + b"\n\x1dV\x00"
