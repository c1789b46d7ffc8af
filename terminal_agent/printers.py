"""The printers of this agent as one: which serves a register, what waits, what is wrong. Knows no receipts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.errors import DriverError, SpoolError
from drivers.printer.document import Document, Logo
from drivers.printer.printer import Printer
from drivers.printer.profile import PrinterProfile
from drivers.printer.spool import Job, JobState, Spool
from loyalty_sdk.errors import NotFound, PrinterUnavailable
from terminal_agent.print_jobs import parse_job_id
from terminal_agent.receipt_search import ANY
from terminal_agent.settings import PrinterSection

__all__ = ["JOBS_SHOWN_MAX", "InstalledPrinter", "NamedJob", "Printers"]

JOBS_SHOWN_MAX = 50
JOBS_SEARCHED_MAX = 1_000
_CANCELLED = "cancelled at the till before it left"


def _tell_nobody(job: Job) -> None:
    """Where no POS listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPrinter:
    """A printer of this agent: its section of the configuration, its thread and its spool; `tell` is told of ends."""

    section: PrinterSection
    printer: Printer
    spool: Spool
    tell: Callable[[Job], None] = _tell_nobody
    logo: Logo | None = None

    @property
    def name(self) -> str:
        """Its name in agent.toml."""
        return self.section.name

    @property
    def profile(self) -> PrinterProfile:
        """What it is able to do."""
        return self.section.driver_settings().profile

    def headed(self, document: Document) -> Document:
        """Return the document below the printer's logo."""
        return document if self.logo is None else Document(elements=(self.logo, *document.elements))

    def submit(self, reference: str, data: bytes) -> Job:
        """Queue a job, or return the one with this reference. Raises PrinterUnavailable, DocumentInvalid."""
        try:
            return self.printer.submit(reference, data)
        except (SpoolError, DriverError) as error:
            raise PrinterUnavailable(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedJob:
    """A job and the printer that has it."""

    installed: InstalledPrinter
    job: Job


class Printers:
    """Every printer that could be installed; `broken` says which could not, and why. May block on a spool's lock."""

    def __init__(self, installed: tuple[InstalledPrinter, ...], broken: tuple[str, ...]) -> None:
        self.installed = installed
        self._broken = broken

    def serving(self, register: str) -> InstalledPrinter | None:
        """Return the printer that names the register, else one that serves every register."""
        naming = [p for p in self.installed if register in p.section.registers]
        return next(iter(naming + [p for p in self.installed if not p.section.registers]), None)

    def needed(self, register: str) -> InstalledPrinter:
        """Return the printer of a register. Raises PrinterUnavailable."""
        found = self.serving(register)
        if found is None:
            raise PrinterUnavailable(
                f"no printer serves register {register}: add a [[printer]] section to agent.toml, "
                "or print the receipt_block yourself"
            )
        return found

    def named(self, name: str) -> InstalledPrinter:
        """Return the printer of that name. Raises NotFound."""
        for installed in self.installed:
            if installed.name == name:
                return installed
        names = ", ".join(installed.name for installed in self.installed) or "none"
        raise NotFound(f"no printer is called {name!r}: the printers of agent.toml are {names}")

    def chosen(self, name: str | None, register: str) -> InstalledPrinter:
        """Return the printer of that name, else that of the register, else the only one.

        Raises NotFound for a name that no printer has, PrinterUnavailable.
        """
        if name is not None:
            return self.named(name)
        if len(self.installed) == 1:
            return self.installed[0]
        if register == ANY and self.installed:
            names = ", ".join(installed.name for installed in self.installed)
            raise PrinterUnavailable(f"there are several printers: name one of {names}, or the register that it serves")
        return self.needed(register)

    def jobs(self) -> list[NamedJob]:
        """Return the latest jobs of every printer, the newest first."""
        found = [
            NamedJob(installed=installed, job=job)
            for installed in self.installed
            for job in installed.spool.jobs(JOBS_SHOWN_MAX)
        ]
        return sorted(found, key=lambda named: named.job.queued_at, reverse=True)

    def job(self, text: str) -> NamedJob:
        """Return the job of that id. Raises NotFound."""
        parsed = parse_job_id(text)
        for installed in self.installed:
            if parsed is not None and parsed[0] == installed.name:
                found = [job for job in installed.spool.jobs(JOBS_SEARCHED_MAX) if job.number == parsed[1]]
                if found:
                    return NamedJob(installed=installed, job=found[0])
        raise NotFound(f"no print job {text} is known here: list them with `loyalty-agent spool list`")

    def cancel(self, text: str) -> NamedJob:
        """Keep a job that still waits from being printed; one that has left is returned as it is. Raises NotFound."""
        found = self.job(text)
        if found.job.state is not JobState.QUEUED:
            return found
        try:
            found.installed.spool.settle(found.job.number, JobState.FAILED, _CANCELLED)
        except SpoolError:
            return self.job(text)  # It left in this very moment.
        cancelled = self.job(text)
        cancelled.installed.tell(cancelled.job)
        return cancelled

    def jobs_waiting(self) -> int:
        """Return how many jobs wait for their printers."""
        return sum(installed.spool.jobs_waiting() for installed in self.installed)

    def troubles(self) -> tuple[str, ...]:
        """Return what is wrong with printers, each with its remedy."""
        statuses = (installed.printer.status for installed in self.installed)
        offline = tuple(f"printer {status.printer}: {status.reason}" for status in statuses if status and status.reason)
        return self._broken + offline
