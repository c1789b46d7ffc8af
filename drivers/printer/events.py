"""What a printer tells its listener. Data only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.printer.spool import JobState
from drivers.state import DeviceState

__all__ = ["OnPrinterEvent", "PrintJobEvent", "PrinterEvent", "PrinterStatusEvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterStatusEvent:
    """The printer went ONLINE or OFFLINE (UnifiedPOS StatusUpdateEvent); `reason` names the remedy."""

    printer: str
    state: DeviceState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintJobEvent:
    """A job came to its end (UnifiedPOS OutputCompleteEvent, and ErrorEvent where it did not print)."""

    printer: str
    reference: str
    state: JobState
    reason: str = ""


PrinterEvent = PrinterStatusEvent | PrintJobEvent
OnPrinterEvent = Callable[[PrinterEvent], None]
