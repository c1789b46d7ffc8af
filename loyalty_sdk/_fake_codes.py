"""The symbology of a code at a FakeAgent: the AIM identifiers that shop scanners send most. Meaning is not here.

Source: ISO/IEC 15424 for the identifiers, UnifiedPOS for the names and numbers. A test compares them with the agent's.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IDENTIFIERS", "FakeCode", "read_code"]

IDENTIFIERS = {
    "]A0": ("CODE39", 108),
    "]C0": ("CODE128", 110),
    "]C1": ("EAN128", 120),
    "]E0": ("EAN13", 104),
    "]E4": ("EAN8", 103),
    "]I0": ("ITF", 106),
    "]I1": ("ITF", 106),
    "]L0": ("PDF417", 201),
    "]Q0": ("QRCODE", 204),
    "]Q1": ("QRCODE", 204),
    "]Q3": ("GS1QRCODE", 209),
    "]d1": ("DATAMATRIX", 203),
    "]d2": ("GS1DATAMATRIX", 208),
    "]e0": ("GS1DATABAR", 131),
    "]z0": ("AZTEC", 206),
}
"""AIM identifier → symbology and `scan_data_type`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCode:
    """A text without its AIM identifier, and what that said of it."""

    data: str
    symbology: str = "UNKNOWN"
    scan_data_type: int = 0


def read_code(text: str) -> FakeCode:
    """Strip the AIM identifier; one that is not known here stays in the text, as at the agent."""
    found = IDENTIFIERS.get(text[:3])
    return (
        FakeCode(data=text) if found is None else FakeCode(data=text[3:], symbology=found[0], scan_data_type=found[1])
    )
