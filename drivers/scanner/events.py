"""What a scanner tells its listener. Data only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from drivers.scanner.symbology import Symbology
from drivers.state import DeviceState

__all__ = ["OnScannerEvent", "ScanEvent", "ScannerEvent", "ScannerStatusEvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanEvent:
    """One scan (UnifiedPOS DataEvent).

    `raw` is the frame as it came, without prefix and suffix; `data` is its text without the AIM identifier.
    """

    scanner: str
    data: str
    raw: bytes
    symbology: Symbology
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerStatusEvent:
    """The scanner went ONLINE or OFFLINE (UnifiedPOS StatusUpdateEvent); `reason` names the remedy."""

    scanner: str
    state: DeviceState
    reason: str = ""


ScannerEvent = ScanEvent | ScannerStatusEvent
OnScannerEvent = Callable[[ScannerEvent], None]
