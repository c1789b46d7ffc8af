"""A scanner that speaks SSI on a real serial line: damage, answers that are lost, commands, and the plug pulled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.errors import CommandRefused, DeviceUnavailable
from drivers.scanner.events import ScanEvent, ScannerEvent
from drivers.scanner.protocol import ScannerCommand
from drivers.scanner.reader import ScannerReader
from drivers.scanner.settings import ScannerSettings
from drivers.scanner.ssi_twin import SsiScannerTwin
from drivers.scanner.symbology import Symbology
from drivers.scanner.twin import ScannerTwin
from drivers.state import DeviceState
from tests.integration.drivers.waiting import wait_until

TIMEOUT_S = 30


class Bench:
    """A twin and the reader at its line."""

    def __init__(self, twin: ScannerTwin, **settings: object) -> None:
        self.twin = twin
        self.scans: list[ScanEvent] = []
        chosen: dict[str, object] = {"name": "front", "port": twin.path, "protocol": "ssi", "idle_gap_ms": 20}
        chosen |= {"duplicate_window_ms": 0, "reopen_first_s": 0.01, "reopen_limit_s": 0.05} | settings
        self.reader = ScannerReader(
            ScannerSettings(**chosen),  # type: ignore[arg-type]  # The tests name real fields.
            self.hear,
            clock=SystemClock(),
            random=lambda: 0.5,
        )
        self.reader.start()
        self.await_state(DeviceState.ONLINE)

    def hear(self, event: ScannerEvent) -> None:
        if isinstance(event, ScanEvent):
            self.scans.append(event)

    def codes(self) -> list[str]:
        return [scan.data for scan in self.scans]

    def await_state(self, state: DeviceState) -> None:
        wait_until(lambda: self.reader.status is not None and self.reader.status.state is state, f"{state}")


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[SsiScannerTwin]:
    with SsiScannerTwin(tmp_path / "usb-Zebra-if00", answer_s=5.0) as twin:
        yield twin


@pytest.fixture
def bench(twin: SsiScannerTwin) -> Iterator[Bench]:
    bench = Bench(twin)
    yield bench
    bench.reader.stop()


def test_a_packet_becomes_a_scan_with_what_the_scanner_told_of_it(twin: SsiScannerTwin, bench: Bench) -> None:
    assert twin.scan_code(b"4006381333931", kind=0x0B)
    assert twin.scan_code("]Q1João".encode(), kind=0x1C)
    assert bench.codes() == ["4006381333931", "João"]
    assert [scan.symbology for scan in bench.scans] == [Symbology.EAN13, Symbology.QRCODE]
    assert twin.packets_sent == 2


def test_scanner_10_a_damaged_packet_is_asked_for_again(twin: SsiScannerTwin, bench: Bench) -> None:
    twin.damaged = 2
    assert twin.scan_code(b"4711")
    assert bench.codes() == ["4711"]
    assert twin.packets_sent == 3


def test_scanner_10_an_answer_that_is_lost_makes_no_second_scan(twin: SsiScannerTwin, bench: Bench) -> None:
    twin.deaf, twin.answer_s = 1, 1.0
    assert twin.scan_code(b"4711")
    twin.answer_s = 5.0
    assert twin.scan_code(b"4712")
    assert bench.codes() == ["4711", "4712"]


def test_a_code_of_several_packets_is_one_scan(twin: SsiScannerTwin, bench: Bench) -> None:
    code = bytes(range(0x20, 0x7F)) * 8
    twin.damaged = 1
    assert twin.scan_code(code, kind=0x1C)
    assert bench.codes() == [code.decode()]


def test_scanner_03_an_unplug_between_two_packets_leaves_nothing_behind(twin: SsiScannerTwin, bench: Bench) -> None:
    assert twin._send_until_taken(b"\x1cHEAD", 0x02, False)
    twin.unplug()
    bench.await_state(DeviceState.OFFLINE)
    twin.plug_in()
    bench.await_state(DeviceState.ONLINE)
    assert twin.scan_code(b"4711", kind=0x1C)
    assert bench.codes() == ["4711"]


def test_commands_reach_the_scanner(twin: SsiScannerTwin, bench: Bench) -> None:
    for command in ScannerCommand:
        bench.reader.command(command).result(TIMEOUT_S)
    assert twin.commands == [command.value for command in ScannerCommand]


def test_a_command_that_the_scanner_refuses_says_so(twin: SsiScannerTwin, bench: Bench) -> None:
    twin.refused = {"beep"}
    with pytest.raises(CommandRefused, match="refused beep: see in its manual"):
        bench.reader.command(ScannerCommand.BEEP).result(TIMEOUT_S)


def test_a_scanner_that_was_disabled_is_disabled_again_when_it_comes_back(twin: SsiScannerTwin, bench: Bench) -> None:
    bench.reader.command(ScannerCommand.DISABLE).result(TIMEOUT_S)
    twin.unplug()
    bench.await_state(DeviceState.OFFLINE)
    twin.plug_in()
    wait_until(lambda: twin.commands == ["disable", "disable"], "the scanner disabled again")
    bench.reader.command(ScannerCommand.ENABLE).result(TIMEOUT_S)
    twin.unplug()
    bench.await_state(DeviceState.OFFLINE)
    twin.plug_in()
    bench.await_state(DeviceState.ONLINE)
    assert twin.scan_code(b"4711")
    assert twin.commands == ["disable", "disable", "enable"]


def test_commands_to_a_scanner_that_is_gone_end_at_once(twin: SsiScannerTwin, bench: Bench) -> None:
    twin.deaf = 100
    under_way = [bench.reader.command(ScannerCommand.BEEP) for _ in range(3)]
    twin.unplug()
    for future in under_way:
        with pytest.raises(DeviceUnavailable, match="front is offline"):
            future.result(TIMEOUT_S)
    bench.await_state(DeviceState.OFFLINE)
    with pytest.raises(DeviceUnavailable, match="front is offline"):
        bench.reader.command(ScannerCommand.BEEP).result(TIMEOUT_S)


def test_a_plain_scanner_refuses_commands_with_what_to_do(tmp_path: Path) -> None:
    with ScannerTwin() as plain:
        bench = Bench(plain, protocol="plain")
        with pytest.raises(CommandRefused, match='set protocol = "ssi"'):
            bench.reader.command(ScannerCommand.BEEP).result(TIMEOUT_S)
        plain.scan("4711")
        wait_until(lambda: bench.codes() == ["4711"], "scans after a refused command")
        bench.reader.stop()


def test_too_many_commands_are_refused_and_not_kept(twin: SsiScannerTwin, bench: Bench) -> None:
    twin.deaf = 100
    futures = [bench.reader.command(ScannerCommand.BEEP) for _ in range(12)]
    refused = [future for future in futures if future.done() and isinstance(future.exception(), CommandRefused)]
    assert len(refused) >= 3
    twin.unplug()
