"""What a printer reports becomes what the POS of its registers hears."""

from pathlib import Path
from typing import Any, cast

from PIL import Image

from drivers.clock import SystemClock
from drivers.printer.document import Document, Logo, TextLine
from drivers.printer.events import PrinterConditionEvent, PrinterStatusEvent, PrintJobEvent
from drivers.printer.spool import Job, JobState, Spool
from drivers.printer.status import PrinterCondition
from drivers.state import DeviceState
from loyalty_sdk.model import PrinterStatus, PrinterStatusName
from terminal_agent.data_directory import DataDirectory
from terminal_agent.devices import Devices, printer_listener
from terminal_agent.events import EventHub
from terminal_agent.meaning import CodeRules, MeaningReader
from terminal_agent.scans import ScanDesk
from terminal_agent.settings import PrinterSection


class HeardHub:
    """A hub that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def printer_changed(self, *told: Any) -> None:
        self.heard.append(told)


def test_states_conditions_and_outcomes_are_told_in_the_words_of_unifiedpos(tmp_path: Path) -> None:
    section = PrinterSection(name="front", transport="file", address="paper", registers=("1", "2"))
    spool, hub, ended = Spool(tmp_path / "spool.db", now=SystemClock().now), HeardHub(), list[Job]()
    listener = printer_listener(section, spool, cast(EventHub, hub), ended.append)
    listener(PrinterStatusEvent(printer="front", state=DeviceState.OFFLINE, reason="switch it on"))
    listener(PrinterStatusEvent(printer="front", state=DeviceState.ONLINE))
    listener(PrinterConditionEvent(printer="front", condition=PrinterCondition.REC_EMPTY, reason="a new roll"))
    assert [status for _, status in hub.heard] == [
        PrinterStatus(printer="front", status="power_offline", code=2003, reason="switch it on"),
        PrinterStatus(printer="front", status="power_online", code=2001),
        PrinterStatus(printer="front", status="rec_empty", code=24, reason="a new roll"),
    ]
    assert {registers for registers, _ in hub.heard} == {("1", "2")}
    job = spool.submit("entry", b"x")
    spool.settle(job.number, JobState.FAILED, "too late")
    listener(PrintJobEvent(printer="front", reference="entry", state=JobState.FAILED, reason="too late"))
    listener(PrintJobEvent(printer="front", reference="long gone", state=JobState.PRINTED))
    assert [(one.number, one.state) for one in ended] == [(job.number, JobState.FAILED)]
    spool.close()


def test_a_logo_stands_above_the_receipts_and_one_that_cannot_be_read_costs_nothing_else(tmp_path: Path) -> None:
    Image.new("1", (16, 2)).save(tmp_path / "logo.png")
    (tmp_path / "text.png").write_text("no picture")
    names = {"good": "logo.png", "bad": "text.png", "gone": "gone.png", "plain": ""}
    made = Devices.build(
        directory=DataDirectory(tmp_path),
        scanners=(),
        printers=tuple(
            PrinterSection(name=name, transport="file", address=str(tmp_path / "paper"), logo=logo)
            for name, logo in names.items()
        ),
        desk=ScanDesk(MeaningReader(CodeRules()), SystemClock().now),
        hub=EventHub(),
        receipt_of=lambda reference: None,
        clock=SystemClock(),
        random=lambda: 0.5,
    )
    receipt = Document(elements=(TextLine(text="Olá"),))
    good, *others = made.printers.installed
    assert good.headed(receipt).elements == (Logo(width_dots=16, rows=b"\xff" * 4), *receipt.elements)
    assert [installed.headed(receipt) for installed in others] == [receipt] * 3
    troubles = [f"printer {name} prints no logo" for name in ("bad", "gone")]
    assert [trouble.partition(":")[0] for trouble in made.printers.troubles()] == troubles
    for installed in made.printers.installed:
        installed.spool.close()


def test_the_numbers_of_unifiedpos_are_the_same_in_driver_and_sdk() -> None:
    for condition in PrinterCondition:
        name: PrinterStatusName = condition.value
        assert PrinterStatus.of("front", name).code == condition.unifiedpos_code
    for state, power in ((DeviceState.ONLINE, "power_online"), (DeviceState.OFFLINE, "power_offline")):
        assert PrinterStatus.of("front", cast(PrinterStatusName, power)).code == state.unifiedpos_code
