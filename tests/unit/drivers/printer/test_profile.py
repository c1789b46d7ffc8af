"""The table of code pages, and settings that are refused."""

import pytest

from drivers.errors import SettingsInvalid
from drivers.printer.profile import PrinterProfile


def test_numbers_are_epsons_unless_configured() -> None:
    assert PrinterProfile().page_number == 19
    assert PrinterProfile(code_page="cp860").page_number == 3
    assert PrinterProfile(code_page="cp1252", code_page_number=71).page_number == 71


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"columns": 5}, "columns is 5"),
        ({"code_page": "cp932"}, "must be one of cp437"),
        ({"code_page_number": 300}, "0 to 255"),
        ({"confirm": "maybe"}, "process_id"),
        ({"status": "maybe"}, "real_time"),
        ({"dialect": "esperanto"}, "star_line"),
        ({"dots": 100}, "192 to 832"),
        ({"confirm": "star_counter"}, "no counter of Star's"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsInvalid, match=text):
        PrinterProfile(**wrong)  # type: ignore[arg-type]  # What a configuration may hold.
