"""The command `loyalty-agent scan-test`: its help and its options. The work is in `scan_test.py`."""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Shows each byte as it arrives, then the scan that the agent makes of it: symbology, text, meaning. End it with Ctrl-C.
The agent has its scanners open; stop it first, or test another port.

What to look for:
  bytes and no scan       nothing ends the code: program the scanner to send CR after each
  `OTHER`, `UNKNOWN`      no AIM identifier: program the scanner to send it, and GS1 codes and UPC are told for sure
  strange bytes           --baud-rate is not the scanner's own
  bytes that begin with a length and F3   the scanner speaks SSI: --protocol ssi
  nothing at all          another port, a scanner that is set up as a keyboard, or a cable

Examples:
  loyalty-agent scan-test
  loyalty-agent scan-test counter
  loyalty-agent scan-test /dev/ttyACM0 --baud-rate 115200
  loyalty-agent scan-test usb:0c2e:0b6a --scans 1 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description, parser.formatter_class = DESCRIPTION, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "scanner", nargs="?", help="a scanner's name in agent.toml, a path, or usb:VID:PID (default: the only one)"
    )
    parser.add_argument("--baud-rate", type=int, metavar="N", help="of the scanner's own setting (default 9600)")
    parser.add_argument("--protocol", choices=("plain", "ssi"), help="what the scanner speaks (default plain)")
    parser.add_argument("--scans", type=int, metavar="N", help="end after so many scans")
    parser.add_argument("--seconds", type=float, metavar="N", help="end after so long")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each event")
    parser.add_argument("--directory", metavar="DIR", help="the agent's data directory")


def run(options: argparse.Namespace) -> int:
    """Show what arrives. Returns 0, or 2 where the port cannot be read."""
    # Imported here: the help of every command is built from this module, and must not wait for the rest.
    from terminal_agent import scan_test

    return scan_test.run(options)
