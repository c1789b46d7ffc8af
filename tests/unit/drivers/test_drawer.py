"""A drawer pulse is ESC p with times in steps of two milliseconds."""

import pytest

from drivers.drawer import DrawerPulse
from drivers.errors import DocumentInvalid


def test_pins_and_times_become_the_sequence_of_esc_p() -> None:
    assert DrawerPulse().sequence == (0x1B, 0x70, 0, 50, 100)
    assert DrawerPulse(pin=5, on_ms=50, off_ms=500).sequence == (0x1B, 0x70, 1, 25, 250)


@pytest.mark.parametrize(("on_ms", "off_ms"), [(0, 100), (600, 600), (200, 100)])
def test_impossible_times_are_refused(on_ms: int, off_ms: int) -> None:
    with pytest.raises(DocumentInvalid, match="510 ms"):
        DrawerPulse(on_ms=on_ms, off_ms=off_ms)


def test_an_impossible_pin_is_refused() -> None:
    with pytest.raises(DocumentInvalid, match="pin 2 or 5"):
        DrawerPulse(pin=3)  # type: ignore[arg-type]  # What a configuration may hold.
