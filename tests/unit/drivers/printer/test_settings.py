"""A printer's settings are checked when they are built."""

from typing import Any

import pytest

from drivers.errors import SettingsInvalid
from drivers.printer.profile import PrinterProfile
from drivers.printer.settings import PrinterSettings


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.168.1.50", ("192.168.1.50", 9100)),
        ("192.168.1.50:9101", ("192.168.1.50", 9101)),
        ("kitchen.local:9100", ("kitchen.local", 9100)),
        ("[fe80::1]:9101", ("fe80::1", 9101)),
        ("[fe80::1]", ("fe80::1", 9100)),
        ("fe80::1", ("fe80::1", 9100)),
    ],
)
def test_addresses_are_read(address: str, expected: tuple[str, int]) -> None:
    assert PrinterSettings(name="p", transport="tcp", address=address).host_and_port == expected


def test_usb_ids_are_read() -> None:
    read = [
        PrinterSettings(name="p", transport="usb", address=address).usb_ids
        for address in ("04B8:0e15", "0519:0003:2A-7 x")
    ]
    assert read == [("04b8", "0e15", ""), ("0519", "0003", "2A-7 x")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"transport": "parallel"},
        {"transport": "usb"},
        {"transport": "usb", "address": "4b8:202"},
        {"transport": "usb", "address": "04b8:0202:"},
        {"status_timeout_s": 0},
        {"transport": "file", "profile": PrinterProfile(status="real_time")},
        {"address": "host:port"},
        {"address": "host:70000"},
        {"address": "host:\uff19\uff11"},
        {"baud_rate": 0},
        {"flow_control": "perhaps"},
        {"write_timeout_s": 0},
        {"reconnect_first_s": 99.0},
        {"transport": "file", "profile": PrinterProfile(confirm="status")},
        {"name": ""},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"name": "p", "transport": "tcp", "address": "127.0.0.1:9100"} | wrong
    with pytest.raises(SettingsInvalid):
        PrinterSettings(**settings)
