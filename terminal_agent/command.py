"""What every command of `loyalty-agent` is made of: its row in the table, its usual options, and the way to the agent.

A command imports what it needs when it runs: `--help` stays quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from terminal_agent.data_directory import DataDirectory

if TYPE_CHECKING:
    from loyalty_sdk import Till

__all__ = ["NO_REGISTER", "Command", "CommandFailed", "agent_till", "directory_argument", "json_argument", "teach"]

NO_REGISTER = "-"
"""Store or register of a command that names none: it stands for any (`terminal_agent.receipt_search`)."""


class CommandFailed(Exception):
    """A command could not be done; the text is one clear message with its remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: its name, what `--help` says of it, its arguments and what runs it."""

    name: str
    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def directory_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--directory`."""
    parser.add_argument(
        "--directory",
        metavar="DIR",
        help="the agent's data directory (default: $XDG_STATE_HOME/loyalty-agent or ~/.local/state/loyalty-agent)",
    )


def json_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a table")


def teach(parser: argparse.ArgumentParser, text: str) -> None:
    """Put examples below the options of `--help`, as they are."""
    parser.epilog = text
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


@contextmanager
def agent_till(
    options: argparse.Namespace,
    *,
    cashier: str,
    store: str = NO_REGISTER,
    register: str = NO_REGISTER,
    business_date: date | None = None,
) -> Iterator[Till]:
    """Give a till on the running agent of `--directory`. Raises CommandFailed for all that can go wrong with it."""
    from loyalty_sdk import LoyaltyError, Till
    from terminal_agent.settings import ConfigurationError, read_settings

    directory = DataDirectory.at(options.directory)
    try:
        api = read_settings(directory.settings).local_api
        scheme = "https" if api.tls_certificate else "http"
        address = f"{scheme}://{api.listen}" if api.listen else f"unix:{directory.path / api.socket}"
        token = directory.token.read_text(encoding="ascii").strip()
        with Till(
            store=store,
            register=register,
            cashier=cashier,
            business_date=business_date or date.today(),
            agent=address,
            token=token,
        ) as till:
            yield till
    except ConfigurationError as error:
        raise CommandFailed(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{directory.token} cannot be read ({error}): is this the agent's user?") from None
    except LoyaltyError as error:
        raise CommandFailed(error.detail) from None
