"""The configuration of one printer, checked once when it is built."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from drivers.errors import SettingsInvalid
from drivers.printer.profile import PrinterProfile
from drivers.serial_line import FlowControl

__all__ = ["PrinterSettings", "TransportName"]

TransportName = Literal["tcp", "serial", "usb", "device", "file"]

_TCP_PORT = 9100
_USB_ADDRESS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})(?::([^:/]+))?", re.ASCII | re.IGNORECASE)

_TIMES = (
    "connect_timeout_s",
    "write_timeout_s",
    "confirm_timeout_s",
    "status_interval_s",
    "status_timeout_s",
    "queue_age_s_max",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterSettings:
    """How one printer is reached.

    name: how events call the printer.
    transport: "tcp", "serial", "usb", "device" (a device file that exists) or "file" (receipts are appended to it).
    address: host:port for tcp (port 9100 if it is left out); vendor:product or vendor:product:serial number for
    usb, as `lsusb` shows them (04b8:0202); a path for the others.
    baud_rate, flow_control: for serial.
    connect_timeout_s, write_timeout_s: bounds of opening, and of sending one whole job.
    confirm_timeout_s: how long the printer may take to say that a job is printed, after that it is unknown.
    status_interval_s, status_timeout_s: where the profile has a status, how often the printer is asked for it, and
    after how long a silence it is offline; their sum is within a second, so that a POS hears of it in time.
    queue_age_s_max: a job that waited longer than this for its printer fails: nobody waits for that receipt.
    reconnect_first_s, reconnect_limit_s: the shortest and the longest pause between attempts.
    """

    name: str
    transport: TransportName
    address: str
    profile: PrinterProfile = field(default_factory=PrinterProfile)
    baud_rate: int = 115200
    flow_control: FlowControl = "none"
    connect_timeout_s: float = 3.0
    write_timeout_s: float = 10.0
    confirm_timeout_s: float = 15.0
    status_interval_s: float = 0.25
    status_timeout_s: float = 0.5
    queue_age_s_max: float = 3600.0
    reconnect_first_s: float = 0.2
    reconnect_limit_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.name or not self.address:
            raise SettingsInvalid("a printer needs a name and an address: give both in its configuration section")
        if self.transport not in get_args(TransportName):
            raise self._wrong("transport", self.transport, f"one of {', '.join(get_args(TransportName))}")
        if self.transport == "tcp":
            _ = self.host_and_port
        if self.transport == "usb":
            _ = self.usb_ids
        if self.baud_rate <= 0:
            raise self._wrong("baud_rate", self.baud_rate, "a positive number such as 115200")
        if self.flow_control not in ("none", "xonxoff", "rtscts", "dsrdtr"):
            raise self._wrong("flow_control", self.flow_control, "none, xonxoff, rtscts or dsrdtr")
        for timeout in _TIMES:
            if getattr(self, timeout) <= 0:
                raise self._wrong(timeout, getattr(self, timeout), "above 0")
        if not 0 < self.reconnect_first_s <= self.reconnect_limit_s:
            raise self._wrong("reconnect_first_s", self.reconnect_first_s, "above 0, at most reconnect_limit_s")
        for method in ("confirm", "status"):
            if getattr(self.profile, method) != "none" and self.transport == "file":
                raise self._wrong(method, getattr(self.profile, method), "none, because a file answers nothing")

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The address of a printer in the network: host:port, [IPv6]:port or a bare host."""
        host, colon, port = self.address.rpartition(":")
        if not colon or self.address.endswith("]") or (":" in host and not host.startswith("[")):
            host, port = self.address, str(_TCP_PORT)
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise self._wrong("address", self.address, "host:port, such as 192.168.1.50:9100")
        return host.strip("[]"), int(port)

    @property
    def usb_ids(self) -> tuple[str, str, str]:
        """Vendor and product in lower case, and the serial number or ""."""
        match = _USB_ADDRESS.fullmatch(self.address)
        if match is None:
            raise self._wrong("address", self.address, "vendor:product as lsusb shows it, such as 04b8:0202")
        return match[1].lower(), match[2].lower(), match[3] or ""

    def _wrong(self, name: str, value: object, wanted: str) -> SettingsInvalid:
        return SettingsInvalid(f"printer {self.name}: {name} is {value!r}; it must be {wanted}")
