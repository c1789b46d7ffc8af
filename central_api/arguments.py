"""What the commands of `loyalty-central` share: groups, the options that all take, and values that are checked.

Imports only the standard library, as `cli.py` does.
"""

from __future__ import annotations

import argparse
import os
from datetime import date, datetime
from typing import TypeAlias

__all__ = ["Commands", "add_command", "add_group", "count", "day", "hours", "instant", "version"]

DATABASE_VARIABLE = "LOYALTY_CENTRAL_DATABASE"
DATABASE_DEFAULT = "sqlite:///loyalty-central.db"
COUNT_MAX = 10_000
HOURS_MAX = 720
VERSION_MAX = 2**53 - 1

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_group(commands: Commands, name: str, text: str) -> Commands:
    """Add a command that has commands of its own, and return where they go."""
    group = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    return group.add_subparsers(dest="action", required=True)


def add_command(commands: Commands, name: str, text: str, example: str) -> argparse.ArgumentParser:
    """Add a command with the options that every command takes; `text` is its help, `example` a whole line."""
    command = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get(DATABASE_VARIABLE) or DATABASE_DEFAULT,
        help=f"the database (default: ${DATABASE_VARIABLE}, else {DATABASE_DEFAULT})",
    )
    command.add_argument(
        "--keys",
        metavar="FILE",
        help="the key file (default: beside the SQLite file; for PostgreSQL loyalty-central.keys.json here)",
    )
    command.add_argument("--tenant", metavar="NAME", help="the tenant (default: the only one; for init: default)")
    command.add_argument("--json", action="store_true", help="print JSON instead of text and tables")
    return command


def count(text: str) -> int:
    """A whole number from 1 to COUNT_MAX."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= COUNT_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {COUNT_MAX}")
    return int(text)


def hours(text: str) -> int:
    """Whole hours from 0 to HOURS_MAX."""
    if not (text.isascii() and text.isdigit() and int(text) <= HOURS_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of hours from 0 to {HOURS_MAX}")
    return int(text)


def version(text: str) -> int:
    """A programme's version."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= VERSION_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is no version; they count from 1")
    return int(text)


def instant(text: str) -> datetime:
    """An instant with its offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time with its offset; write it as 2027-01-01T00:00:00+00:00")
    return found


def day(text: str) -> date:
    """A day of the calendar."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2026-05-31") from None
