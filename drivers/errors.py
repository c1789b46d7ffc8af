"""The errors of the drivers.

    DriverError
    ├── SettingsInvalid         a setting makes no sense; also a ValueError
    ├── DocumentInvalid         a receipt document cannot be printed as it is; also a ValueError
    ├── DeviceError
    │   ├── CommandRefused      the device does not do this command, or not now
    │   ├── DeviceUnavailable   could not be opened; not a byte was sent
    │   └── DeviceLost          was open and failed: what was sent may or may not have arrived
    └── SpoolError
        ├── SpoolFull           as many jobs wait as the limit allows, or the disk is full
        ├── SpoolTaken          another process has this spool open
        └── SpoolUnusable       the file is no spool, or is damaged

Every text names the remedy.
"""

from __future__ import annotations

__all__ = [
    "CommandRefused",
    "DeviceError",
    "DeviceLost",
    "DeviceUnavailable",
    "DocumentInvalid",
    "DriverError",
    "SettingsInvalid",
    "SpoolError",
    "SpoolFull",
    "SpoolTaken",
    "SpoolUnusable",
]


class DriverError(Exception):
    """Base of every error that the drivers raise; `str()` is one sentence or two and names the remedy."""


class SettingsInvalid(DriverError, ValueError):
    """A setting of a device makes no sense."""


class DocumentInvalid(DriverError, ValueError):
    """A receipt document is beyond a limit or holds an impossible value."""


class DeviceError(DriverError):
    """A device cannot be used now."""


class CommandRefused(DeviceError):
    """The device or its protocol does not do this command, refused it, or did not answer."""


class DeviceUnavailable(DeviceError):
    """The device could not be opened; not a byte was sent to it."""


class DeviceLost(DeviceError):
    """The device failed while it was open; what was sent may or may not have arrived."""


class SpoolError(DriverError):
    """The print spool refuses something."""


class SpoolFull(SpoolError):
    """As many jobs wait as the limit allows, or the disk takes no more."""


class SpoolTaken(SpoolError):
    """Another process has the spool open; two of them would print everything twice."""


class SpoolUnusable(SpoolError):
    """The file is not a print spool, is damaged, or belongs to a newer version."""
