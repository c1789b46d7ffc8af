"""Which scans a POS still wants: one that waited until the POS asked again belongs to the customer before. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty_sdk.model import Scan, ScannerStatus

__all__ = ["AgentClock", "Freshness"]

SCAN_AGE_MAX = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentClock:
    """The agent's time, told with the stream of events now and then: POS and agent may be two machines."""

    now: datetime


class Freshness:
    """Tells scans that are too old by the agent's clock.

    As long as the agent told no time every scan is let through. The time that it told may have waited too, which lets a
    scan through that is older; it never costs one that is fresh.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._ahead: timedelta | None = None

    def compare(self, clock: AgentClock) -> None:
        """Take the agent's time as it arrives."""
        self._ahead = self._now() - clock.now

    def judge(self, scan: Scan) -> Scan | ScannerStatus:
        """Return the scan, or what to tell in its place."""
        if self._ahead is None or scan.scanned_at is None:
            return scan
        age = self._now() - self._ahead - scan.scanned_at
        if age <= SCAN_AGE_MAX:
            return scan
        reason = (
            f"a scan waited {age.total_seconds():.0f} s until the POS asked for it and was dropped: scan again, and "
            "keep asking for events while the customer pays"
        )
        return ScannerStatus(scanner=scan.scanner, state="online", reason=reason)
