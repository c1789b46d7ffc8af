"""A setting that makes no sense is refused with the field and what it must be."""

from typing import Any

import pytest

from drivers.errors import SettingsInvalid
from drivers.scanner.settings import ScannerSettings


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("baud_rate", 0),
        ("idle_gap_ms", 5),
        ("frame_bytes_max", 0),
        ("duplicate_window_ms", -1),
        ("encoding_fallback", "klingon"),
        ("encoding_fallback", "base64"),
        ("reopen_first_s", 9.0),
        ("reopen_first_s", 0.0),
    ],
)
def test_a_wrong_value_is_named(field: str, value: object) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(SettingsInvalid, match=f"scanner front: {field} is .*; it must be"):
        ScannerSettings(name="front", port="/dev/null", **wrong)


def test_something_must_be_able_to_end_a_scan() -> None:
    with pytest.raises(SettingsInvalid, match="no suffix"):
        ScannerSettings(name="front", port="/dev/null", suffixes=b"", idle_gap_ms=None)


def test_a_name_and_a_port_are_needed() -> None:
    with pytest.raises(SettingsInvalid, match="name and a port"):
        ScannerSettings(name="front", port="")


def test_ssi_needs_a_silence() -> None:
    with pytest.raises(SettingsInvalid, match="SSI asks for a damaged packet again"):
        ScannerSettings(name="front", port="/dev/null", protocol="ssi", idle_gap_ms=None)


def test_a_port_that_is_no_usb_identity_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="usb:VID:PID"):
        ScannerSettings(name="front", port="usb:front")
