"""The serial ports of this machine: what hangs on them, and a name that survives replugging. Opens none of them.

The vendors' USB numbers are those that the makers registered with the USB Implementers Forum.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from drivers.errors import DeviceUnavailable, SettingsInvalid

__all__ = ["SCANNER_VENDORS", "USB_PREFIX", "Guess", "ListPorts", "Port", "check_port", "list_ports", "resolve"]

USB_PREFIX = "usb:"
STABLE_FOLDER = Path("/dev/serial/by-id")

Guess = Literal["scanner", "printer", "adapter", "unknown"]

SCANNER_VENDORS = {
    0x05E0: "Zebra, Symbol",
    0x05F9: "Datalogic, PSC",
    0x0C2E: "Honeywell, Metrologic",
    0x0536: "Hand Held Products",
    0x065A: "Opticon",
    0x1EAB: "Newland",
    0x080C: "Datalogic",
}
_PRINTER_VENDORS = {
    0x04B8: "Epson",
    0x0519: "Star",
    0x1D90: "Citizen",
    0x0DD4: "Custom",
    0x1504: "Bixolon",
}
_ADAPTER_VENDORS = {0x0403: "FTDI", 0x067B: "Prolific", 0x10C4: "Silicon Labs", 0x1A86: "WCH"}
_GUESSES: tuple[tuple[dict[int, str], Guess], ...] = (
    (SCANNER_VENDORS, "scanner"),
    (_PRINTER_VENDORS, "printer"),
    (_ADAPTER_VENDORS, "adapter"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One serial port; USB numbers are None where it is no USB device. `stable_port` is what to configure."""

    path: str
    stable_port: str
    vendor_id: int | None = None
    product_id: int | None = None
    serial_number: str = ""
    manufacturer: str = ""
    product: str = ""
    guess: Guess = "unknown"


ListPorts = Callable[[], Iterable[Any]]


def _comports() -> Iterable[Any]:
    from serial.tools.list_ports import comports

    return comports()


def list_ports(comports: ListPorts = _comports, stable_folder: Path = STABLE_FOLDER) -> tuple[Port, ...]:
    """Return the machine's serial ports by path.

    A device that goes while it is being looked at makes pyserial's list fail as a whole; it is then asked again.
    Raises DeviceUnavailable when it fails again and again.
    """
    reason: Exception | None = None
    for _ in range(3):
        try:
            found = list(comports())
        except Exception as error:  # Whatever it is, it is no reason for a till to stop (pyserial issue 774).
            reason = error
            continue
        links = _stable_links(stable_folder)
        return tuple(_port(info, links) for info in sorted(found, key=lambda info: str(info.device)))
    raise DeviceUnavailable(f"the serial ports could not be listed ({reason}): unplug what is half plugged in")


def resolve(port: str, comports: ListPorts = _comports) -> str:
    """Return the path that a configured port has now. Raises DeviceUnavailable."""
    if not port.startswith(USB_PREFIX):
        return port
    vendor_id, product_id, serial_number = _usb_identity(port)
    found = [
        one
        for one in list_ports(comports)
        if (one.vendor_id, one.product_id) == (vendor_id, product_id) and serial_number in (None, one.serial_number)
    ]
    if not found:
        raise DeviceUnavailable(f"no serial port is {port} now: plug the device in, or see `loyalty-agent devices`")
    if len(found) > 1:
        paths = ", ".join(one.path for one in found)
        raise DeviceUnavailable(f"{port} fits several ports ({paths}): add the serial number, or name a path in by-id")
    return found[0].path


def check_port(port: str) -> None:
    """Raise SettingsInvalid for a port that starts as a USB identity and is none."""
    if port.startswith(USB_PREFIX):
        _usb_identity(port)


def _usb_identity(port: str) -> tuple[int, int, str | None]:
    vendor, _, rest = port.removeprefix(USB_PREFIX).partition(":")
    product, _, serial_number = rest.partition(":")
    try:
        return int(vendor, 16), int(product, 16), serial_number or None
    except ValueError:
        raise SettingsInvalid(
            f"{port!r} is no USB identity: write usb:VID:PID or usb:VID:PID:SERIAL with hexadecimal numbers, as "
            "`loyalty-agent devices` shows them"
        ) from None


def _stable_links(folder: Path) -> dict[str, str]:
    """Real path to stable path."""
    try:
        return {os.path.realpath(link): str(link) for link in folder.iterdir()}
    except OSError:
        return {}


def _port(info: Any, links: dict[str, str]) -> Port:
    path, serial_number = str(info.device), str(info.serial_number or "")
    guess: Guess = next((guess for vendors, guess in _GUESSES if info.vid in vendors), "unknown")
    usb = "" if info.vid is None else f"{USB_PREFIX}{info.vid:04x}:{info.pid:04x}"
    named = f"{usb}:{serial_number}" if usb and serial_number else usb
    return Port(
        path=path,
        stable_port=links.get(os.path.realpath(path)) or named or path,
        vendor_id=info.vid,
        product_id=info.pid,
        serial_number=serial_number,
        manufacturer=str(info.manufacturer or ""),
        product=str(info.product or ""),
        guess=guess,
    )
