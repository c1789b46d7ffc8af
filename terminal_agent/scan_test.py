"""What a scanner sends, byte by byte, and what the agent makes of it: the work of `loyalty-agent scan-test`.

It reads the port exactly as the agent does, and records nothing.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drivers.clock import SystemClock
from drivers.errors import DriverError
from drivers.ports import USB_PREFIX, list_ports
from drivers.scanner.events import ScanEvent, ScannerEvent, ScannerStatusEvent
from drivers.scanner.reader import ScannerReader
from drivers.scanner.serial_port import ScannerPort, open_serial_port
from drivers.scanner.settings import ScannerSettings
from drivers.state import DeviceState
from loyalty_sdk.codec import encode
from terminal_agent.data_directory import DataDirectory
from terminal_agent.meaning import CodeRules, MeaningReader
from terminal_agent.scans import ScanDesk
from terminal_agent.settings import AgentSettings, ConfigurationError, ScannerSection, read_settings

__all__ = ["run"]

_NAMED = {0x02: "STX", 0x03: "ETX", 0x06: "ACK", 0x09: "TAB", 0x0A: "LF", 0x0D: "CR", 0x15: "NAK", 0x1D: "GS"}


class NoScanner(Exception):
    """It is not clear which port to read; the text says what to name."""


@dataclass(frozen=True, slots=True)
class _Bytes:
    """What one read brought."""

    data: bytes


class _WatchedPort:
    """A port whose bytes are shown too."""

    def __init__(self, port: ScannerPort, show: Callable[[_Bytes], None]) -> None:
        self._port = port
        self._show = show
        self.read_timeout_s = port.read_timeout_s

    def read(self) -> bytes:
        data = self._port.read()
        if data:
            self._show(_Bytes(data))
        return data

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def close(self) -> None:
        self._port.close()


def run(options: argparse.Namespace) -> int:
    """Show what arrives. Returns 0, or 2 where the port cannot be read."""
    try:
        settings = _read_settings(options)
        section = _section(options, settings)
        rules = CodeRules() if settings is None else settings.codes.rules()
        return _watch(section.driver_settings(), ScanDesk(MeaningReader(rules), SystemClock().now), options)
    except (NoScanner, ConfigurationError, DriverError) as error:
        print(f"loyalty-agent scan-test: {error}", file=sys.stderr)
        return 2


def _read_settings(options: argparse.Namespace) -> AgentSettings | None:
    path = DataDirectory.at(options.directory).settings
    return read_settings(path) if path.exists() else None


def _section(options: argparse.Namespace, settings: AgentSettings | None) -> ScannerSection:
    configured = {} if settings is None else {section.name: section for section in settings.scanner}
    section = configured.get(options.scanner) or _chosen(options.scanner, configured)
    return ScannerSection(
        **{name: getattr(section, name) for name in ScannerSection.__dataclass_fields__}
        | {name: value for name in ("baud_rate", "protocol") if (value := getattr(options, name)) is not None}
    )


def _chosen(named: str | None, configured: dict[str, ScannerSection]) -> ScannerSection:
    if named is not None:
        if "/" in named or named.startswith((USB_PREFIX, "COM")):
            return ScannerSection(name="test", port=named)
        raise NoScanner(f"agent.toml has no scanner {named!r}; it has: {', '.join(configured) or 'none'}")
    if len(configured) == 1:
        return next(iter(configured.values()))
    guessed = [port for port in list_ports() if port.guess == "scanner"]
    if not configured and len(guessed) == 1:
        return ScannerSection(name="test", port=guessed[0].stable_port)
    found = ", ".join(configured) or ", ".join(port.stable_port for port in guessed) or "no scanner is found"
    raise NoScanner(f"name the scanner or its port ({found}); `loyalty-agent devices` lists the ports")


def _watch(settings: ScannerSettings, desk: ScanDesk, options: argparse.Namespace) -> int:
    events: queue.Queue[_Bytes | ScannerEvent] = queue.Queue()
    reader = ScannerReader(
        settings,
        events.put,
        clock=SystemClock(),
        random=random.random,
        open_port=lambda chosen: _WatchedPort(open_serial_port(chosen), events.put),
    )
    reader.start()
    try:
        return _show_until_enough(events, desk, options, settings.port)
    finally:
        reader.stop()


def _show_until_enough(
    events: queue.Queue[_Bytes | ScannerEvent], desk: ScanDesk, options: argparse.Namespace, port: str
) -> int:
    first = events.get()  # The reader tells at once whether the port could be opened.
    if isinstance(first, ScannerStatusEvent) and first.state is DeviceState.OFFLINE:
        print(f"loyalty-agent scan-test: {first.reason}", file=sys.stderr)
        return 2
    scans = int(_show(first, desk, options, port))
    ends_s = None if options.seconds is None else time.monotonic() + options.seconds
    while options.scans is None or scans < options.scans:
        try:
            event = events.get(timeout=None if ends_s is None else max(0.0, ends_s - time.monotonic()))
        except queue.Empty:
            break
        scans += _show(event, desk, options, port)
    return 0


def _show(event: _Bytes | ScannerEvent, desk: ScanDesk, options: argparse.Namespace, port: str) -> bool:
    """Print one event; say whether it was a scan."""
    facts = _facts(event, desk, port)
    print(json.dumps(facts, ensure_ascii=False) if options.json else _line(facts), flush=True)
    return isinstance(event, ScanEvent)


def _facts(event: _Bytes | ScannerEvent, desk: ScanDesk, port: str) -> dict[str, Any]:
    if isinstance(event, _Bytes):
        return {"event": "bytes", "hex": event.data.hex(" "), "text": _readable(event.data)}
    if isinstance(event, ScanEvent):
        facts: dict[str, Any] = encode(desk.of_event(event))
        return {"event": "scan", **facts, "raw": event.raw.hex(" ")}
    return {"event": "status", "port": port, "state": event.state.value, "reason": event.reason}


def _readable(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"<{_NAMED.get(byte, f'{byte:02X}')}>" for byte in data)


def _line(facts: dict[str, Any]) -> str:
    if facts["event"] == "bytes":
        return f"bytes   {facts['hex']}\n        {facts['text']}"
    if facts["event"] == "status":
        return f"{facts['state']:8}{facts['port']} {facts['reason']}".rstrip()
    others = f" (or {', '.join(facts['other_kinds'])})" if facts["other_kinds"] else ""
    elements = "".join(f" ({element['ai']}){element['value']}" for element in facts["elements"])
    meaning = f"{facts['kind']}{others} {facts['value']}{elements}"
    data = _readable(facts["data"].encode("ascii", "backslashreplace"))
    return f"scan    {facts['symbology']} {facts['scan_data_type']}: {data}\n        {meaning}"
