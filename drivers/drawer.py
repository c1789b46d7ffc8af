"""The cash drawer, which hangs on the printer and opens on a pulse. Does not send: a printer's job carries it.

Source: Epson ESC/POS command reference, ESC p.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.errors import DocumentInvalid

__all__ = ["DrawerPulse"]

_TICK_MS = 2
_PULSE_MS_MAX = 255 * _TICK_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawerPulse:
    """Opens the drawer on one pin of the connector; the pulse and the rest after it in milliseconds."""

    pin: Literal[2, 5] = 2
    on_ms: int = 100
    off_ms: int = 200

    def __post_init__(self) -> None:
        if self.pin not in (2, 5):
            raise DocumentInvalid(f"a drawer hangs on pin 2 or 5, not {self.pin!r}: correct the drawer's pin")
        if not (_TICK_MS <= self.on_ms <= _PULSE_MS_MAX and self.on_ms <= self.off_ms <= _PULSE_MS_MAX):
            raise DocumentInvalid(
                f"a drawer pulse of {self.on_ms} ms and {self.off_ms} ms: give 2 to 510 ms, the rest at least as long"
            )

    @property
    def sequence(self) -> tuple[int, int, int, int, int]:
        """The five byte values of ESC p; times travel in steps of 2 ms."""
        return (0x1B, 0x70, 0 if self.pin == 2 else 1, self.on_ms // _TICK_MS, self.off_ms // _TICK_MS)
