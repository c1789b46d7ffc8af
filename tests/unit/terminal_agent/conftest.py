"""The rig and its printers as fixtures, closed whatever a test does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.printer.printer import Printer
from drivers.printer.spool import Spool
from terminal_agent.printers import InstalledPrinter
from terminal_agent.settings import PrinterSection
from tests.unit.terminal_agent.rig import Rig

Install = Callable[..., InstalledPrinter]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Printers whose threads never start, so that jobs stay in their spools."""
    made: list[InstalledPrinter] = []

    def install(name: str, *, queued_max: int = 500, **settings: object) -> InstalledPrinter:
        section = PrinterSection(name=name, transport="file", address=str(tmp_path / name), **settings)  # type: ignore[arg-type]
        spool = Spool(tmp_path / f"{name}.db", now=SystemClock().now, queued_max=queued_max)
        printer = Printer(section.driver_settings(), spool, lambda event: None, clock=SystemClock(), random=lambda: 0.5)
        made.append(InstalledPrinter(section=section, printer=printer, spool=spool))
        return made[-1]

    yield install
    for installed in made:
        installed.spool.close()
