"""The packets of Zebra's Simple Serial Interface (SSI): numbers and the shape, and nothing of a conversation.

    length  opcode  source  status  data …  checksum (two bytes, high first)

Length counts itself up to the data; the checksum is the two's complement of the sum of those bytes.

Source: Zebra, Simple Serial Interface Programmer's Guide (72E-40451).
"""

from __future__ import annotations

from enum import IntEnum

from drivers.scanner.symbology import Symbology

__all__ = ["CHECKSUM_BYTES", "FROM_SCANNER", "HEADER_BYTES", "SYMBOLOGIES", "Nak", "Opcode", "checksum", "packet"]

HEADER_BYTES = 4
CHECKSUM_BYTES = 2
FROM_SCANNER = 0x00
FROM_HOST = 0x04


class Opcode(IntEnum):
    """The packets that a till needs."""

    ACK = 0xD0
    NAK = 0xD1
    START_SESSION = 0xE4
    STOP_SESSION = 0xE5
    BEEP = 0xE6
    SCAN_ENABLE = 0xE9
    SCAN_DISABLE = 0xEA
    DECODE_DATA = 0xF3
    EVENT = 0xF6


class Nak(IntEnum):
    """Why a packet is refused."""

    RESEND = 1
    BAD_CONTEXT = 2
    DENIED = 6


# The bar code type, the first byte of the data of DECODE_DATA.
SYMBOLOGIES = {
    0x01: Symbology.CODE39,
    0x02: Symbology.CODABAR,
    0x03: Symbology.CODE128,
    0x04: Symbology.TF,
    0x05: Symbology.TF,
    0x06: Symbology.ITF,
    0x07: Symbology.CODE93,
    0x08: Symbology.UPCA,
    0x09: Symbology.UPCE,
    0x0A: Symbology.EAN8,
    0x0B: Symbology.EAN13,
    0x0F: Symbology.EAN128,
    0x10: Symbology.UPCE,
    0x11: Symbology.PDF417,
    0x13: Symbology.CODE39,
    0x1A: Symbology.UPDF417,
    0x1B: Symbology.DATAMATRIX,
    0x1C: Symbology.QRCODE,
    0x25: Symbology.MAXICODE,
    0x2C: Symbology.UQRCODE,
    0x2D: Symbology.AZTEC,
    0x30: Symbology.GS1DATABAR,
    0x31: Symbology.GS1DATABAR,
    0x32: Symbology.GS1DATABAR,
    # With a supplement of two (0x40) or five digits (0x80).
    0x48: Symbology.UPCA_S,
    0x88: Symbology.UPCA_S,
    0x49: Symbology.UPCE_S,
    0x89: Symbology.UPCE_S,
    0x4A: Symbology.EAN8_S,
    0x8A: Symbology.EAN8_S,
    0x4B: Symbology.EAN13_S,
    0x8B: Symbology.EAN13_S,
    0xC1: Symbology.GS1DATAMATRIX,
    0xC2: Symbology.GS1QRCODE,
}


def packet(opcode: int, data: bytes = b"", *, source: int = FROM_HOST, status: int = 0) -> bytes:
    """Return a packet with its checksum; `data` has at most 251 bytes."""
    body = bytes([HEADER_BYTES + len(data), opcode, source, status]) + data
    return body + checksum(body)


def checksum(body: bytes) -> bytes:
    """Return the two bytes that end a packet of this body."""
    return (-sum(body) & 0xFFFF).to_bytes(CHECKSUM_BYTES, "big")
