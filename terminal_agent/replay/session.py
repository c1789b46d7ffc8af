"""One replay from its options to its exit status: reads the file, runs it, writes what was asked for."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace as changed
from pathlib import Path

from rich.console import Console

from terminal_agent.demo.central_rows import clear_database
from terminal_agent.demo.processes import ProcessFailed
from terminal_agent.replay.crew import RegisterFailed
from terminal_agent.replay.fleet import prepare_directory
from terminal_agent.replay.linking import link_cancellations
from terminal_agent.replay.options import OptionsInvalid, settings_of
from terminal_agent.replay.programme import minor_digits, programme_document
from terminal_agent.replay.receipts import Invoices, group_rows
from terminal_agent.replay.records import FileUnreadable, read_records
from terminal_agent.replay.results import Results, print_results, write_balances, write_rejects
from terminal_agent.replay.rows import read_rows
from terminal_agent.replay.run import members_of, replay
from terminal_agent.replay.settings import ReplaySettings

__all__ = ["DIFFERENT", "DONE", "INTERRUPTED", "REFUSED", "run_session"]

DONE, DIFFERENT, REFUSED, INTERRUPTED = 0, 1, 2, 130


def run_session(arguments: argparse.Namespace) -> int:
    """Replay the file. Returns 0, 1 where anything was lost, doubled or different, 2 for input that cannot be used."""
    console = Console()
    try:
        results = _replay(settings_of(arguments), console)
    except (OptionsInvalid, FileUnreadable) as error:
        return _complain(error, REFUSED)
    except (ProcessFailed, RegisterFailed) as error:
        return _complain(error, DIFFERENT)
    except KeyboardInterrupt:
        return _complain("interrupted; every process was ended", INTERRUPTED)
    print_results(console, results)
    if arguments.json:
        print(results.to_json(), flush=True)
    return DONE if results.is_clean else DIFFERENT


def _replay(settings: ReplaySettings, console: Console) -> Results:
    begun_s = time.monotonic()
    document, programme = programme_document(settings.programme, settings.currency)
    _check_writable(settings)
    with console.status(f"Reading {settings.file}"):
        invoices = _read(settings, programme.currency)
    console.print(
        f"{len(invoices.receipts):,} receipts; {len(invoices.rejects):,} rows make no sense and are skipped",
        highlight=False,
    )
    if settings.rejects is not None:
        write_rejects(settings.rejects, invoices.rejects)
    prepare_directory(settings.directory)
    if settings.central_database is not None:
        clear_database(settings.central_database)
    steps = tuple(link_cancellations(invoices.receipts))
    results = replay(settings, steps, document, len(invoices.rejects), console)
    if settings.balances is not None:
        write_balances(settings.balances, members_of(steps), results.findings.members)
    return changed(results, wall_seconds=time.monotonic() - begun_s)


def _read(settings: ReplaySettings, currency: str) -> Invoices:
    written = settings.format
    records = read_records(settings.file, encoding=written.encoding, delimiter=written.delimiter)
    return group_rows(
        read_rows(records, written, minor_digits=minor_digits(currency)),
        currency=currency,
        cancellation_prefix=written.cancellation_prefix,
        limit=settings.limit,
    )


def _check_writable(settings: ReplaySettings) -> None:
    """Find out before the run, not after it, that a result has no place to go. Raises OptionsInvalid."""
    for option, path in (("--balances", settings.balances), ("--rejects", settings.rejects)):
        if path is not None and (path.is_dir() or not _folder_of(path).is_dir()):
            raise OptionsInvalid(f"{option} {path} cannot be written; name a file in a folder that exists")


def _folder_of(path: Path) -> Path:
    return path.absolute().parent


def _complain(error: object, status: int) -> int:
    print(f"loyalty-agent replay: {error}", file=sys.stderr)
    return status
