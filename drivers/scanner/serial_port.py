"""The port that a scanner reader reads: its role, and the serial port that fills it.

Does not frame and does not reopen.
"""

from __future__ import annotations

from typing import Protocol

from drivers.ports import resolve
from drivers.scanner.settings import ScannerSettings
from drivers.serial_line import SerialLine

__all__ = ["ScannerPort", "SerialPort", "open_serial_port"]

_READ_TIMEOUT_S_MAX = 0.05
_WRITE_TIMEOUT_S = 1.0


class ScannerPort(Protocol):
    """An open port.

    `read` waits at most `read_timeout_s` seconds; it and `write` raise DeviceLost when the device is gone.
    """

    read_timeout_s: float

    def read(self) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SerialPort(SerialLine):
    """A serial port opened for one scanner.

    The read timeout is at most half of the idle gap, so that one late wake-up of the thread can never look
    like a gap. Raises DeviceUnavailable.
    """

    def __init__(self, settings: ScannerSettings) -> None:
        gap_s = _READ_TIMEOUT_S_MAX * 2 if settings.idle_gap_ms is None else settings.idle_gap_ms / 1000
        self.read_timeout_s = min(_READ_TIMEOUT_S_MAX, gap_s / 2)
        super().__init__(
            resolve(settings.port),
            baud_rate=settings.baud_rate,
            read_timeout_s=self.read_timeout_s,
            write_timeout_s=_WRITE_TIMEOUT_S,
        )


def open_serial_port(settings: ScannerSettings) -> ScannerPort:
    """Open the scanner's port, wherever its device is now. Raises DeviceUnavailable."""
    return SerialPort(settings)
