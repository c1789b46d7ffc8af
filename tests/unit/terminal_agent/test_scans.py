"""One decoder for what a scanner sent, a keyboard wedge typed and a cashier keyed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drivers.scanner.events import ScanEvent
from drivers.scanner.symbology import Symbology
from loyalty_sdk._fake_codes import IDENTIFIERS, read_code
from loyalty_sdk.errors import ScanUnreadable
from loyalty_sdk.local import DecodeCall, IdentifyCall
from loyalty_sdk.model import GS1Element, Scan
from terminal_agent.meaning import CodeRules, Meaning, MeaningReader
from terminal_agent.scans import ScanDesk
from tests.unit.terminal_agent.rig import context

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
DESK = ScanDesk(MeaningReader(CodeRules()), lambda: NOW)


def event(data: str, symbology: Symbology, raw: bytes) -> ScanEvent:
    return ScanEvent(scanner="counter", data=data, raw=raw, symbology=symbology, received_at=NOW)


@pytest.mark.parametrize("identifier", sorted(IDENTIFIERS))
async def test_the_fake_agent_strips_aim_identifiers_as_this_one_does(identifier: str) -> None:
    text = f"{identifier}4006381333931"
    fake, scan = read_code(text), await DESK.decode(DecodeCall(context=context(), data=text))
    assert (fake.data, fake.symbology, fake.scan_data_type) == (scan.data, scan.symbology, scan.scan_data_type)


def test_a_scan_says_what_it_is_and_keeps_its_bytes() -> None:
    scan = DESK.of_event(event("0100614141123452", Symbology.EAN128, b"]C10100614141123452"))
    assert scan == Scan(
        data="0100614141123452",
        entry_method="scanned",
        symbology="EAN128",
        raw=b"]C10100614141123452",
        scanner="counter",
        scanned_at=NOW,
        kind="gs1",
        value="00614141123452",
        elements=(GS1Element(ai="01", value="00614141123452"),),
        scan_data_type=120,
    )


async def test_a_text_of_a_wedge_comes_out_as_the_scanner_would_have_made_it() -> None:
    call = DecodeCall(context=context(), data="]E04006381333931\r", entry_method="scanned")
    scan = await DESK.decode(call)
    assert (scan.data, scan.symbology, scan.entry_method) == ("4006381333931", "EAN13", "scanned")
    assert (scan.kind, scan.scan_data_type, scan.raw) == ("gtin", 104, b"]E04006381333931\r")


async def test_a_typed_text_is_keyed() -> None:
    scan = await DESK.decode(DecodeCall(context=context(), data="529.982.247-25"))
    assert (scan.kind, scan.value, scan.entry_method) == ("cpf", "52998224725", "keyed")
    assert (scan.symbology, scan.scan_data_type, scan.scanned_at) == ("UNKNOWN", 0, NOW)


@pytest.mark.parametrize("data", ["", " \r\n", "x" * 4_097])
async def test_no_code_is_refused(data: str) -> None:
    with pytest.raises(ScanUnreadable, match="key it in"):
        await DESK.decode(DecodeCall(context=context(), data=data))


@pytest.mark.parametrize(
    ("data", "symbology", "asked"),
    [
        ("2400001", None, "2400001"),
        ("]C02400001", None, "2400001"),
        ("529.982.247-25", None, "52998224725"),
        ("x-2482300-w", None, "X2482300W"),
        ("X-2482300W", "UNKNOWN", "X2482300W"),
        ("12abc34501de35", None, "12abc34501de35"),
        ("912 345 670", None, "912 345 670"),
        ("]y0odd", "UNKNOWN", "]y0odd"),
        ("529.982.247-25", "a name of the POS", "52998224725"),
    ],
)
def test_who_is_asked_for_is_written_as_members_register_it(data: str, symbology: str | None, asked: str) -> None:
    call = IdentifyCall(context=context(), data=data, symbology=symbology)
    assert DESK.in_one_spelling(call).data == asked


def test_a_library_that_fails_costs_the_meaning_and_not_the_scan(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: MeaningReader, text: str, symbology: Symbology) -> Meaning:
        raise RuntimeError("a bug")

    monkeypatch.setattr(MeaningReader, "read", broken)
    scan = DESK.of_event(event("4711", Symbology.CODE128, b"]C04711"))
    assert (scan.data, scan.kind, scan.value) == ("4711", "unknown", "4711")
    assert "told as unknown" in caplog.text
