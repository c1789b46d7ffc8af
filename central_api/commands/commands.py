"""What the commands of `loyalty-central` do: open central, run one function of the ledger, print what it gives."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from central_api.bootstrap import AddressTaken, Central, initialise, migrate_database, open_central, serve
from central_api.commands import member_reports, programme_commands
from central_api.commands.audit_commands import act, audit_list
from central_api.commands.command_input import InputInvalid, read_text
from central_api.commands.decision_commands import member_adjust, member_merge, member_write_off
from central_api.commands.import_commands import member_import
from central_api.commands.job_commands import jobs_held, jobs_list, jobs_run, totals_show
from central_api.commands.key_commands import key_add, key_list, key_revoke, key_rotate
from central_api.commands.output import print_json, print_table, progress
from central_api.commands.quarantine_judging import judge_quarantined
from central_api.exchange import claims, recovery
from central_api.judging import quarantine
from central_api.key_file import KeyFileUnusable
from central_api.keys import SealBroken
from central_api.members import members
from central_api.members.import_file import ImportInvalid
from central_api.problems import Refused
from central_api.storage import epochs
from central_api.storage.audit import Act
from central_api.storage.database import DatabaseUnusable, address_of, shown
from central_api.storage.installation import epoch_of, tenant_names
from central_api.storage.migration import NotInitialised
from central_api.terminals import terminals
from central_api.verification.verification import entry_count, verify_tenant

__all__ = ["run_command"]

TENANT_DEFAULT = "default"
FAILED = 2
DIFFERENT = 1
# In the audit trail.
EVERY = "*"

Options = argparse.Namespace
# What an action returns is the exit code; most say nothing and mean 0.
Action = Callable[[Options, Central, str], Awaitable[int | None]]


EXPECTED = (
    AddressTaken,
    DatabaseUnusable,
    ImportInvalid,
    InputInvalid,
    KeyFileUnusable,
    NotInitialised,
    Refused,
    SealBroken,
)


def run_command(options: Options) -> int:
    """Run one parsed command. Returns 0, 1 for a ledger or document that is wrong, or 2 after one line on stderr."""
    try:
        return asyncio.run(_run(options))
    except EXPECTED as error:
        return _failed(str(error))
    except DBAPIError as error:
        return _failed(f"the database {_shown(options)} cannot be used: {error.orig}; check it, or --database")
    except KeyboardInterrupt:
        return _failed("stopped")


async def _run(options: Options) -> int:
    if options.command == "init":
        await _init(options)
        return 0
    named = (options.command, getattr(options, "action", ""))
    if named in _ALONE:
        return await _ALONE[named](options) or 0
    if options.command in ("serve", "migrate"):
        await _migrate(options)
    if options.command == "migrate":
        return 0
    central = await open_central(options.database, _key_file(options))
    try:
        tenant = await _tenant(options, central)
        return await _ACTIONS[named](options, central, tenant) or 0
    finally:
        await central.database.close()


async def _init(options: Options) -> None:
    tenant = options.tenant or TENANT_DEFAULT
    document = read_text(options.programme) if options.programme else None
    central, made = await initialise(options.database, _key_file(options), tenant)
    try:
        activate = programme_commands.activate_document
        version = None if document is None else await activate(central, tenant, options.programme, document)
    finally:
        await central.database.close()
    if options.json:
        print_json({"database": _shown(options), "tenant": tenant, "made": made, "programme_version": version})
        return
    print(f"{_shown(options)}: {'is ready' if made else 'was there already'}, tenant {tenant}")
    print("next: loyalty-central terminal add NAME" if version else "next: loyalty-central programme activate FILE")


async def _migrate(options: Options) -> None:
    """Migrate; a server does so too, and says so only where there was something to do."""
    before, after = await migrate_database(options.database)
    asked = options.command == "migrate"
    if asked and options.json:
        print_json({"database": _shown(options), "schema_before": before, "schema": after})
    elif asked or before != after:
        done = f"was brought from schema {before} to {after}" if before != after else f"has schema {after} already"
        print(f"{_shown(options)} {done}", file=sys.stdout if asked else sys.stderr)


async def _verify(options: Options, central: Central, tenant: str) -> int:
    entries = await central.database.read(lambda connection: entry_count(connection, tenant))
    with progress("entries", entries) as advance:
        found = await central.database.read(
            lambda connection: verify_tenant(connection, central.capabilities, tenant, advance)
        )
    if options.json:
        print_json(found)
    else:
        print(f"{found.entries} entries of {found.journals} journals and {found.members} members were verified")
        columns = ("what", "where", "stored", "computed")
        rows = [{name: getattr(one, name) for name in columns} for one in found.shown]
        print_table(f"{found.differences} differences", rows, columns)
    return DIFFERENT if found.differences else 0


async def _serve(options: Options, central: Central, tenant: str) -> None:
    def ready(address: str) -> None:
        print(f"loyalty-central listens on {address}", flush=True)

    await serve(central, options.host, options.port, ready, with_jobs=options.jobs)


async def _terminal_add(options: Options, central: Central, tenant: str) -> None:
    code = await act(
        central,
        tenant,
        lambda connection: terminals.add_terminal(connection, central.capabilities, tenant, options.name),
        lambda code: Act("terminal-added", options.name),
    )
    if options.json:
        print_json({"terminal": options.name, "code": code, "hours": terminals.CODE_HOURS})
        return
    print(code)
    print(f"this code enrols {options.name} once, within {terminals.CODE_HOURS} hours:", file=sys.stderr)
    print(f"  loyalty-agent init --central URL --code {code} --directory DIR", file=sys.stderr)


async def _terminal_list(options: Options, central: Central, tenant: str) -> None:
    found = await central.database.read(lambda connection: terminals.terminal_rows(connection, tenant))
    columns = ("terminal", "state", "agent_version", "created_at", "enrolled_at")
    rows = [{name: getattr(row, name) for name in columns} for row in found]
    _show(options, "terminals", rows, columns)


async def _terminal_recall(options: Options, central: Central, tenant: str) -> None:
    name = None if options.all else options.name
    count = await act(
        central,
        tenant,
        lambda connection: terminals.recall_grants(connection, central.capabilities, tenant, terminal=name),
        lambda count: Act("grants-recalled", name or EVERY, f"{count}"),
    )
    if options.json:
        print_json({"grants_recalled": count})
        return
    print(f"{count} grants are wanted back; each terminal closes them at its next contact")


async def _terminal_revoke(options: Options, central: Central, tenant: str) -> None:
    await act(
        central,
        tenant,
        lambda connection: terminals.revoke_terminal(connection, central.capabilities, tenant, options.name),
        lambda nothing: Act("terminal-revoked", options.name),
    )
    if options.json:
        print_json({"terminal": options.name, "state": "revoked"})
        return
    print(f"{options.name} is revoked: it may deliver what it recorded, and nothing else")


async def _member_add(options: Options, central: Central, tenant: str) -> None:
    registration = members.Registration(aliases=tuple(options.alias), name=options.name)
    (member_id,) = await central.database.write(
        lambda connection: members.register_members(connection, central.capabilities, tenant, [registration])
    )
    if options.json:
        print_json({"member_id": member_id, "aliases": options.alias, "name": options.name})
        return
    print(member_id)


async def _member_list(options: Options, central: Central, tenant: str) -> None:
    rows = await central.database.read(
        lambda connection: member_reports.member_rows(connection, central.capabilities, tenant)
    )
    _show(options, "members", rows, ("member_id", "name", "aliases", "available", "reserved", "pending", "owed"))


async def _member_show(options: Options, central: Central, tenant: str) -> None:
    def work(connection: Any) -> dict[str, Any]:
        member_id = members.find_member(connection, central.capabilities, tenant, options.member)
        return member_reports.member_report(connection, central.capabilities, tenant, member_id, options.latest)

    report = await central.database.read(work)
    if options.json:
        print_json(report)
        return
    columns = ("member_id", "name", "aliases", "tier", "available", "reserved", "pending", "owed")
    print_table("member", [report], columns)
    for title in ("grants", "entries", "transfers"):
        print_table(title, report[title], tuple(report[title][0]) if report[title] else ())


async def _tenant(options: Options, central: Central) -> str:
    names = await central.database.read(tenant_names)
    if options.tenant is None and len(names) == 1:
        return names[0]
    if options.tenant not in names:
        raise InputInvalid(f"name one of the tenants with --tenant: {', '.join(names)}")
    return str(options.tenant)


def _shown(options: Options) -> str:
    """The database's address without its password."""
    return shown(address_of(options.database))


def _key_file(options: Options) -> Path | None:
    return Path(options.keys) if options.keys else None


def _show(options: Options, title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    if options.json:
        print_json({title: rows})
    else:
        print_table(title, rows, columns)


def _failed(text: str) -> int:
    print(f"loyalty-central: error: {' '.join(text.split())}", file=sys.stderr)
    return FAILED


async def _quarantine_list(options: Options, central: Central, tenant: str) -> None:
    found = await central.database.read(lambda connection: quarantine.quarantined(connection, tenant, options.limit))
    columns = ("terminal", "journal", "seq", "id", "kind", "received_at", "reason")
    rows = [
        {name: getattr(row, name) for name in columns} | {"id": row.id or row.id_claimed, "bytes": row.bytes}
        for row in found
    ]
    _show(options, "quarantined", rows, columns)


async def _quarantine_judge(options: Options, central: Central, tenant: str) -> None:
    judged = await judge_quarantined(central, tenant, None if options.all else options.entry)
    left = sum(one.outcome == "quarantined" for one in judged)
    if options.json:
        print_json({"judged": judged, "still_quarantined": left})
        return
    columns = ("terminal", "journal", "seq", "id", "outcome", "reason")
    print_table("judged anew", [{name: getattr(one, name) for name in columns} for one in judged], columns)
    print(f"{len(judged) - left} of {len(judged)} left the quarantine; terminals hear of it at their next contact")


async def _recovery_show(options: Options, central: Central, tenant: str) -> None:
    def work(connection: Connection) -> tuple[str, list[Any], list[Any], list[claims.Claim]]:
        found = epochs.recovery_rows(connection, tenant), recovery.gap_rows(connection, tenant)
        return epoch_of(connection), *found, claims.claims_of(connection, tenant)

    epoch, returning, lacking, claimed = await central.database.read(work)
    columns = ("terminal", "state", "journal", "needed_seq", "reported_at")
    terminals_shown = [{name: getattr(row, name) for name in columns} for row in returning]
    gap_columns = ("terminal", "journal", "first_seq", "last_seq", "recorded_at")
    gaps_shown = [{name: getattr(row, name) for name in gap_columns} for row in lacking]
    recovering = any(row.state in ("waiting", "returning") for row in returning)
    if options.json:
        shown = {"terminals": terminals_shown, "gaps": gaps_shown, "claims": claimed}
        print_json({"epoch": epoch, "recovering": recovering, **shown})
        return
    print(f"epoch {epoch}: {'recovering, nothing is granted' if recovering else 'nobody is waited for'}")
    print_table("terminals", terminals_shown, columns)
    print_table("gaps", gaps_shown, gap_columns)
    claim_columns = ("terminal", "says", "at")
    print_table("claims", [{name: getattr(one, name) for name in claim_columns} for one in claimed], claim_columns)
    if claimed:
        print("if central was restored, confirm it: loyalty-central recovery begin; if not, look at these terminals")


async def _recovery_begin(options: Options, central: Central, tenant: str) -> None:
    epoch = await act(
        central,
        tenant,
        lambda connection: claims.begin_and_settle(connection, central.capabilities, "begun by command"),
        lambda epoch: Act("recovery-begun", epoch),
    )
    if options.json:
        print_json({"epoch": epoch})
        return
    print(f"epoch {epoch} has begun: nothing is granted until every terminal has returned what it holds")


async def _recovery_override(options: Options, central: Central, tenant: str) -> None:
    name = None if options.all else options.name
    names = await act(
        central,
        tenant,
        lambda connection: recovery.override_recovery(connection, central.capabilities, tenant, name),
        lambda names: Act("recovery-overridden", name or EVERY, f"{len(names)}"),
    )
    if options.json:
        print_json({"overridden": names})
        return
    print(f"{len(names)} terminals are no longer waited for: {', '.join(names)}" if names else "nobody was waited for")


_ACTIONS: Mapping[tuple[str, str], Action] = {
    ("serve", ""): _serve,
    ("verify", ""): _verify,
    ("terminal", "add"): _terminal_add,
    ("terminal", "list"): _terminal_list,
    ("terminal", "recall"): _terminal_recall,
    ("terminal", "revoke"): _terminal_revoke,
    ("member", "add"): _member_add,
    ("member", "adjust"): member_adjust,
    ("member", "merge"): member_merge,
    ("member", "write-off"): member_write_off,
    ("member", "import"): member_import,
    ("member", "list"): _member_list,
    ("member", "show"): _member_show,
    ("quarantine", "list"): _quarantine_list,
    ("quarantine", "judge"): _quarantine_judge,
    ("recovery", "begin"): _recovery_begin,
    ("recovery", "show"): _recovery_show,
    ("recovery", "override"): _recovery_override,
    ("programme", "activate"): programme_commands.programme_activate,
    ("programme", "dry-run"): programme_commands.programme_dry_run,
    ("programme", "list"): programme_commands.programme_list,
    ("programme", "show"): programme_commands.programme_show,
    ("programme", "withdraw"): programme_commands.programme_withdraw,
    ("jobs", "run"): jobs_run,
    ("jobs", "list"): jobs_list,
    ("jobs", "held"): jobs_held,
    ("totals", ""): totals_show,
    ("key", "add"): key_add,
    ("key", "list"): key_list,
    ("key", "rotate"): key_rotate,
    ("key", "revoke"): key_revoke,
    ("audit", "list"): audit_list,
}

# What needs no database.
_ALONE: Mapping[tuple[str, str], Callable[[Options], Awaitable[int | None]]] = {
    ("programme", "schema"): programme_commands.programme_schema,
    ("programme", "validate"): programme_commands.programme_validate,
}
