"""Ports by a name that survives replugging, and a list that fails for nobody."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from serial.tools.list_ports_common import ListPortInfo

from drivers import ports
from drivers.errors import DeviceUnavailable, SettingsInvalid
from drivers.ports import Port, list_ports, resolve


def info(path: str, vendor: int | None = None, product: int | None = None, serial: str | None = None) -> ListPortInfo:
    found = ListPortInfo(path)
    found.vid, found.pid, found.serial_number = vendor, product, serial
    return found


SCANNER = info("/dev/ttyACM3", 0x0C2E, 0x0B6A, "A1")
TWIN = info("/dev/ttyACM4", 0x0C2E, 0x0B6A, "A2")
ADAPTER = info("/dev/ttyUSB0", 0x0403, 0x6001)
BUILT_IN = info("/dev/ttyS0")


def listed(*found: Any) -> ports.ListPorts:
    return lambda: found


def test_ports_are_listed_with_their_identity_and_a_guess(tmp_path: Path) -> None:
    assert list_ports(listed(ADAPTER, SCANNER, BUILT_IN), tmp_path / "none") == (
        Port(path="/dev/ttyACM3", stable_port="usb:0c2e:0b6a:A1", vendor_id=0x0C2E, product_id=0x0B6A,
             serial_number="A1", guess="scanner"),
        Port(path="/dev/ttyS0", stable_port="/dev/ttyS0"),
        Port(path="/dev/ttyUSB0", stable_port="usb:0403:6001", vendor_id=0x0403, product_id=0x6001, guess="adapter"),
    )  # fmt: skip


def test_a_path_in_by_id_is_what_to_configure(tmp_path: Path) -> None:
    (tmp_path / "usb-Scanner_A1-if00").symlink_to("/dev/ttyACM3")
    (port,) = list_ports(listed(SCANNER), tmp_path)
    assert port.stable_port == str(tmp_path / "usb-Scanner_A1-if00")


def test_scanner_04_a_list_that_fails_is_asked_again() -> None:
    attempts: list[int] = []

    def comports() -> Iterable[Any]:
        attempts.append(1)
        if len(attempts) < 3:
            raise (OSError("gone while it was read") if len(attempts) == 1 else AttributeError("None"))
        return (SCANNER,)

    assert resolve("usb:0c2e:0b6a", comports) == "/dev/ttyACM3"


def test_scanner_04_a_list_that_always_fails_is_a_device_that_is_unavailable() -> None:
    def comports() -> Iterable[Any]:
        raise TypeError("broken")

    with pytest.raises(DeviceUnavailable, match=r"could not be listed \(broken\)"):
        resolve("usb:0c2e:0b6a", comports)


def test_scanner_04_a_usb_identity_finds_its_device_wherever_it_is() -> None:
    assert resolve("usb:0c2e:0b6a:A2", listed(SCANNER, TWIN, ADAPTER)) == "/dev/ttyACM4"
    assert resolve("usb:0C2E:0B6A", listed(SCANNER, ADAPTER)) == "/dev/ttyACM3"
    assert resolve("/dev/ttyS7", listed()) == "/dev/ttyS7"


def test_a_usb_identity_that_fits_none_or_several_says_what_to_do() -> None:
    with pytest.raises(DeviceUnavailable, match="plug the device in"):
        resolve("usb:0c2e:0b6a:A9", listed(SCANNER))
    with pytest.raises(DeviceUnavailable, match=r"several ports \(/dev/ttyACM3, /dev/ttyACM4\): add the serial number"):
        resolve("usb:0c2e:0b6a", listed(SCANNER, TWIN))


@pytest.mark.parametrize("port", ["usb:", "usb:0c2e", "usb:0c2e:xyz", "usb:scanner:1"])
def test_what_is_no_usb_identity_is_refused(port: str) -> None:
    with pytest.raises(SettingsInvalid, match="usb:VID:PID"):
        ports.check_port(port)


def test_the_ports_of_this_machine_can_be_listed() -> None:
    assert all(port.path for port in list_ports())
