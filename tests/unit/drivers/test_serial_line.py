"""Everything that pyserial raises when a device goes away is DeviceLost or DeviceUnavailable."""

import errno
import termios
from pathlib import Path
from typing import Any

import pytest
import serial

from drivers.errors import DeviceLost, DeviceUnavailable
from drivers.serial_line import SerialLine

FAILURES = [
    serial.SerialException("device reports readiness to read but returned no data"),
    serial.SerialTimeoutException("Write timeout"),
    OSError(errno.EIO, "Input/output error"),
    termios.error(errno.EIO, "Input/output error"),
    TypeError("'NoneType' object cannot be interpreted as an integer"),
    ValueError("filedescriptor cannot be a negative integer (-1)"),
]


class FailingSerial:
    """A pyserial port on which one call fails."""

    def __init__(self, failing: str, failure: Exception) -> None:
        self._failing = failing
        self._failure = failure
        self.arguments: dict[str, Any] = {}

    def __call__(self, path: str, **arguments: Any) -> "FailingSerial":
        self.arguments = arguments
        self._fail("open")
        return self

    def _fail(self, call: str) -> None:
        if call == self._failing:
            raise self._failure

    def read(self, size: int) -> bytes:
        self._fail("read")
        return b"x" * size

    @property
    def in_waiting(self) -> int:
        self._fail("in_waiting")
        return 2

    def write(self, data: bytes) -> int:
        self._fail("write")
        return len(data)

    @property
    def out_waiting(self) -> int:
        self._fail("out_waiting")
        return 0

    def close(self) -> None:
        self._fail("close")


def line(monkeypatch: pytest.MonkeyPatch, failing: str, failure: Exception) -> SerialLine:
    monkeypatch.setattr(serial, "Serial", FailingSerial(failing, failure))
    return SerialLine("/dev/scanner", baud_rate=9600, read_timeout_s=0.05, write_timeout_s=1.0)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("call", ["read", "in_waiting"])
def test_scanner_04_every_failure_of_reading_is_device_lost(
    monkeypatch: pytest.MonkeyPatch, call: str, failure: Exception
) -> None:
    with pytest.raises(DeviceLost, match="check its cable"):
        line(monkeypatch, call, failure).read()
    with pytest.raises(DeviceLost, match="check its cable"):
        line(monkeypatch, call, failure).read_waiting()


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("call", ["write", "out_waiting"])
def test_scanner_04_every_failure_of_writing_is_device_lost(
    monkeypatch: pytest.MonkeyPatch, call: str, failure: Exception
) -> None:
    with pytest.raises(DeviceLost, match="check its cable"):
        line(monkeypatch, call, failure).write(b"x")


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_scanner_04_every_failure_of_opening_is_device_unavailable(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    with pytest.raises(DeviceUnavailable, match="configured port"):
        line(monkeypatch, "open", failure)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_scanner_04_closing_a_dead_device_fails_nobody(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    line(monkeypatch, "close", failure).close()


def test_scanner_05_ports_are_opened_exclusively_and_with_a_write_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FailingSerial("nothing", OSError())
    monkeypatch.setattr(serial, "Serial", fake)
    SerialLine("/dev/scanner", baud_rate=9600, read_timeout_s=0.05, write_timeout_s=1.0)
    assert fake.arguments["exclusive"] is True
    assert fake.arguments["write_timeout"] == 1.0


def test_a_port_without_rights_names_the_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="dialout"):
        line(monkeypatch, "open", serial.SerialException(errno.EACCES, "could not open port"))
