"""The command line `loyalty-central`: what it takes and how it fails. What it does is in `central_api.commands`.

Imports only the standard library, so that it can say what is missing where the extra `central` was not installed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]

# What the extra `central` brings beside what the agent needs; SQLAlchemy asks for greenlet only when it is used.
EXTRA = ("fastapi", "aiosqlite", "alembic", "asyncpg", "greenlet")

DATABASE_VARIABLE = "LOYALTY_CENTRAL_DATABASE"
DATABASE_DEFAULT = "sqlite:///loyalty-central.db"
FAILED = 2

EXAMPLES = """\
a first central, from nothing:
  loyalty-central init --programme programme.json
  loyalty-central member add --alias 2000000000015 --name "Maria da Silva"
  loyalty-central terminal add till-1
  loyalty-central serve

the same on PostgreSQL, whose address every command takes; the keys are a file all the same:
  loyalty-central init --database postgresql://loyalty@db.example/loyalty --keys /etc/loyalty/keys.json

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
    from central_api.commands import run_command

    return run_command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loyalty-central",
        description="The reference central loyalty API: members, programme, terminals and the ledger.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = "{init,serve,migrate,verify,terminal,member,programme,quarantine,recovery}"
    commands = parser.add_subparsers(dest="command", metavar=names, required=True)
    _add_init(commands)
    _add_serve(commands)
    _command(
        commands,
        "migrate",
        "bring the database of an earlier release to this one's form; make a backup first (serve and init do it too)",
        "loyalty-central migrate",
    )
    _command(
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
    return parser


def _add_init(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "init",
        "create database, keys and tenant",
        "loyalty-central init --tenant aurora --programme programme.json",
    )
    command.add_argument("--programme", metavar="FILE", help="a programme document to put in force at once")


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "serve",
        "answer terminals until SIGTERM; the API's documentation is under /docs",
        "loyalty-central serve --host 0.0.0.0 --port 8700",
    )
    command.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    command.add_argument("--port", type=int, default=8700, help="the port, 0 for any (default: %(default)s)")


def _add_terminal(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = _group(commands, "terminal", "enrol, list, recall and revoke terminals")
    add = _command(group, "add", "make a terminal and print its one-time code", "loyalty-central terminal add till-1")
    add.add_argument("name", help="the terminal's name, which is its id for ever")
    _command(group, "list", "list the terminals", "loyalty-central terminal list --json")
    recall = _command(
        group,
        "recall",
        "want every open grant of a terminal back; it closes them when it hears of it",
        "loyalty-central terminal recall --all",
    )
    which = recall.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", help="the terminal")
    which.add_argument("--all", action="store_true", help="every terminal")
    revoke = _command(
        group,
        "revoke",
        "let a terminal do nothing but deliver what it recorded, and want its grants back",
        "loyalty-central terminal revoke till-1",
    )
    revoke.add_argument("name", help="the terminal")


def _add_member(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = _group(commands, "member", "register, import and show members")
    add = _command(
        group,
        "add",
        "register a member",
        'loyalty-central member add --alias 2000000000015 --alias +351912345678 --name "Maria da Silva"',
    )
    add.add_argument("--alias", action="append", required=True, help="card number, token or phone; may be repeated")
    add.add_argument("--name", default="", help="the member's name; tills see it masked")
    imported = _command(
        group,
        "import",
        "register members from a CSV file with the columns alias,name; those that are there are left alone",
        "loyalty-central member import members.csv",
    )
    imported.add_argument("file", metavar="FILE.csv")
    _command(group, "list", "list the members", "loyalty-central member list --json")
    show = _command(
        group,
        "show",
        "show a member's balance, grants and history",
        "loyalty-central member show 2000000000015",
    )
    show.add_argument("member", metavar="ALIAS_OR_ID")
    show.add_argument(
        "--latest", type=int, default=20, metavar="N", help="grants, entries and transfers to show, at most 1000 (20)"
    )


def _add_quarantine(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = _group(commands, "quarantine", "see entries that could not be judged, and judge them anew")
    listed = _command(
        group,
        "list",
        "list what arrived and could not be judged, with the reason; --json also has the bytes",
        "loyalty-central quarantine list",
    )
    listed.add_argument(
        "--limit", type=int, default=1_000, metavar="N", help="how many to show at most, the earliest in front (1000)"
    )
    judge = _command(
        group,
        "judge",
        "judge entries anew after what was wrong was mended: a programme activated, central updated",
        "loyalty-central quarantine judge --all",
    )
    which = judge.add_mutually_exclusive_group(required=True)
    which.add_argument("entry", nargs="?", metavar="ID", help="an entry's id, or TERMINAL/JOURNAL/SEQ")
    which.add_argument("--all", action="store_true", help="every quarantined entry")


def _add_recovery(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = _group(commands, "recovery", "see how far terminals refilled a central that was restored from a backup")
    _command(
        group,
        "show",
        "show which terminals are still waited for, what is lost for good, and claims that wait for a person",
        "loyalty-central recovery show",
    )
    _command(
        group,
        "begin",
        "begin a recovery by hand, right after a backup was restored: terminals that lack nothing do not show it",
        "loyalty-central recovery begin",
    )
    override = _command(
        group,
        "override",
        "grant again without waiting for a terminal; what it still holds of grants is central's risk",
        "loyalty-central recovery override till-7",
    )
    which = override.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", help="the terminal")
    which.add_argument("--all", action="store_true", help="every terminal that is waited for")


def _add_programme(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = _group(commands, "programme", "put a programme in force, or show one")
    activate = _command(
        group,
        "activate",
        "check, sign and publish a programme document",
        "loyalty-central programme activate programme.json",
    )
    activate.add_argument("file", metavar="FILE")
    show = _command(group, "show", "show a programme", "loyalty-central programme show --version 3")
    show.add_argument("--version", type=int, metavar="N", help="a version (default: the one in force)")


def _group(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    group = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    return group.add_subparsers(dest="action", required=True)


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, example: str
) -> argparse.ArgumentParser:
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


if __name__ == "__main__":
    sys.exit(main())
