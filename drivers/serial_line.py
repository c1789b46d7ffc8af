"""A serial port as the drivers use it: opened exclusively, every call bounded, every failure one of two errors.

Serves scanners and serial printers. Does not know what the bytes mean, and does not reopen: its owner does,
after closing this one, because a device that comes back while its old handle is open gets another name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from types import TracebackType
from typing import Literal, Self

import serial

from drivers.errors import DeviceLost, DeviceUnavailable

try:
    from termios import error as TermiosError  # noqa: N812 -- the standard library names it in lower case
except ImportError:  # No termios outside POSIX: then nothing raises its error either.
    TermiosError = OSError  # type: ignore[misc,assignment]  # The name must stand for some exception class.

__all__ = ["FlowControl", "SerialLine"]

FlowControl = Literal["none", "xonxoff", "rtscts", "dsrdtr"]

# What pyserial raises when a device goes away, by call: read and write SerialException (an OSError),
# in_waiting a bare OSError, flush and reset_input_buffer termios.error, a close during a read TypeError,
# select on a dead handle ValueError. They all say the same thing.
_FAILURES = (OSError, TermiosError, TypeError, ValueError)

_PLUG_IN = "plug the device in, or correct the configured port"
_OPEN_REMEDIES = {
    errno.ENOENT: f"does not exist: {_PLUG_IN} (a path in /dev/serial/by-id stays the same after replugging)",
    errno.ENODEV: f"has no device behind it: {_PLUG_IN}",
    errno.ENXIO: f"has no device behind it: {_PLUG_IN}",
    errno.EIO: f"has no device behind it: {_PLUG_IN}",
    errno.EACCES: "may not be opened by this user: add the user to the port's group, often dialout",
    errno.EAGAIN: "is in use by another program: stop that program, or correct the configured port",
    errno.EBUSY: "is in use by another program: stop that program, or correct the configured port",
    errno.ENOTTY: "is not a serial port: correct the configured port",
    errno.EISDIR: "is a folder and not a serial port: correct the configured port",
}


def _open_reason(path: str, error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number is None and os.path.exists(path):
        # A port without a number failed while it was being configured, as a plain file does.
        number = errno.ENOTTY
    otherwise = f"cannot be opened ({error}): check the device and the configured port"
    return f"serial port {path} {_OPEN_REMEDIES.get(number or 0, otherwise)}"


class SerialLine:
    """One open serial port; `read_timeout_s` bounds `read` and `write_timeout_s` bounds `write`, in seconds.

    It is opened exclusively, which keeps out other programs that ask for the same, and no others.
    Raises DeviceUnavailable when the port cannot be opened.
    """

    def __init__(
        self,
        path: str,
        *,
        baud_rate: int,
        read_timeout_s: float,
        write_timeout_s: float,
        flow_control: FlowControl = "none",
    ) -> None:
        self.path = path
        self._write_timeout_s = write_timeout_s
        try:
            self._serial = serial.Serial(
                path,
                baudrate=baud_rate,
                timeout=read_timeout_s,
                # None, the default, blocks for ever.
                write_timeout=write_timeout_s,
                exclusive=True,
                xonxoff=flow_control == "xonxoff",
                rtscts=flow_control == "rtscts",
                dsrdtr=flow_control == "dsrdtr",
            )
        except _FAILURES as error:
            raise DeviceUnavailable(_open_reason(path, error)) from error

    def read(self) -> bytes:
        """Return what has arrived, as soon as there is a byte; empty after a read timeout of silence.

        Raises DeviceLost.
        """
        try:
            first = self._serial.read(1)
            return first + self._serial.read(self._serial.in_waiting) if first else b""
        except _FAILURES as error:
            raise self._lost(error) from error

    def read_waiting(self) -> bytes:
        """Return what has arrived already, without waiting. Raises DeviceLost."""
        try:
            return self._serial.read(self._serial.in_waiting)
        except _FAILURES as error:
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        """Hand all of `data` over within the write timeout; wait as long again until the wire has taken it.

        Raises DeviceLost; then a part of it may have left.
        """
        try:
            self._serial.write(data)
            self._await_sent()
        except _FAILURES as error:
            raise self._lost(error) from error

    def _await_sent(self) -> None:
        # `flush` has no timeout and blocks for ever on a printer that stopped the flow: watch the queue instead.
        deadline_s = time.monotonic() + self._write_timeout_s
        while self._serial.out_waiting:
            if time.monotonic() >= deadline_s:
                raise serial.SerialTimeoutException("the device stopped taking bytes")
            time.sleep(0.005)

    def _lost(self, error: BaseException) -> DeviceLost:
        return DeviceLost(f"serial port {self.path} stopped working ({error}): check its cable and plug it in again")

    def close(self) -> None:
        """Give the port back; safe to call twice and on a device that is gone."""
        with contextlib.suppress(*_FAILURES):
            self._serial.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
