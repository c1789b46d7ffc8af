"""The commands around paper: `print-test`, `reprint`, `spool`, `report`. The running agent does what they ask for."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from terminal_agent.command import NO_REGISTER, Command, CommandFailed, agent_till, directory_argument, json_argument
from terminal_agent.command import teach as _teach

if TYPE_CHECKING:
    from loyalty_sdk import PrintJob, Till

__all__ = ["PRINTER_COMMANDS"]

WAIT_S = 20.0
POLL_S = 0.1

_TOLD = {
    "queued": "waits: the printer is off, or others are before it. Watch it with `loyalty-agent spool list`",
    "sent": "has left; this printer never says whether it printed (setting `confirm`)",
    "printed": "is printed: the printer said so",
    "failed": "is not printed",
    "unknown": "may be printed or not: look at the paper",
}


def _print_test_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--printer", metavar="NAME", help="a printer of agent.toml (default: the only one)")
    parser.add_argument("--register", default=NO_REGISTER, metavar="R", help="the printer that serves this register")
    parser.add_argument("--no-drawer", action="store_true", help="leave the cash drawer closed")
    directory_argument(parser)
    json_argument(parser)
    _teach(
        parser,
        "What to look at on the paper:\n"
        "  the ruler     1234567890… fills one line exactly; if it breaks, set `columns` lower\n"
        "  the table     each letter is the one of the code page; if not, set `code_page_number` by the manual\n"
        "  the codes     a scanner reads both; if not, name the printer's `model`\n"
        "Exit status: 0 printed or sent, 1 not printed or not known, 2 it could not be asked for.\n",
    )


def _print_test(options: argparse.Namespace) -> int:
    with agent_till(options, cashier="print-test", register=options.register) as till:
        job = _await_end(till, till.print_test(options.printer, drawer=not options.no_drawer))
    drawer = "the drawer left closed" if options.no_drawer else "a pulse for the drawer"
    did = f"every character of its code page, the styles, a QR code, a barcode, {drawer}, a cut"
    return _end(options, job, f"Test page for {job.printer}: {did}.")


def _reprint_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", nargs="?", metavar="JOB", help="a print job as `spool list` shows it")
    parser.add_argument("--number", metavar="N", help="the receipt of this number, with --store and --register")
    parser.add_argument("--series", default="", metavar="S", help="the receipt's series, where it has one")
    parser.add_argument("--date", type=_date, metavar="DAY", help="its business date, as 2026-05-01 (default: today)")
    parser.add_argument("--store", default=NO_REGISTER, metavar="S", help="of this store (default: any)")
    parser.add_argument("--register", default=NO_REGISTER, metavar="R", help="of this register (default: any)")
    directory_argument(parser)
    json_argument(parser)
    _teach(
        parser,
        "  loyalty-agent reprint                                    the latest receipt of this terminal\n"
        "  loyalty-agent reprint --register 2                       the latest of one register\n"
        "  loyalty-agent reprint receipt:17                         what a job printed, or should have\n"
        "  loyalty-agent reprint --store 1 --register 2 --number 42 --date 2026-05-01\n"
        "A copy says that it is one. Nothing is recorded: no points are given or taken.\n"
        "Exit status: 0 printed or sent, 1 not printed or not known, 2 it could not be asked for.\n",
    )


def _reprint(options: argparse.Namespace) -> int:
    from loyalty_sdk import ReceiptKey

    if options.number and NO_REGISTER in (options.store, options.register):
        raise CommandFailed("--number is counted for each register: name --store and --register too")
    if options.number and options.job:
        raise CommandFailed("a job and a receipt number are two receipts: name one of them")
    with agent_till(options, cashier="reprint", store=options.store, register=options.register) as till:
        if options.number:
            key = ReceiptKey(
                store=options.store,
                register=options.register,
                business_date=options.date or date.today(),
                number=options.number,
                series=options.series,
            )
            asked = till.print_receipt(key, copy=True)
        else:
            asked = till.reprint(options.job)
        job = _await_end(till, asked)
    return _end(options, job, f"A copy of receipt {asked.receipt}, marked as one.")


def _spool_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "cancel"), default="list", help="default: list")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="what to cancel, as the list shows it")
    parser.add_argument("--all", action="store_true", help="cancel every job that waits")
    directory_argument(parser)
    json_argument(parser)
    _teach(
        parser,
        "  queued    waits for its printer, and can be cancelled\n"
        "  sent      has left; the printer has not said more, or never does\n"
        "  printed   the printer said so\n"
        "  failed    is not on paper, nor will be\n"
        "  unknown   look at the paper; if it is missing: loyalty-agent reprint JOB\n"
        "Nothing is ever printed twice by itself.\n",
    )


def _spool(options: argparse.Namespace) -> int:
    with agent_till(options, cashier="spool") as till:
        jobs: Sequence[PrintJob] = till.print_jobs()
        if options.action == "cancel":
            waiting = [job.job_id for job in jobs if job.state == "queued"]
            if not (options.jobs or options.all):
                raise CommandFailed(f"name what to cancel, or --all; waiting: {', '.join(waiting) or 'nothing'}")
            jobs = [till.cancel_print(job) for job in options.jobs or waiting]
    _show_jobs(options, jobs)
    left = [job.job_id for job in jobs if job.state != "failed"] if options.action == "cancel" else []
    if left:
        print(f"Not cancelled, for it has left already: {', '.join(left)}", file=sys.stderr)
    return 1 if left else 0


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("x", "z"), help="x: interim, leaves no trace; z: closes the business date")
    parser.add_argument("--store", default=NO_REGISTER, metavar="S", help="default: that of the latest receipt")
    parser.add_argument("--register", default=NO_REGISTER, metavar="R", help="default: that of the latest receipt")
    parser.add_argument("--date", type=_date, metavar="DAY", help="business date, as 2026-05-01 (default: today)")
    parser.add_argument("--number", type=int, metavar="N", help="a Z report that was made before, once more")
    parser.add_argument("--print", action="store_true", dest="printed", help="put it on the register's paper too")
    directory_argument(parser)
    json_argument(parser)
    _teach(
        parser,
        "  loyalty-agent report x --register 1                      how the day is going\n"
        "  loyalty-agent report z --register 1 --print              close the day and print the report\n"
        "  loyalty-agent report z --register 1 --number 17 --print  print that one again, as a copy\n"
        "Z reports are numbered for each register without gaps. Asked twice for a date, the first one comes again;\n"
        "what was recorded for it since goes into one of its own. Exit status: 1 where the totals are incomplete.\n",
    )


def _report(options: argparse.Namespace) -> int:
    from loyalty_sdk.codec import encode

    if options.kind == "x" and options.number is not None:
        raise CommandFailed("X reports have no numbers: ask for `report x` without one, or for `report z --number`")
    place = {"store": options.store, "register": options.register, "business_date": options.date}
    with agent_till(options, cashier="report", **place) as till:
        report = till.report(options.kind, number=options.number, printed=options.printed)
        if report.job is not None:
            report = replace(report, job=_await_end(till, report.job))
    if options.json:
        print(json.dumps(encode(report), ensure_ascii=False))
    else:
        print("\n".join(report.lines))
        if report.job is not None:
            print(_became(report.job))
    return 0 if report.complete else 1


def _await_end(till: Till, job: PrintJob) -> PrintJob:
    """Ask after a job until it ended, for a while."""
    deadline = time.monotonic() + WAIT_S
    while job.ended_at is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
        job = next((found for found in till.print_jobs() if found.job_id == job.job_id), job)
    return job


def _became(job: PrintJob) -> str:
    reason = f": {job.reason}" if job.reason else ""
    return f"Print job {job.job_id} {_TOLD[job.state]}{reason}."


def _end(options: argparse.Namespace, job: PrintJob, what: str) -> int:
    from loyalty_sdk.codec import encode

    if options.json:
        print(json.dumps(encode(job), ensure_ascii=False))
    else:
        print(f"{what}\n{_became(job)}")
    return 0 if job.state in ("printed", "sent") else 1


def _show_jobs(options: argparse.Namespace, jobs: Sequence[PrintJob]) -> None:
    from loyalty_sdk.codec import encode
    from terminal_agent.tables import print_rows

    if options.json:
        print(json.dumps(encode(list(jobs)), ensure_ascii=False))
        return
    rows = [(job.job_id, job.state, job.content, str(job.receipt or ""), _clock(job), job.reason or "") for job in jobs]
    print_rows(("job", "state", "content", "receipt", "queued", "reason"), rows, nothing="no print jobs yet")


def _clock(job: PrintJob) -> str:
    return "" if job.queued_at is None else job.queued_at.astimezone().isoformat(" ", timespec="seconds")[:19]


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write it as 2026-05-01") from None


PRINTER_COMMANDS = (
    Command(
        name="print-test",
        summary="print a page that shows what a printer can do",
        description="Prints every character of the configured code page, the styles, a QR code and a barcode, opens "
        "the cash drawer and cuts. Asks for nothing; says in the end what it did and what the printer answered.",
        add_arguments=_print_test_arguments,
        run=_print_test,
    ),
    Command(
        name="reprint",
        summary="print a copy of a receipt, marked as one",
        description="Prints a copy of the latest receipt, of a print job's receipt, or of the receipt of a number.",
        add_arguments=_reprint_arguments,
        run=_reprint,
    ),
    Command(
        name="spool",
        summary="list the print jobs and what became of them, or cancel those that wait",
        description="Shows the latest jobs of every printer, the newest first, or cancels jobs that still wait.",
        add_arguments=_spool_arguments,
        run=_spool,
    ),
    Command(
        name="report",
        summary="X or Z report of the loyalty totals of a register and business date",
        description="Counts sales, members, points earned, redeemed and reversed, and their value.",
        add_arguments=_report_arguments,
        run=_report,
    ),
)
