"""What a device can be, in the words of UnifiedPOS. Does not watch devices: readers and printers do."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["DeviceState"]


class DeviceState(StrEnum):
    """The power states that a driver reports (UnifiedPOS, common property PowerState)."""

    ONLINE = "online"
    OFFLINE = "offline"

    @property
    def unifiedpos_code(self) -> int:
        """The constant of UnifiedPOS: JPOS_SUE_POWER_ONLINE 2001, JPOS_SUE_POWER_OFFLINE 2003."""
        return 2001 if self is DeviceState.ONLINE else 2003
