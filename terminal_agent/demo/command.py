"""The command `loyalty-agent demo`: its options, and its errors as one sentence. The demo itself is `run.py`."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from datetime import date
from pathlib import Path

__all__ = ["add_arguments", "run"]

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the demo."""
    parser.add_argument(
        "--json", action="store_true", help="end with one line of JSON; all else goes to standard error"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("build/demo"),
        metavar="DIR",
        help="where everything is kept; cleared at the start (default %(default)s)",
    )
    parser.add_argument(
        "--central-database",
        metavar="URL",
        help="central's database, emptied at the start, as postgresql://USER@HOST/DATABASE (default: SQLite in DIR)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="plan this day again (default: another day every time)")
    parser.add_argument("--baskets", type=int, default=100, metavar="N", help="sales of the day (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo. Returns 0; 1 where something is missing, doubled or different; 2 where it could not be done."""
    # Imported here, since what draws and sells has no place in the memory of the other commands.
    from loyalty_sdk.errors import LoyaltyError
    from terminal_agent.demo.processes import ProcessFailed
    from terminal_agent.demo.report import Report
    from terminal_agent.demo.run import DemoSettings, run_demo

    settings = DemoSettings(
        directory=arguments.directory.resolve(),
        seed=secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed,
        baskets=arguments.baskets,
        business_date=date.today(),
        database_url=arguments.central_database,
    )
    report = Report(to_stderr=arguments.json, environment=os.environ)
    try:
        result = run_demo(settings, report)
    except (ProcessFailed, LoyaltyError, ValueError, OSError) as error:
        print(f"loyalty-agent demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("loyalty-agent demo: interrupted; everything that was started has ended", file=sys.stderr)
        return INTERRUPTED
    if arguments.json:
        print(result.to_json(), flush=True)
    return 1 if result.faults else 0
