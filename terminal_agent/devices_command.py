"""The command `loyalty-agent devices`: the serial ports of this machine, what hangs on them, and what to configure."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from terminal_agent.data_directory import DataDirectory

if TYPE_CHECKING:
    from drivers.ports import Port

__all__ = ["add_arguments", "run"]

RULE_FILE = "70-loyalty-scanners.rules"
DESCRIPTION = """\
Lists the serial ports with a guess at what hangs on them, and the port to write into agent.toml: a path in
/dev/serial/by-id, or usb:VID:PID:SERIAL, which stay the same when the device is plugged in elsewhere.

A guess rests on the maker's USB number: a scanner behind an adapter cable is shown as `adapter`. Find out with
`loyalty-agent scan-test PORT`, which shows what arrives.

ModemManager may take a scanner for a modem and write to it. Keep it away with the udev rule of the agent:
  loyalty-agent devices --udev-rule | sudo tee /etc/udev/rules.d/70-loyalty-scanners.rules
"""
NOTHING = """\
This machine has no serial port. Plug the scanner in; set it to "USB COM port" (USB-CDC, virtual serial port) with the
programming code of its manual, for as a keyboard it is no serial device."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description, parser.formatter_class = DESCRIPTION, argparse.RawDescriptionHelpFormatter
    parser.add_argument("--directory", metavar="DIR", help="the agent's data directory, for what is configured already")
    parser.add_argument("--json", action="store_true", help="print one line of JSON with a list of ports")
    parser.add_argument("--udev-rule", action="store_true", help="print the udev rule for scanners, and nothing else")


def run(options: argparse.Namespace) -> int:
    """List the ports. Returns 0, or 2 where they could not be listed."""
    if options.udev_rule:
        print(files("terminal_agent").joinpath(RULE_FILE).read_text(encoding="utf-8"), end="")
        return 0
    # Imported here: the help of every command is built from this module, and must not wait for the rest.
    from drivers.errors import DriverError
    from drivers.ports import list_ports

    try:
        configured = _configured(DataDirectory.at(options.directory))
        found = [_described(port, configured) for port in list_ports()]
    except DriverError as error:
        print(f"loyalty-agent devices: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)
    return 0


def _configured(directory: DataDirectory) -> dict[str, str]:
    """The path that each configured scanner is at now, with its name; nothing where there is no configuration yet."""
    from drivers.errors import DeviceUnavailable
    from drivers.ports import resolve
    from terminal_agent.settings import ConfigurationError, read_settings

    try:
        scanners = read_settings(directory.settings).scanner
    except ConfigurationError:
        return {}
    paths = {}
    for scanner in scanners:
        try:
            paths[os.path.realpath(resolve(scanner.port))] = scanner.name
        except DeviceUnavailable:
            continue
    return paths


def _described(port: Port, configured: dict[str, str]) -> dict[str, Any]:
    usb = None if port.vendor_id is None else f"{port.vendor_id:04x}:{port.product_id:04x}"
    facts = asdict(port) | {"usb": usb, "configured_as": configured.get(port.path)}
    return {name: value for name, value in facts.items() if name not in ("vendor_id", "product_id")}


def _show(found: list[dict[str, Any]]) -> None:
    from terminal_agent.tables import print_facts

    if not found:
        print(NOTHING)
    for facts in found:
        print_facts({name: value for name, value in facts.items() if value})
        if facts["guess"] == "scanner" and not facts["configured_as"]:
            print(f' in agent.toml:\n   [[scanner]]\n   name = "counter"\n   port = "{facts["stable_port"]}"')
        print()
