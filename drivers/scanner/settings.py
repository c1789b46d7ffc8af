"""The configuration of one scanner, checked once when it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.errors import SettingsInvalid
from drivers.ports import check_port

__all__ = ["ALL_SUFFIXES", "ProtocolName", "ScannerSettings"]

ProtocolName = Literal["plain", "ssi"]

ALL_SUFFIXES = b"\r\n\t\x03"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerSettings:
    """How one serial scanner is read.

    name: how events call the scanner.
    port: a device path, best one in /dev/serial/by-id, or usb:VID:PID or usb:VID:PID:SERIAL; these survive replugging.
    protocol: `plain` for a scanner that just sends, `ssi` for Zebra's packets with ACK/NAK.
    prefix: what this scanner puts in front of each code beside STX; it is dropped.
    suffixes: each of these bytes ends a scan; a code that may hold one (a TAB in a contact card) needs a
    shorter list.
    idle_gap_ms: silence that ends a scan; None where only a suffix may.
    frame_bytes_max, frame_duration_ms_max: what is longer is noise and dropped whole.
    duplicate_window_ms: a code seen again within this time of its last sighting is the same scan; 0 turns
    it off.
    encoding_fallback: how to read what is not UTF-8.
    gs_substitute: what this scanner sends in place of the GS1 separator (0x1D), if anything.
    reopen_first_s, reopen_limit_s: the shortest and the longest pause between attempts to open the port.
    """

    name: str
    port: str
    baud_rate: int = 9600
    protocol: ProtocolName = "plain"
    prefix: bytes = b""
    suffixes: bytes = ALL_SUFFIXES
    idle_gap_ms: int | None = 100
    frame_bytes_max: int = 4096
    frame_duration_ms_max: int = 5000
    duplicate_window_ms: int = 500
    encoding_fallback: str = "cp1252"
    gs_substitute: bytes = b""
    reopen_first_s: float = 0.1
    reopen_limit_s: float = 0.8

    def __post_init__(self) -> None:
        self._check_identity()
        self._check_framing()
        self._check_encoding()

    def _check_identity(self) -> None:
        if not self.name or not self.port:
            raise SettingsInvalid("a scanner needs a name and a port: give both in its section of the configuration")
        check_port(self.port)
        if self.baud_rate <= 0:
            raise self._wrong("baud_rate", self.baud_rate, "a positive number such as 9600")

    def _check_framing(self) -> None:
        if self.protocol == "ssi" and self.idle_gap_ms is None:
            raise self._wrong("idle_gap_ms", None, "a number: SSI asks for a damaged packet again after a silence")
        if self.idle_gap_ms is None and not self.suffixes:
            raise self._wrong("idle_gap_ms", None, "a number, because no suffix is given that could end a scan")
        if self.idle_gap_ms is not None and self.idle_gap_ms < 10:
            raise self._wrong("idle_gap_ms", self.idle_gap_ms, "at least 10, or scans fall apart")
        if self.frame_bytes_max < 1 or self.frame_duration_ms_max < 1:
            raise self._wrong("frame_bytes_max", self.frame_bytes_max, "at least 1, and the duration too")
        if self.duplicate_window_ms < 0:
            raise self._wrong("duplicate_window_ms", self.duplicate_window_ms, "0 or more")
        if not 0 < self.reopen_first_s <= self.reopen_limit_s:
            raise self._wrong("reopen_first_s", self.reopen_first_s, "above 0 and at most reopen_limit_s")

    def _check_encoding(self) -> None:
        try:
            # Every byte once: an encoding that refuses one, or is none of text, would fail at the till.
            bytes(range(256)).decode(self.encoding_fallback, errors="replace")
        except (LookupError, ValueError):
            wanted = "a text encoding that Python knows, such as cp1252"
            raise self._wrong("encoding_fallback", self.encoding_fallback, wanted) from None

    def _wrong(self, field: str, value: object, wanted: str) -> SettingsInvalid:
        return SettingsInvalid(f"scanner {self.name}: {field} is {value!r}; it must be {wanted}")
