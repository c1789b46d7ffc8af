"""A shop for the tests of the agent: central and agent as processes, scanner and printer as their twins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.printer.twin import PrinterTwin
from drivers.scanner.twin import ScannerTwin
from tests.support.agent_process import AgentProcess, CentralProcess

PROGRAMME: dict[str, Any] = {
    "format": "loyalty-programme-1",
    "name": "Clube Aurora",
    "version": 1,
    "currency": "EUR",
    "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}],
    "rewards": [{"id": "five-off", "name": "5 off", "points": 100, "discount_minor": 500}],
    "offline": {
        "points_per_sale_max": 200,
        "points_per_member_max": 300,
        "redemptions_per_member_max": 3,
        "hours_since_contact_max": 72,
        "grant_ahead_points_max": 200,
    },
    "receipt": {"locale": "pt_PT", "header": ["Clube Aurora"], "footer": ["Obrigado pela sua visita!"]},
}


class Shop:
    """Central, one agent, its scanner and its printer."""

    def __init__(self, folder: Path, scanner: ScannerTwin, printer: PrinterTwin) -> None:
        self.central = CentralProcess(folder / "central")
        self.agent = AgentProcess(folder / "agent")
        self.scanner = scanner
        self.printer = printer

    def open(self) -> None:
        """Start central, enrol the terminal with scanner and printer; the agent is not started."""
        self.central.initialise(PROGRAMME)
        self.central.start()
        self.agent.enrol(
            self.central,
            "till-1",
            rest=f'[[scanner]]\nname = "counter"\nport = "{self.scanner.path}"\nregister = "1"\n'
            f'[[printer]]\nname = "receipt"\ntransport = "tcp"\naddress = "{self.printer.address}"\n'
            'confirm = "process_id"\n',
        )

    def add_member(self, alias: str, name: str) -> str:
        member: str = self.central.command("member", "add", "--alias", alias, "--name", name)["member_id"]
        return member

    def close(self) -> None:
        self.agent.close()
        self.central.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ScannerTwin(tmp_path / "scanner") as scanner, PrinterTwin() as printer:
        shop = Shop(tmp_path, scanner, printer)
        try:
            shop.open()
            yield shop
        finally:
            shop.close()
