"""What kind of code a frame is, and its text.

Does not check digits and does not parse GS1: it says only where GS1 is.

Source: AIM symbology identifiers, ISO/IEC 15424; names of UnifiedPOS (ScanDataType without its prefix).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DecodedScan", "Symbology", "decode"]

GS = b"\x1d"


class Symbology(StrEnum):
    """The kinds of codes, as UnifiedPOS names them; OTHER has no name there, UNKNOWN was not told."""

    UNKNOWN = "UNKNOWN"
    OTHER = "OTHER"
    UPCA = "UPCA"
    UPCA_S = "UPCA_S"
    UPCE = "UPCE"
    UPCE_S = "UPCE_S"
    EAN8 = "EAN8"
    EAN8_S = "EAN8_S"
    EAN13 = "EAN13"
    EAN13_S = "EAN13_S"
    TF = "TF"
    ITF = "ITF"
    CODABAR = "CODABAR"
    CODE39 = "CODE39"
    CODE93 = "CODE93"
    CODE128 = "CODE128"
    EAN128 = "EAN128"
    GS1DATABAR = "GS1DATABAR"
    OCRA = "OCRA"
    OCRB = "OCRB"
    PDF417 = "PDF417"
    UPDF417 = "UPDF417"
    MAXICODE = "MAXICODE"
    DATAMATRIX = "DATAMATRIX"
    GS1DATAMATRIX = "GS1DATAMATRIX"
    QRCODE = "QRCODE"
    UQRCODE = "UQRCODE"
    GS1QRCODE = "GS1QRCODE"
    AZTEC = "AZTEC"
    GS1AZTEC = "GS1AZTEC"

    @property
    def is_gs1(self) -> bool:
        """Whether the data are GS1 element strings; nothing else may be parsed as such."""
        return self in _GS1

    @property
    def scan_data_type(self) -> int:
        """The constant of UnifiedPOS (SCAN_SDT_…); it has none for GS1 Aztec, which is told as Aztec."""
        return _SCAN_DATA_TYPES[self]


_SCAN_DATA_TYPES = {
    Symbology.UNKNOWN: 0,
    Symbology.UPCA: 101,
    Symbology.UPCE: 102,
    Symbology.EAN8: 103,
    Symbology.EAN13: 104,
    Symbology.TF: 105,
    Symbology.ITF: 106,
    Symbology.CODABAR: 107,
    Symbology.CODE39: 108,
    Symbology.CODE93: 109,
    Symbology.CODE128: 110,
    Symbology.UPCA_S: 111,
    Symbology.UPCE_S: 112,
    Symbology.EAN8_S: 118,
    Symbology.EAN13_S: 119,
    Symbology.EAN128: 120,
    Symbology.OCRA: 121,
    Symbology.OCRB: 122,
    Symbology.GS1DATABAR: 131,
    Symbology.PDF417: 201,
    Symbology.MAXICODE: 202,
    Symbology.DATAMATRIX: 203,
    Symbology.QRCODE: 204,
    Symbology.UQRCODE: 205,
    Symbology.AZTEC: 206,
    Symbology.UPDF417: 207,
    Symbology.GS1DATAMATRIX: 208,
    Symbology.GS1QRCODE: 209,
    Symbology.GS1AZTEC: 206,
    Symbology.OTHER: 501,
}

_GS1 = frozenset(
    {Symbology.EAN128, Symbology.GS1DATABAR, Symbology.GS1DATAMATRIX, Symbology.GS1QRCODE, Symbology.GS1AZTEC}
)

# For each code character the modifiers that mean something; a modifier that is not here leaves the data
# untouched.
_TABLE: dict[bytes, dict[bytes, Symbology]] = {
    b"A": dict.fromkeys((b"0", b"1", b"2", b"3", b"4", b"5", b"7"), Symbology.CODE39),
    b"C": {
        b"0": Symbology.CODE128,
        b"1": Symbology.EAN128,
        b"2": Symbology.CODE128,
        b"4": Symbology.CODE128,
    },
    b"E": {
        b"0": Symbology.EAN13,
        b"1": Symbology.OTHER,
        b"2": Symbology.OTHER,
        b"3": Symbology.EAN13_S,
        b"4": Symbology.EAN8,
    },
    b"F": dict.fromkeys((b"0", b"1", b"2", b"4"), Symbology.CODABAR),
    b"G": dict.fromkeys(tuple(b"%c" % c for c in b"0123456789ABCDEFGHIJKLMm"), Symbology.CODE93),
    b"H": dict.fromkeys((b"0", b"1", b"3"), Symbology.OTHER),
    b"I": dict.fromkeys((b"0", b"1", b"3"), Symbology.ITF),
    b"L": dict.fromkeys((b"0", b"1", b"2", b"3", b"4", b"5"), Symbology.PDF417),
    b"M": dict.fromkeys((b"0", b"1"), Symbology.OTHER),
    b"Q": {
        b"0": Symbology.QRCODE,
        b"1": Symbology.QRCODE,
        b"2": Symbology.QRCODE,
        b"3": Symbology.GS1QRCODE,
        b"4": Symbology.GS1QRCODE,
        b"5": Symbology.QRCODE,
        b"6": Symbology.QRCODE,
    },
    b"R": dict.fromkeys((b"0", b"1", b"3"), Symbology.TF),
    b"S": dict.fromkeys((b"0",), Symbology.TF),
    b"U": dict.fromkeys((b"0", b"1", b"2", b"3"), Symbology.MAXICODE),
    b"X": {b"0": Symbology.OTHER},
    b"d": {
        b"0": Symbology.DATAMATRIX,
        b"1": Symbology.DATAMATRIX,
        b"2": Symbology.GS1DATAMATRIX,
        b"3": Symbology.DATAMATRIX,
        b"4": Symbology.DATAMATRIX,
        b"5": Symbology.GS1DATAMATRIX,
        b"6": Symbology.DATAMATRIX,
    },
    b"e": dict.fromkeys((b"0", b"1", b"2", b"3"), Symbology.GS1DATABAR),
    b"o": {b"1": Symbology.OCRA, b"2": Symbology.OCRB},
    b"z": {
        b"0": Symbology.AZTEC,
        b"1": Symbology.GS1AZTEC,
        b"2": Symbology.AZTEC,
        b"3": Symbology.AZTEC,
        b"4": Symbology.GS1AZTEC,
        b"5": Symbology.AZTEC,
    },
}

# Modes of extended channel interpretation. In them, and only in them, a backslash of the data travels
# doubled and a backslash with six digits names an encoding. We drop that name: the text is read as UTF-8 or
# by the fallback.
_ECI_MODES = frozenset({b"]L1", b"]Q2", b"]Q4", b"]Q6", b"]U2", b"]U3", b"]d4", b"]d5", b"]d6", b"]z3", b"]z4", b"]z5"})
_ECI_ESCAPE = re.compile(rb"\\(?:(\\)|[0-9]{6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedScan:
    """The text of a frame and the kind of code that it came from."""

    data: str
    symbology: Symbology


def decode(
    raw: bytes, *, encoding_fallback: str, gs_substitute: bytes = b"", told: Symbology = Symbology.UNKNOWN
) -> DecodedScan:
    """Strip the AIM identifier from a frame and read its text.

    An identifier that is not known stays in the data. Without one the kind is what the scanner's protocol
    `told`. Text is UTF-8, strictly, or else the fallback encoding with U+FFFD for bytes that it does not
    know. The GS1 separator (0x1D) stays, and takes the place of `gs_substitute` in codes that are not known
    to be anything else than GS1.
    """
    symbology, payload = _identify(raw, told)
    if gs_substitute and (symbology.is_gs1 or symbology is Symbology.UNKNOWN):
        payload = payload.replace(gs_substitute, GS)
    return DecodedScan(data=_text(payload, encoding_fallback), symbology=symbology)


def _identify(raw: bytes, told: Symbology) -> tuple[Symbology, bytes]:
    identifier, payload = raw[:3], raw[3:]
    symbology = _TABLE.get(identifier[1:2], {}).get(identifier[2:3]) if identifier[:1] == b"]" else None
    if symbology is None:
        return told, raw
    if identifier == b"]E0" and len(payload) == 12 and payload.isdigit():
        # The standard wants 13 digits here; scanners that send UPC-A as it is printed send 12.
        return Symbology.UPCA, payload
    if identifier in _ECI_MODES:
        payload = _ECI_ESCAPE.sub(rb"\1", payload)
    return symbology, payload


def _text(payload: bytes, encoding_fallback: str) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return payload.decode(encoding_fallback, errors="replace")
