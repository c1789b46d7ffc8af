"""The devices of this agent: scanners whose events go to the registers, printers with their spools."""

from __future__ import annotations

import threading
from collections.abc import Callable

from drivers.clock import Clock
from drivers.errors import SpoolError
from drivers.printer.printer import Printer
from drivers.printer.render import warm_up
from drivers.printer.spool import Spool
from drivers.scanner.events import ScanEvent, ScannerEvent
from drivers.scanner.reader import ScannerReader
from loyalty_sdk.model import Scan, ScannerStatus
from terminal_agent.data_directory import DataDirectory
from terminal_agent.events import EventHub
from terminal_agent.printing import InstalledPrinter
from terminal_agent.settings import PrinterSection, ScannerSection

__all__ = ["Devices"]


class Devices:
    """Every device of the configuration, started and stopped together."""

    def __init__(
        self, scanners: tuple[ScannerReader, ...], printers: tuple[InstalledPrinter, ...], broken: tuple[str, ...]
    ) -> None:
        """`broken` says which printers are left out, and why."""
        self._scanners = scanners
        self.printers = printers
        self.broken = broken

    @classmethod
    def build(
        cls,
        *,
        directory: DataDirectory,
        scanners: tuple[ScannerSection, ...],
        printers: tuple[PrinterSection, ...],
        hub: EventHub,
        clock: Clock,
        random: Callable[[], float],
    ) -> Devices:
        """Open the spools and make the devices' threads; a spool that cannot be opened costs its printer only."""
        installed, broken = [], []
        for section in printers:
            try:
                installed.append(_printer(section, directory, clock, random))
            except SpoolError as error:
                broken.append(f"printer {section.name}: {error}")
        readers = tuple(_scanner(section, hub, clock, random) for section in scanners)
        return cls(readers, tuple(installed), tuple(broken))

    def start(self) -> None:
        """Start every device; one that is missing is reported and retried, and keeps nothing back."""
        for scanner in self._scanners:
            scanner.start()
        for installed in self.printers:
            installed.printer.start()
        if self.printers:
            threading.Thread(target=warm_up, name="printer-warm-up", daemon=True).start()

    def stop(self) -> None:
        """Stop every device and close the spools."""
        for scanner in self._scanners:
            scanner.stop()
        for installed in self.printers:
            installed.printer.stop()
            installed.spool.close()


def _scanner(section: ScannerSection, hub: EventHub, clock: Clock, random: Callable[[], float]) -> ScannerReader:
    def on_event(event: ScannerEvent) -> None:
        if isinstance(event, ScanEvent):
            scan = Scan(
                data=event.data,
                symbology=str(event.symbology),
                raw=event.raw,
                scanner=event.scanner,
                scanned_at=event.received_at,
            )
            hub.scanned(section.register, scan)
        else:
            status = ScannerStatus(scanner=event.scanner, state=event.state.value, reason=event.reason)
            hub.scanner_changed(section.register, status)

    return ScannerReader(section.driver_settings(), on_event, clock=clock, random=random)


def _printer(
    section: PrinterSection, directory: DataDirectory, clock: Clock, random: Callable[[], float]
) -> InstalledPrinter:
    spool = Spool(directory.spool(section.name), now=clock.now)
    printer = Printer(section.driver_settings(), spool, lambda event: None, clock=clock, random=random)
    return InstalledPrinter(section=section, printer=printer, spool=spool)
