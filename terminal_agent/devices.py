"""The devices of this agent: scanners whose events go to the registers, printers with their spools."""

from __future__ import annotations

from collections.abc import Callable

from drivers.clock import Clock
from drivers.errors import DocumentInvalid, SpoolError
from drivers.printer.document import Logo
from drivers.printer.events import OnPrinterEvent, PrinterEvent, PrinterStatusEvent, PrintJobEvent
from drivers.printer.logo import read_logo
from drivers.printer.printer import Printer
from drivers.printer.spool import Job, Spool
from drivers.state import DeviceState
from loyalty_sdk.model import PrinterStatus, ReceiptKey
from terminal_agent.data_directory import DataDirectory
from terminal_agent.events import EventHub
from terminal_agent.print_jobs import told
from terminal_agent.printers import InstalledPrinter, Printers
from terminal_agent.scanners import Scanners
from terminal_agent.scans import ScanDesk
from terminal_agent.settings import PrinterSection, ScannerSection

__all__ = ["Devices", "ReceiptOf"]

ReceiptOf = Callable[[str], ReceiptKey | None]


class Devices:
    """Every device of the configuration, started and stopped together."""

    def __init__(self, scanners: Scanners, printers: Printers) -> None:
        self.scanners = scanners
        self.printers = printers

    @classmethod
    def build(
        cls,
        *,
        directory: DataDirectory,
        scanners: tuple[ScannerSection, ...],
        printers: tuple[PrinterSection, ...],
        desk: ScanDesk,
        hub: EventHub,
        receipt_of: ReceiptOf,
        clock: Clock,
        random: Callable[[], float],
    ) -> Devices:
        """Open the spools and make the devices' threads; a spool that cannot be opened costs its printer only.

        `receipt_of` finds the receipt that a print job's reference names.
        """
        installed, broken = [], []
        for section in printers:
            logo, trouble = _logo(section, directory)
            broken += [trouble] if trouble else []
            try:
                installed.append(_printer(section, directory, hub, receipt_of, logo, clock, random))
            except SpoolError as error:
                broken.append(f"printer {section.name}: {error}")
        installed_scanners = Scanners.build(scanners, desk=desk, hub=hub, clock=clock, random=random)
        return cls(installed_scanners, Printers(tuple(installed), tuple(broken)))

    def start(self) -> None:
        """Start every device; one that is missing is reported and retried, and keeps nothing back."""
        self.scanners.start()
        for installed in self.printers.installed:
            installed.printer.start()

    def stop(self) -> None:
        """Stop every device and close the spools."""
        self.scanners.stop()
        for installed in self.printers.installed:
            installed.printer.stop()
            installed.spool.close()


def _logo(section: PrinterSection, directory: DataDirectory) -> tuple[Logo | None, str]:
    """Return the picture above the receipts, or why there is none: receipts are printed without it."""
    if not section.logo:
        return None, ""
    try:
        return read_logo(directory.path / section.logo, dots_max=section.driver_settings().profile.dots), ""
    except DocumentInvalid as error:
        return None, f"printer {section.name} prints no logo: {error}"


def _printer(
    section: PrinterSection,
    directory: DataDirectory,
    hub: EventHub,
    receipt_of: ReceiptOf,
    logo: Logo | None,
    clock: Clock,
    random: Callable[[], float],
) -> InstalledPrinter:
    spool = Spool(directory.spool(section.name), now=clock.now)

    def tell(job: Job) -> None:
        hub.print_job_ended(section.registers, told(section.name, job, receipt_of(job.reference)))

    printer = Printer(
        section.driver_settings(), spool, printer_listener(section, spool, hub, tell), clock=clock, random=random
    )
    return InstalledPrinter(section=section, printer=printer, spool=spool, tell=tell, logo=logo)


def printer_listener(
    section: PrinterSection, spool: Spool, hub: EventHub, tell: Callable[[Job], None]
) -> OnPrinterEvent:
    """Return what takes a printer's events, on its thread, to the registers that it serves."""

    def on_event(event: PrinterEvent) -> None:
        if isinstance(event, PrintJobEvent):
            job = spool.job(event.reference)
            if job is not None:
                tell(job)
        elif isinstance(event, PrinterStatusEvent):
            online = event.state is DeviceState.ONLINE
            power = PrinterStatus.of(section.name, "power_online" if online else "power_offline", event.reason)
            hub.printer_changed(section.registers, power)
        else:
            hub.printer_changed(section.registers, PrinterStatus.of(section.name, event.condition.value, event.reason))

    return on_event
