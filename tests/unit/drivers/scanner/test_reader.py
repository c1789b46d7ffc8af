"""What the reader makes of the exceptions and the silence of a port, with a port that is told what to do."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from drivers.errors import DeviceLost, DeviceUnavailable
from drivers.scanner.events import ScanEvent, ScannerEvent, ScannerStatusEvent
from drivers.scanner.reader import ScannerReader
from drivers.scanner.serial_port import ScannerPort
from drivers.scanner.settings import ScannerSettings

SETTINGS = ScannerSettings(name="front", port="/dev/scanner", reopen_first_s=0.001, reopen_limit_s=0.001)
Step = bytes | Exception | float


class ScriptedClock:
    """Time that moves only when the script says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 3, 14, tzinfo=UTC)


class ScriptedPort:
    """A port that reads what its script holds; a number lets time pass in silence."""

    read_timeout_s = 0.05

    def __init__(self, script: Iterable[Step], clock: ScriptedClock, done: threading.Event) -> None:
        self._script = iter(script)
        self._clock = clock
        self._done = done
        self.closed = False

    def read(self) -> bytes:
        step = next(self._script, None)
        if step is None:
            self._done.set()
            raise DeviceLost("the script is over")
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            self._clock.seconds += step
            return b""
        return step

    def write(self, data: bytes) -> None:
        raise AssertionError("a plain scanner is never written to")

    def close(self) -> None:
        self.closed = True


def run(*scripts: list[Step]) -> tuple[list[ScannerEvent], list[bool]]:
    """Play one script for each opening; return the events, and whether every earlier port was closed at each."""
    clock, done = ScriptedClock(), threading.Event()
    events: list[ScannerEvent] = []
    ports: list[ScriptedPort] = []
    closed_before: list[bool] = []

    def open_next(settings: ScannerSettings) -> ScannerPort:
        closed_before.append(all(port.closed for port in ports))
        if len(ports) == len(scripts):
            done.set()
            raise DeviceUnavailable("gone for good")
        last = len(ports) == len(scripts) - 1
        ports.append(ScriptedPort(scripts[len(ports)], clock, done if last else threading.Event()))
        return ports[-1]

    reader = ScannerReader(SETTINGS, events.append, clock=clock, random=lambda: 0.0, open_port=open_next)
    reader.start()
    assert done.wait(20)
    reader.stop()
    return events, closed_before


def scans(events: list[ScannerEvent]) -> list[str]:
    return [event.data for event in events if isinstance(event, ScanEvent)]


def states(events: list[ScannerEvent]) -> list[str]:
    return [event.state.name for event in events if isinstance(event, ScannerStatusEvent)]


def test_scanner_03_and_04_a_lost_port_is_closed_before_it_is_opened_again_and_its_partial_is_gone() -> None:
    events, closed_before = run([b"12", DeviceLost("unplugged")], [b"34\r"])
    assert scans(events) == ["34"]
    assert states(events)[:3] == ["ONLINE", "OFFLINE", "ONLINE"]
    assert all(closed_before)


def test_only_silence_that_was_listened_to_is_a_gap() -> None:
    # Three hours pass inside of one read: the thread was kept from running, the line was not silent.
    events, _ = run([b"12", 10_000.0, b"34\r"])
    assert scans(events) == ["1234"]


def test_silence_read_by_read_is_a_gap() -> None:
    events, _ = run([b"12", 0.05, 0.05, b"34\r"])
    assert scans(events) == ["12", "34"]


def test_an_unexpected_failure_is_logged_and_the_port_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    events, _ = run([RuntimeError("a bug")], [b"34\r"])
    assert scans(events) == ["34"]
    assert states(events)[:3] == ["ONLINE", "OFFLINE", "ONLINE"]
    assert "unexpected failure" in caplog.text


def test_a_port_that_stays_away_is_one_offline_event() -> None:
    events, attempts = run([DeviceLost("unplugged")])
    assert states(events) == ["ONLINE", "OFFLINE"]
    assert len(attempts) >= 2
