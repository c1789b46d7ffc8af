"""The command line `loyalty-central`: what it takes and how it fails. What it does is in `central_api.commands`.

Imports only the standard library, so that it can say what is missing where the extra `central` was not installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from central_api.arguments import Commands, add_command, add_group, count, day, hours, instant, version

__all__ = ["main"]

# What the extra `central` brings beside what the agent needs; SQLAlchemy asks for greenlet only when it is used.
EXTRA = ("fastapi", "alembic", "asyncpg", "greenlet")

FAILED = 2

EXAMPLES = """\
a first central, from nothing:
  loyalty-central init --programme programme.json
  loyalty-central member add --alias 2000000000015 --name "Maria da Silva"
  loyalty-central terminal add till-1
  loyalty-central serve

the same on PostgreSQL, whose address every command takes; the keys are a file all the same:
  loyalty-central init --database postgresql://loyalty@db.example/loyalty --keys /etc/loyalty/keys.json

an API key for the back office, the first one an administrator's:
  loyalty-central key add "back office" --scope administrator

a terminal that was stolen:
  loyalty-central terminal revoke till-1

after a restore from a backup: terminals return what it lacks, and until all have, nothing is granted
  loyalty-central recovery begin
  loyalty-central recovery show
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, or 2 after one line on standard error that names the remedy."""
    options = _parser().parse_args(arguments)
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        print(
            f"loyalty-central: error: {names} is not installed; run: pip install 'pos-loyalty-agent[central]'",
            file=sys.stderr,
        )
        return FAILED
    from central_api.commands.commands import run_command

    return run_command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loyalty-central",
        description="The reference central loyalty API: members, programme, terminals and the ledger.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = "{init,serve,migrate,verify,terminal,member,programme,quarantine,recovery,jobs,totals,key,audit}"
    commands = parser.add_subparsers(dest="command", metavar=names, required=True)
    _add_init(commands)
    _add_serve(commands)
    add_command(
        commands,
        "migrate",
        "bring the database of an earlier release to this one's form; make a backup first (serve and init do it too)",
        "loyalty-central migrate",
    )
    add_command(
        commands,
        "verify",
        "recompute every balance, outcome and chain from transfers and entries; ends with 1 where anything differs",
        "loyalty-central verify --json",
    )
    _add_terminal(commands)
    _add_member(commands)
    _add_quarantine(commands)
    _add_recovery(commands)
    _add_programme(commands)
    _add_jobs(commands)
    _add_totals(commands)
    _add_key(commands)
    _add_audit(commands)
    return parser


def _add_init(commands: Commands) -> None:
    command = add_command(
        commands,
        "init",
        "create database, keys and tenant",
        "loyalty-central init --tenant aurora --programme programme.json",
    )
    command.add_argument("--programme", metavar="FILE", help="a programme document to put in force at once")


def _add_serve(commands: Commands) -> None:
    command = add_command(
        commands,
        "serve",
        "answer terminals until SIGTERM; the API's documentation is under /docs",
        "loyalty-central serve --host 0.0.0.0 --port 8700",
    )
    command.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    command.add_argument("--port", type=int, default=8700, help="the port, 0 for any (default: %(default)s)")
    command.add_argument(
        "--no-jobs", dest="jobs", action="store_false", help="leave the jobs to other servers, or to: jobs run"
    )


def _add_terminal(commands: Commands) -> None:
    group = add_group(commands, "terminal", "enrol, list, recall and revoke terminals")
    add = add_command(
        group, "add", "make a terminal and print its one-time code", "loyalty-central terminal add till-1"
    )
    add.add_argument("name", help="the terminal's name, which is its id for ever")
    add_command(group, "list", "list the terminals", "loyalty-central terminal list --json")
    recall = add_command(
        group,
        "recall",
        "want every open grant of a terminal back; it closes them when it hears of it",
        "loyalty-central terminal recall --all",
    )
    which = recall.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", help="the terminal")
    which.add_argument("--all", action="store_true", help="every terminal")
    revoke = add_command(
        group,
        "revoke",
        "let a terminal do nothing but deliver what it recorded, and want its grants back",
        "loyalty-central terminal revoke till-1",
    )
    revoke.add_argument("name", help="the terminal")


def _add_member(commands: Commands) -> None:
    group = add_group(commands, "member", "register, import and show members")
    add = add_command(
        group,
        "add",
        "register a member",
        'loyalty-central member add --alias 2000000000015 --alias +351912345678 --name "Maria da Silva"',
    )
    add.add_argument("--alias", action="append", required=True, help="card number, token or phone; may be repeated")
    add.add_argument("--name", default="", help="the member's name; tills see it masked")
    imported = add_command(
        group,
        "import",
        "register members from a CSV file with the columns alias,name and, if there are any, tier,balance (an opening "
        "balance in points); between them , or ;. Members that are there are left alone; rows that are wrong are "
        "refused and named, and the others imported: mend them and run it again. Ends with 1 where a row was refused",
        "loyalty-central member import members.csv --dry-run --report refused.csv",
    )
    imported.add_argument("file", metavar="FILE.csv", help="the table, in UTF-8")
    imported.add_argument("--dry-run", action="store_true", help="import nothing, and say what would become of it")
    imported.add_argument("--report", metavar="FILE.csv", help="write the rows that were refused, and why, to a table")
    add_command(group, "list", "list the members", "loyalty-central member list --json")
    show = add_command(
        group,
        "show",
        "show a member's balance, grants and history",
        "loyalty-central member show 2000000000015",
    )
    show.add_argument("member", metavar="ALIAS_OR_ID")
    show.add_argument(
        "--latest", type=int, default=20, metavar="N", help="grants, entries and transfers to show, at most 1000 (20)"
    )
    _add_decisions(group)


def _add_decisions(group: Commands) -> None:
    adjust = add_command(
        group,
        "adjust",
        "give points (above 0) or take points (below 0) by hand; what is owed is repaid first",
        'loyalty-central member adjust 2000000000015 --points 50 --reason "the printer was out of paper"',
    )
    write_off = add_command(
        group,
        "write-off",
        "forgive points that a member owes: the programme's loss",
        'loyalty-central member write-off 2000000000015 --points 120 --reason "returned by mistake"',
    )
    for command in (adjust, write_off):
        command.add_argument("member", metavar="ALIAS_OR_ID")
        command.add_argument("--points", type=int, required=True, metavar="N", help="how many")
    merge = add_command(
        group,
        "merge",
        "make one member of two: points, cards and history of the source are the member's from now on",
        'loyalty-central member merge 2000000000015 --from 2000000000022 --reason "had two cards"',
    )
    merge.add_argument("member", metavar="ALIAS_OR_ID", help="the member that stays")
    merge.add_argument("--from", dest="source", required=True, metavar="ALIAS_OR_ID", help="the member that goes")
    for command in (adjust, write_off, merge):
        command.add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept")


def _add_key(commands: Commands) -> None:
    group = add_group(commands, "key", "make, rotate and revoke the back office's API keys")
    add = add_command(
        group,
        "add",
        "make a key and print its secret, which is shown this once",
        'loyalty-central key add "back office" --scope administrator',
    )
    add.add_argument("name", help="who uses it")
    add.add_argument(
        "--scope",
        choices=("read-only", "back-office", "administrator"),
        default="read-only",
        help="what it may do: look, with names masked; look after members; everything (default: %(default)s)",
    )
    add_command(group, "list", "list the keys without their secrets", "loyalty-central key list --json")
    rotate = add_command(
        group,
        "rotate",
        "make a key in the place of another and print its secret; the other one goes on for some hours",
        "loyalty-central key rotate 4wkqjz6mhxa7x2te --hours 24",
    )
    rotate.add_argument("key_id", metavar="KEY_ID")
    rotate.add_argument(
        "--hours", type=hours, default=24, metavar="N", help="how long the old one goes on, 0 to 720 (24)"
    )
    revoke = add_command(group, "revoke", "end a key at once", "loyalty-central key revoke 4wkqjz6mhxa7x2te")
    revoke.add_argument("key_id", metavar="KEY_ID")


def _add_quarantine(commands: Commands) -> None:
    group = add_group(commands, "quarantine", "see entries that could not be judged, and judge them anew")
    listed = add_command(
        group,
        "list",
        "list what arrived and could not be judged, with the reason; --json also has the bytes",
        "loyalty-central quarantine list",
    )
    listed.add_argument(
        "--limit", type=int, default=1_000, metavar="N", help="how many to show at most, the earliest in front (1000)"
    )
    judge = add_command(
        group,
        "judge",
        "judge entries anew after what was wrong was mended: a programme activated, central updated",
        "loyalty-central quarantine judge --all",
    )
    which = judge.add_mutually_exclusive_group(required=True)
    which.add_argument("entry", nargs="?", metavar="ID", help="an entry's id, or TERMINAL/JOURNAL/SEQ")
    which.add_argument("--all", action="store_true", help="every quarantined entry")


def _add_recovery(commands: Commands) -> None:
    group = add_group(commands, "recovery", "see how far terminals refilled a central that was restored from a backup")
    add_command(
        group,
        "show",
        "show which terminals are still waited for, what is lost for good, and claims that wait for a person",
        "loyalty-central recovery show",
    )
    add_command(
        group,
        "begin",
        "begin a recovery by hand, right after a backup was restored: terminals that lack nothing do not show it",
        "loyalty-central recovery begin",
    )
    override = add_command(
        group,
        "override",
        "grant again without waiting for a terminal; what it still holds of grants is central's risk",
        "loyalty-central recovery override till-7",
    )
    which = override.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", help="the terminal")
    which.add_argument("--all", action="store_true", help="every terminal that is waited for")


def _add_programme(commands: Commands) -> None:
    group = add_group(commands, "programme", "check a programme, try it on recorded sales, put it in force")
    validate = add_command(
        group,
        "validate",
        "say all that is wrong with a document, and what may be regretted; ends with 1 for errors; no database is read",
        "loyalty-central programme validate programme.json",
    )
    validate.add_argument("file", metavar="FILE")
    validate.add_argument("--against", metavar="FILE", help="a document that it follows: what changes much is told")
    add_command(
        group,
        "schema",
        "print the document's JSON Schema, for editors and other programs; no database is read",
        "loyalty-central programme schema > programme.schema.json",
    )
    dry_run = add_command(
        group,
        "dry-run",
        "show what recorded sales would have earned by a document: by rule, by member, by sale; writes nothing",
        "loyalty-central programme dry-run programme.json --days 30",
    )
    dry_run.add_argument("file", metavar="FILE")
    dry_run.add_argument("--days", type=count, default=30, metavar="N", help="how many days back, at most 366 (30)")
    activate = add_command(
        group,
        "activate",
        "check, sign and publish a programme document, in force at once or at a date",
        "loyalty-central programme activate programme.json --at 2027-01-01T00:00:00+00:00",
    )
    activate.add_argument("file", metavar="FILE")
    activate.add_argument("--at", type=instant, metavar="TIME", help="when it comes into force (default: at once)")
    withdraw = add_command(
        group,
        "withdraw",
        "let a version whose date has not come never come into force; its document is kept",
        "loyalty-central programme withdraw 4",
    )
    withdraw.add_argument("version", type=version, metavar="VERSION")
    add_command(group, "list", "list every version with its date", "loyalty-central programme list --json")
    show = add_command(group, "show", "show a programme", "loyalty-central programme show --version 3")
    show.add_argument("--version", type=version, metavar="N", help="a version (default: the one in force)")


def _add_jobs(commands: Commands) -> None:
    group = add_group(
        commands, "jobs", "book what is due, fold totals, judge held entries again, delete what is useless"
    )
    run = add_command(
        group,
        "run",
        "do all jobs now, or one; a server does them by itself, and no two processes do the same at once",
        "loyalty-central jobs run settle",
    )
    run.add_argument("name", nargs="?", metavar="JOB", help="one of those that jobs list shows (default: all)")
    add_command(group, "list", "show each job, when it last ran, and what it failed with", "loyalty-central jobs list")
    held = add_command(
        group,
        "held",
        "show entries that have long waited: returns whose sale, sales whose card never arrived",
        "loyalty-central jobs held --days 30",
    )
    held.add_argument("--days", type=count, default=30, metavar="N", help="for how long at least (%(default)s)")
    held.add_argument(
        "--limit", type=count, default=1_000, metavar="N", help="how many to show at most, the earliest first (1000)"
    )


def _add_audit(commands: Commands) -> None:
    group = add_group(commands, "audit", "show who did what to terminals, keys, the programme and grants")
    listing = add_command(group, "list", "list what was done, the newest first", "loyalty-central audit list --json")
    listing.add_argument(
        "--limit", type=int, choices=range(1, 501), metavar="N", default=100, help="1 to 500 (default: %(default)s)"
    )


def _add_totals(commands: Commands) -> None:
    command = add_command(
        commands,
        "totals",
        "show the whole programme's points by day: issued, redeemed, expired, outstanding",
        "loyalty-central totals --from 2026-05-01 --to 2026-05-31 --json",
    )
    command.add_argument("--from", dest="first", type=day, metavar="DAY", help="the first day (default: 30 days)")
    command.add_argument("--to", dest="last", type=day, metavar="DAY", help="the last day, in UTC (default: today)")


if __name__ == "__main__":
    sys.exit(main())
