"""What the reader wants of a scanner's protocol, whichever it is. Does no I/O and reads no clock.

Plain serial lines (`framing`) only send; SSI (`ssi`) answers each scan and takes commands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drivers.errors import CommandRefused, DriverError
from drivers.scanner.symbology import Symbology

__all__ = ["CommandDone", "Frame", "ScannerCommand", "ScannerProtocol", "not_in_plain_serial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The bytes of one scan, without prefix and suffix; `symbology` is what the protocol itself told of it."""

    data: bytes
    symbology: Symbology = Symbology.UNKNOWN


class ScannerCommand(StrEnum):
    """What a POS may ask of a scanner; `trigger` is the trigger pulled, `release` the trigger let go."""

    ENABLE = "enable"
    DISABLE = "disable"
    BEEP = "beep"
    TRIGGER = "trigger"
    RELEASE = "release"


# Called once for each command: with None when the scanner did it, else with the reason.
CommandDone = Callable[[DriverError | None], None]


class ScannerProtocol(Protocol):
    """Bytes in, scans and answers out. Times are seconds on any clock that does not run backwards."""

    dropped_frames: int

    def receive(self, data: bytes, at_s: float) -> list[Frame]:
        """Take the bytes that came at `at_s` and return the scans that are whole; no bytes only tell the time."""
        ...

    def send(self, command: ScannerCommand, at_s: float, done: CommandDone) -> None:
        """Begin a command; one is under way at a time."""
        ...

    def take_outgoing(self) -> bytes:
        """Return what is to be written to the scanner now, and forget it."""
        ...


def not_in_plain_serial(command: ScannerCommand) -> CommandRefused:
    """Return the reason for which a scanner that just sends does no command."""
    return CommandRefused(
        f'plain serial scanners have no command for {command}: set protocol = "ssi" where the scanner speaks it, '
        "or leave this command out"
    )
