"""From the wire to the POS and back: several scanners, several registers, commands, texts of a wedge, old scans."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.scanner.ssi_twin import SsiScannerTwin
from drivers.scanner.twin import ScannerTwin
from loyalty_sdk import _freshness
from loyalty_sdk.errors import LoyaltyError, NotFound, ScannerCommandRefused, ScannerUnavailable
from loyalty_sdk.model import Scan, ScannerStatus
from loyalty_sdk.till import Till
from tests.integration.terminal_agent.conftest import Shop
from tests.support.agent_process import wait_until

TIMEOUT_S = 60


class Listener:
    """A POS that asks for events all the time."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self.events: queue.Queue[Scan | ScannerStatus] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(LoyaltyError):  # The agent is gone at the end of the test.
            for event in self._till.scans():
                self.events.put(event)

    def await_state(self, scanner: str, state: str) -> None:
        while True:
            event = self.events.get(timeout=TIMEOUT_S)
            if isinstance(event, ScannerStatus) and (event.scanner, event.state) == (scanner, state):
                return

    def scan(self) -> Scan:
        while True:
            event = self.events.get(timeout=TIMEOUT_S)
            if isinstance(event, Scan):
                return event


@pytest.fixture
def zebra(tmp_path: Path) -> Iterator[SsiScannerTwin]:
    with SsiScannerTwin(tmp_path / "usb-Zebra-if00", answer_s=10.0) as zebra:
        yield zebra


@pytest.fixture
def two_registers(shop: Shop, zebra: SsiScannerTwin) -> Shop:
    """Register 1 with a plain scanner, register 2 with one that speaks SSI."""
    with (shop.agent.folder / "agent.toml").open("a", encoding="utf-8") as file:
        file.write(f'[[scanner]]\nname = "zebra"\nport = "{zebra.path}"\nregister = "2"\nprotocol = "ssi"\n')
    shop.agent.start()
    return shop


def test_scanners_registers_commands_and_wedges(
    two_registers: Shop, zebra: SsiScannerTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = two_registers
    shop.add_member("52998224725", "Ana Sousa")
    one, two = shop.agent.till(register="1"), shop.agent.till(register="2")
    first, second = Listener(one), Listener(two)
    first.await_state("counter", "online")
    second.await_state("zebra", "online")

    shop.scanner.scan("]E04006381333931")
    assert zebra.scan_code(b"]Q1529.982.247-25", kind=0x1C)
    article, card = first.scan(), second.scan()
    assert (article.data, article.kind, article.scan_data_type) == ("4006381333931", "gtin", 104)
    assert (card.kind, card.value, card.raw) == ("cpf", "52998224725", b"]Q1529.982.247-25")
    assert two.identify(card).name_masked == two.identify("529.982.247-25").name_masked != ""

    wedge = one.decode("]Q1529.982.247-25", "scanned")
    assert (wedge.kind, wedge.value, wedge.symbology, wedge.entry_method) == ("cpf", card.value, "QRCODE", "scanned")
    assert one.identify(wedge).member_id == two.identify(card).member_id

    assert two.command_scanner("beep").scanner == "zebra"
    with pytest.raises(ScannerCommandRefused, match='set protocol = "ssi"'):
        one.command_scanner("beep")
    with pytest.raises(NotFound, match="is called 'zebra': name one of counter"):
        one.command_scanner("beep", "zebra")
    two.command_scanner("disable")
    zebra.unplug()
    second.await_state("zebra", "offline")
    with pytest.raises(ScannerUnavailable, match="zebra is offline"):
        two.command_scanner("enable")
    zebra.plug_in()
    second.await_state("zebra", "online")
    wait_until(lambda: zebra.commands == ["beep", "disable", "disable"], "the scanner disabled again")
    _nothing_old_reaches_the_next_customer(shop, monkeypatch)


def _nothing_old_reaches_the_next_customer(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    late = shop.agent.till(register="1").scans()
    assert isinstance(next(late), ScannerStatus)  # It listens, and then the customer pays.
    shop.scanner.scan("OLD-CUSTOMER")
    monkeypatch.setattr(_freshness, "SCAN_AGE_MAX", timedelta(days=-1))
    told = next(late)
    assert isinstance(told, ScannerStatus)
    assert told.scanner == "counter"
    assert "until the POS asked for it and was dropped" in told.reason
    monkeypatch.undo()
    shop.scanner.scan("NEW-CUSTOMER")
    fresh = next(late)
    assert isinstance(fresh, Scan)
    assert fresh.data == "NEW-CUSTOMER"


def test_scans_while_no_pos_listens_are_dropped_and_told(shop: Shop) -> None:
    shop.agent.start()
    till = shop.agent.till(register="1")
    wait_until(lambda: any(s.state == "online" for s in till.status().scanners), "the scanner")
    for number in range(3):
        shop.scanner.scan(f"NOBODY-{number}")
    wait_until(lambda: any(w.startswith("3 scans came while no POS") for w in till.status().warnings), "the warning")
    events = till.scans()
    told = next(events)
    assert isinstance(told, ScannerStatus)
    assert told.reason == "dropped scans that came while no POS listened: 3; scan again"
    shop.scanner.scan("SOMEBODY")
    heard = next(events)
    assert isinstance(heard, Scan)
    assert heard.data == "SOMEBODY"


def test_the_twin_can_make_noise_and_floods(tmp_path: Path) -> None:
    import os
    import random

    with ScannerTwin() as twin:
        reading = os.open(twin.path, os.O_RDONLY | os.O_NOCTTY)
        try:
            twin.send_noise(1_000, random.Random(1))
            assert os.read(reading, 4_096) == random.Random(1).randbytes(1_000)
        finally:
            os.close(reading)
