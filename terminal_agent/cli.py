"""The command line `loyalty-agent`. Commands read; only `run` writes the journal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from terminal_agent._version import VERSION
from terminal_agent.commands import COMMANDS, CommandFailed

__all__ = ["main"]

_EPILOG = """\
A first till:
  loyalty-agent init --central https://loyalty.example.com --code 7K2M-9QXT-4HWD
  loyalty-agent run
  loyalty-agent status

See it all work on this machine, with central, scanner, printer and power failures:
  loyalty-agent demo
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0 done, 1 a check found differences, 2 it could not be done."""
    parser = _parser()
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] | None = getattr(options, "run", None)
    if run is None:
        parser.print_help()
        return 2
    try:
        return run(options)
    except CommandFailed as error:
        print(f"loyalty-agent: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loyalty-agent",
        description="Loyalty at the till that goes on working when the network does not.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"loyalty-agent {VERSION}")
    commands = parser.add_subparsers(title="commands")
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.summary, description=command.description)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
