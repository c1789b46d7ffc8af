"""The wire to a printer: a role, and what fills it. Every call is bounded. Knows nothing of what the bytes mean.

A connection serves one job and is closed: a socket that broke in between would swallow the next job without an
error, and a printer that serves one connection at a time serves every register in turn.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from drivers.errors import DeviceLost, DeviceUnavailable
from drivers.printer.settings import PrinterSettings, TransportName
from drivers.serial_line import SerialLine

__all__ = [
    "TRANSPORTS",
    "Connection",
    "DeviceConnection",
    "FileConnection",
    "SerialConnection",
    "TcpConnection",
    "UsbConnection",
    "open_connection",
]

_FAREWELL_S = 1.0
_READ_BYTES = 4096
_SERIAL_READ_TIMEOUT_S = 0.05
_USB_FILES = ("idVendor", "idProduct", "serial")


class Connection(Protocol):
    """An open way to the printer for one job."""

    def send(self, data: bytes) -> None:
        """Hand over all of `data` within the write timeout. Raises DeviceLost; then a part may have left."""
        ...

    def receive(self, timeout_s: float) -> bytes:
        """Return what the printer says within `timeout_s` seconds, or nothing; 0 does not wait. Raises DeviceLost."""
        ...

    def close(self) -> None:
        """Give the way back; safe to call twice."""
        ...


class TcpConnection:
    """A printer in the network (port 9100). Success of `send` proves nothing: nobody may be reading."""

    def __init__(self, settings: PrinterSettings) -> None:
        self._address = settings.address
        self._write_timeout_s = settings.write_timeout_s
        host, port = settings.host_and_port
        try:
            self._socket = socket.create_connection((host, port), timeout=settings.connect_timeout_s)
        except OSError as error:
            raise DeviceUnavailable(
                f"printer at {settings.address} does not answer ({error}): switch it on and check its network "
                "cable and the configured address"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(self._write_timeout_s)
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(error) from error

    def receive(self, timeout_s: float) -> bytes:
        try:
            self._socket.settimeout(max(timeout_s, 0.0))
            data = self._socket.recv(_READ_BYTES)
        except (TimeoutError, BlockingIOError):
            return b""
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost(ConnectionError("it closed the connection"))
        return data

    def _lost(self, error: OSError) -> DeviceLost:
        return DeviceLost(
            f"printer at {self._address} does not answer any more ({error}): check that it is switched on, and its "
            "network cable"
        )

    def close(self) -> None:
        # Closing on bytes that nobody read resets the connection, and the reset may overtake the job.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            deadline_s = time.monotonic() + _FAREWELL_S
            while (left_s := deadline_s - time.monotonic()) > 0:
                self._socket.settimeout(left_s)
                if not self._socket.recv(_READ_BYTES):
                    break
        self._socket.close()


class SerialConnection:
    """A printer on a serial port."""

    def __init__(self, settings: PrinterSettings) -> None:
        self._line = SerialLine(
            settings.address,
            baud_rate=settings.baud_rate,
            read_timeout_s=_SERIAL_READ_TIMEOUT_S,
            write_timeout_s=settings.write_timeout_s,
            flow_control=settings.flow_control,
        )

    def send(self, data: bytes) -> None:
        self._line.write(data)

    def receive(self, timeout_s: float) -> bytes:
        deadline_s = time.monotonic() + timeout_s
        data = self._line.read_waiting()
        while not data and time.monotonic() < deadline_s:
            data = self._line.read()
        return data

    def close(self) -> None:
        self._line.close()


class DeviceConnection:
    """A printer behind a device file such as /dev/usb/lp0."""

    def __init__(self, settings: PrinterSettings) -> None:
        self._path = settings.address
        self._write_timeout_s = settings.write_timeout_s
        self._descriptor: int | None = _open_device(self._path)

    def send(self, data: bytes) -> None:
        deadline_s = time.monotonic() + self._write_timeout_s
        rest = memoryview(data)
        try:
            while rest:
                if not self._wait(deadline_s - time.monotonic(), to_write=True):
                    raise TimeoutError(errno.ETIMEDOUT, "it stopped taking bytes")
                rest = rest[os.write(self._open_descriptor(), rest) :]
        except OSError as error:
            raise self._lost(error) from error

    def receive(self, timeout_s: float) -> bytes:
        try:
            if not self._wait(timeout_s, to_write=False):
                return b""
            data = os.read(self._open_descriptor(), _READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            # Some drivers call an empty buffer the end of the file; without a pause the caller would spin.
            time.sleep(min(max(timeout_s, 0.0), 0.05))
        return data

    def _wait(self, timeout_s: float, *, to_write: bool) -> bool:
        waiting = [self._open_descriptor()]
        readers, writers = ([], waiting) if to_write else (waiting, [])
        ready = select.select(readers, writers, [], max(timeout_s, 0.0))
        return bool(ready[0] or ready[1])

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise OSError(errno.EBADF, "the connection was closed")
        return self._descriptor

    def _lost(self, error: OSError) -> DeviceLost:
        return DeviceLost(
            f"printer {self._path} stopped working ({error}): check that it is switched on, and its cable"
        )

    def close(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


class UsbConnection(DeviceConnection):
    """A printer on USB, found by its ids at every opening, since its device file changes its number with a replug.

    It goes through the printer class driver of Linux (usblp) and needs no library. `sysfs` and `devices` are where
    the kernel shows devices and where their files are.
    """

    def __init__(
        self, settings: PrinterSettings, *, sysfs: Path = Path("/sys"), devices: Path = Path("/dev/usb")
    ) -> None:
        super().__init__(replace(settings, transport="device", address=_usb_node(settings, sysfs, devices)))


class FileConnection:
    """A file that takes the jobs one after the other, for tests and for programs that print by themselves."""

    def __init__(self, settings: PrinterSettings) -> None:
        self._path = settings.address
        try:
            self._file = open(self._path, "ab")  # noqa: SIM115 -- the connection owns it and closes it
        except OSError as error:
            raise DeviceUnavailable(
                f"file {self._path} cannot be written ({error}): correct the printer's address or the "
                "permissions of its folder"
            ) from error

    def send(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise DeviceLost(f"file {self._path} takes no more ({error}): free disk space") from error

    def receive(self, timeout_s: float) -> bytes:
        return b""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()


TRANSPORTS: Mapping[TransportName, Callable[[PrinterSettings], Connection]] = {
    "tcp": TcpConnection,
    "serial": SerialConnection,
    "usb": UsbConnection,
    "device": DeviceConnection,
    "file": FileConnection,
}


def open_connection(settings: PrinterSettings) -> Connection:
    """Open the way to the printer that its settings name. Raises DeviceUnavailable."""
    return TRANSPORTS[settings.transport](settings)


def _usb_node(settings: PrinterSettings, sysfs: Path, devices: Path) -> str:
    wanted = settings.usb_ids
    found = []
    for printer in sorted(sysfs.glob("class/usbmisc/lp*")):
        # `device` is the interface, and the device it belongs to is the folder above.
        ids = tuple(_sysfs_text((printer / "device").resolve().parent / name) for name in _USB_FILES)
        found.append(":".join(filter(None, ids)))
        if ids[:2] == wanted[:2] and wanted[2] in ("", ids[2]):
            return str(devices / printer.name)
    raise DeviceUnavailable(
        f"no USB printer {settings.address} is here (found: {', '.join(found) or 'none'}): plug it in, switch it on. "
        "If lsusb shows it, load the kernel module usblp, and take it from any other program that prints on it; "
        "outside Linux use the transport serial, tcp or device"
    )


def _sysfs_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _open_device(path: str) -> int:
    """Open a device file for both ways, or for writing where it cannot be read. Never creates a file."""
    try:
        if not stat.S_ISCHR(os.stat(path).st_mode):
            raise DeviceUnavailable(
                f"{path} is not a device: plug the printer in, or give the printer the transport file"
            )
        flags = os.O_NONBLOCK | os.O_NOCTTY
        try:
            return os.open(path, os.O_RDWR | flags)
        except PermissionError:
            return os.open(path, os.O_WRONLY | flags)
    except OSError as error:
        raise DeviceUnavailable(
            f"printer {path} cannot be opened ({error}): plug it in, switch it on, and add the user to the "
            "device's group, often lp"
        ) from error
