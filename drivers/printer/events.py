"""What a printer tells its listener. Data only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.printer.spool import JobState
from drivers.printer.status import PrinterCondition
from drivers.state import DeviceState

__all__ = ["OnPrinterEvent", "PrintJobEvent", "PrinterConditionEvent", "PrinterEvent", "PrinterStatusEvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterStatusEvent:
    """The printer went ONLINE or OFFLINE (UnifiedPOS StatusUpdateEvent); `reason` names the remedy."""

    printer: str
    state: DeviceState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterConditionEvent:
    """The cover or the paper changed (UnifiedPOS StatusUpdateEvent, PTR_SUE_…); `reason` names the remedy.

    It holds until the next one of the same subject. While the printer is OFFLINE nobody knows.
    """

    printer: str
    condition: PrinterCondition
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintJobEvent:
    """A job came to its end (UnifiedPOS OutputCompleteEvent, and ErrorEvent where it did not print)."""

    printer: str
    reference: str
    state: JobState
    reason: str = ""


PrinterEvent = PrinterStatusEvent | PrinterConditionEvent | PrintJobEvent
OnPrinterEvent = Callable[[PrinterEvent], None]
