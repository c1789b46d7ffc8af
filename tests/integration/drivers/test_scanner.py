"""A scanner on a real serial line: a pseudo-terminal read through pyserial."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.scanner.events import ScanEvent, ScannerEvent, ScannerStatusEvent
from drivers.scanner.reader import ScannerReader
from drivers.scanner.serial_port import SerialPort
from drivers.scanner.settings import ScannerSettings
from drivers.scanner.symbology import Symbology
from drivers.scanner.twin import ScannerTwin
from drivers.state import DeviceState
from tests.integration.drivers.waiting import wait_until

Start = Callable[..., ScannerReader]


class Listener:
    """Collects events and tells scans from statuses."""

    def __init__(self) -> None:
        self.events: list[ScannerEvent] = []

    def __call__(self, event: ScannerEvent) -> None:
        self.events.append(event)

    def scans(self) -> list[str]:
        return [event.data for event in self.events if isinstance(event, ScanEvent)]

    def states(self) -> list[DeviceState]:
        return [event.state for event in self.events if isinstance(event, ScannerStatusEvent)]

    def await_scans(self, *expected: str) -> None:
        wait_until(lambda: len(self.scans()) >= len(expected), f"scans {expected}, have {self.events}")
        assert self.scans() == list(expected)

    def await_states(self, *expected: DeviceState) -> None:
        wait_until(lambda: len(self.states()) >= len(expected), f"states {expected}, have {self.events}")
        assert self.states() == list(expected)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[ScannerTwin]:
    with ScannerTwin(link=tmp_path / "usb-Scanner-if00") as twin:
        yield twin


@pytest.fixture
def start(twin: ScannerTwin, listener: Listener) -> Iterator[Start]:
    readers: list[ScannerReader] = []

    def start_it(port: str | None = None, **settings: int | bytes | None) -> ScannerReader:
        chosen = ScannerSettings(
            name="front",
            port=port or twin.path,
            reopen_first_s=0.01,
            reopen_limit_s=0.05,
            **settings,  # type: ignore[arg-type]  # The tests name real fields.
        )
        reader = ScannerReader(chosen, listener, clock=SystemClock(), random=lambda: 0.5)
        readers.append(reader)
        reader.start()
        return reader

    yield start_it
    for reader in readers:
        reader.stop()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_scanner_06_and_08_bytes_on_the_line_become_one_event_that_keeps_them(
    twin: ScannerTwin, start: Start, listener: Listener
) -> None:
    start()
    listener.await_states(DeviceState.ONLINE)
    twin.scan(b"]E04006381333931", suffix=b"\r\n")
    listener.await_scans("4006381333931")
    event = listener.events[-1]
    assert isinstance(event, ScanEvent)
    assert (event.scanner, event.raw, event.symbology) == ("front", b"]E04006381333931", Symbology.EAN13)
    assert event.received_at.utcoffset() is not None


def test_scanner_02_a_scan_in_pieces_is_one_scan(twin: ScannerTwin, start: Start, listener: Listener) -> None:
    start(idle_gap_ms=2000)
    listener.await_states(DeviceState.ONLINE)
    twin.scan("MEMBER-0001", splits=(1, 4, 11), pause_s=0.02)
    twin.scan("MEMBER-0002", suffix=b"\n")
    listener.await_scans("MEMBER-0001", "MEMBER-0002")


def test_scanner_01_silence_ends_a_scan_without_a_suffix(twin: ScannerTwin, start: Start, listener: Listener) -> None:
    start(idle_gap_ms=40)
    listener.await_states(DeviceState.ONLINE)
    twin.scan("MEMBER-0001", suffix=b"")
    listener.await_scans("MEMBER-0001")


def test_scanner_09_a_repeated_code_is_one_event(twin: ScannerTwin, start: Start, listener: Listener) -> None:
    start(duplicate_window_ms=60_000)
    listener.await_states(DeviceState.ONLINE)
    for code in ("A", "A", "B", "A", "C"):
        twin.scan(code)
    listener.await_scans("A", "B", "C")


def test_scanner_11_a_flood_is_dropped_and_the_next_scan_comes_through(
    twin: ScannerTwin, start: Start, listener: Listener
) -> None:
    reader = start(frame_bytes_max=100, idle_gap_ms=None)
    listener.await_states(DeviceState.ONLINE)
    twin.send(b"\xff\xfe" * 20_000 + b"\r")
    twin.scan("MEMBER-0001")
    listener.await_scans("MEMBER-0001")
    assert reader.dropped_frames == 1


def test_scanner_03_an_unplug_in_mid_frame_drops_the_partial_and_says_offline_once(
    twin: ScannerTwin, start: Start, listener: Listener
) -> None:
    reader = start(idle_gap_ms=None)
    listener.await_states(DeviceState.ONLINE)
    twin.send(b"MEMBER-00")
    twin.unplug()
    listener.await_states(DeviceState.ONLINE, DeviceState.OFFLINE)
    wait_until(lambda: "does not exist" in (reader.status.reason if reader.status else ""), "attempts to reopen")
    assert listener.scans() == []
    assert listener.states() == [DeviceState.ONLINE, DeviceState.OFFLINE]


def test_scanner_04_a_scanner_that_comes_back_is_read_again_under_its_stable_path(
    twin: ScannerTwin, start: Start, listener: Listener
) -> None:
    start(idle_gap_ms=None)
    listener.await_states(DeviceState.ONLINE)
    twin.send(b"MEMBER-00")
    twin.unplug()
    listener.await_states(DeviceState.ONLINE, DeviceState.OFFLINE)
    twin.plug_in()
    listener.await_states(DeviceState.ONLINE, DeviceState.OFFLINE, DeviceState.ONLINE)
    twin.scan("MEMBER-0002")
    listener.await_scans("MEMBER-0002")


def test_scanner_04_unplugging_again_and_again_leaks_no_descriptor(
    twin: ScannerTwin, start: Start, listener: Listener
) -> None:
    reader = start()
    listener.await_states(DeviceState.ONLINE)
    before = open_descriptors()
    for round_number in range(1, 6):
        twin.unplug()
        listener.await_states(*[DeviceState.ONLINE, DeviceState.OFFLINE] * round_number)
        twin.plug_in()
        listener.await_states(*[DeviceState.ONLINE, DeviceState.OFFLINE] * round_number, DeviceState.ONLINE)
    assert open_descriptors() == before
    reader.stop()
    assert open_descriptors() < before


def test_a_missing_port_is_offline_with_its_remedy(start: Start, listener: Listener, tmp_path: Path) -> None:
    start(port=str(tmp_path / "ttyNONE"))
    listener.await_states(DeviceState.OFFLINE)
    status = listener.events[0]
    assert isinstance(status, ScannerStatusEvent)
    assert "ttyNONE does not exist: plug the device in" in status.reason


def test_scanner_05_a_port_that_is_taken_says_so(twin: ScannerTwin, start: Start, listener: Listener) -> None:
    holder = SerialPort(ScannerSettings(name="other", port=twin.path))
    try:
        start()
        listener.await_states(DeviceState.OFFLINE)
        status = listener.events[0]
        assert isinstance(status, ScannerStatusEvent)
        assert "in use by another program" in status.reason
    finally:
        holder.close()
    listener.await_states(DeviceState.OFFLINE, DeviceState.ONLINE)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_serial_port_is_named(kind: str, start: Start, listener: Listener, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    start(port=str(tmp_path / kind))
    listener.await_states(DeviceState.OFFLINE)
    status = listener.events[0]
    assert isinstance(status, ScannerStatusEvent)
    assert "correct the configured port" in status.reason


def test_a_listener_that_fails_costs_one_event_and_not_the_reader(
    twin: ScannerTwin, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def listen(event: ScannerEvent) -> None:
        if isinstance(event, ScanEvent):
            heard.append(event.data)
            if event.data == "bad":
                raise RuntimeError("listener")

    settings = ScannerSettings(name="front", port=twin.path)
    reader = ScannerReader(settings, listen, clock=SystemClock(), random=lambda: 0.5)
    reader.start()
    wait_until(lambda: reader.status is not None, "an open port")
    twin.scan("bad")
    twin.scan("good")
    wait_until(lambda: heard == ["bad", "good"], "both scans")
    reader.stop()
    assert "its listener failed" in caplog.text


def test_stop_ends_the_thread_and_may_come_twice(twin: ScannerTwin, start: Start, listener: Listener) -> None:
    reader = start()
    listener.await_states(DeviceState.ONLINE)
    reader.stop()
    reader.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "scanner-front"]


def test_two_scanners_do_not_mix(twin: ScannerTwin, start: Start, listener: Listener) -> None:
    with ScannerTwin() as second:
        start()
        start(port=second.path)
        listener.await_states(DeviceState.ONLINE, DeviceState.ONLINE)
        for number in range(10):
            twin.scan(f"front-{number}", splits=(3,))
            second.scan(f"back-{number}", splits=(2,))
        wait_until(lambda: len(listener.scans()) == 20, "twenty scans")
        assert [code for code in listener.scans() if code.startswith("b")] == [f"back-{n}" for n in range(10)]
        assert [code for code in listener.scans() if code.startswith("f")] == [f"front-{n}" for n in range(10)]
