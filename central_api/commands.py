"""What the commands of `loyalty-central` do: open central, run one function of the ledger, print what it gives."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from central_api import members, programmes, terminals
from central_api.bootstrap import AddressTaken, Central, initialise, open_central, serve
from central_api.database import DatabaseUnusable
from central_api.installation import NotInitialised, tenant_names
from central_api.key_file import KeyFileUnusable
from central_api.keys import SealBroken
from central_api.member_import import ImportInvalid, import_members
from central_api.output import print_json, print_table
from central_api.problems import Refused
from loyalty_sdk.codec import CodecError, loads

__all__ = ["run_command"]

TENANT_DEFAULT = "default"
FAILED = 2

Options = argparse.Namespace
Action = Callable[[Options, Central, str], Awaitable[None]]


class InputInvalid(Exception):
    """What was given on the command line cannot be used; the text names the remedy."""


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
    """Run one parsed command. Returns 0, or 2 after one line on standard error."""
    try:
        asyncio.run(_run(options))
    except EXPECTED as error:
        return _failed(str(error))
    except DBAPIError as error:
        return _failed(f"the database {options.database} cannot be used: {error.orig}; check the file, or --database")
    except KeyboardInterrupt:
        return _failed("stopped")
    return 0


async def _run(options: Options) -> None:
    if options.command == "init":
        await _init(options)
        return
    central = await open_central(options.database, _key_file(options))
    try:
        tenant = await _tenant(options, central)
        await _ACTIONS[(options.command, getattr(options, "action", ""))](options, central, tenant)
    finally:
        await central.database.close()


async def _init(options: Options) -> None:
    tenant = options.tenant or TENANT_DEFAULT
    document = _read_text(options.programme) if options.programme else None
    central, made = await initialise(options.database, _key_file(options), tenant)
    try:
        version = None if document is None else await _activate(central, tenant, options.programme, document)
    finally:
        await central.database.close()
    if options.json:
        print_json({"database": options.database, "tenant": tenant, "made": made, "programme_version": version})
        return
    print(f"{options.database}: {'is ready' if made else 'was there already'}, tenant {tenant}")
    print("next: loyalty-central terminal add NAME" if version else "next: loyalty-central programme activate FILE")


async def _serve(options: Options, central: Central, tenant: str) -> None:
    def ready(address: str) -> None:
        print(f"loyalty-central listens on {address}", flush=True)

    await serve(central, options.host, options.port, ready)


async def _terminal_add(options: Options, central: Central, tenant: str) -> None:
    code = await central.database.write(
        lambda connection: terminals.add_terminal(connection, central.capabilities, tenant, options.name)
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
    count = await central.database.write(lambda connection: terminals.recall_grants(connection, tenant, terminal=name))
    if options.json:
        print_json({"grants_recalled": count})
        return
    print(f"{count} grants are wanted back; each terminal closes them at its next contact")


async def _terminal_revoke(options: Options, central: Central, tenant: str) -> None:
    await central.database.write(lambda connection: terminals.revoke_terminal(connection, tenant, options.name))
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


async def _member_import(options: Options, central: Central, tenant: str) -> None:
    imported, skipped = await import_members(central, tenant, Path(options.file))
    if options.json:
        print_json({"imported": imported, "skipped": skipped})
        return
    print(f"{imported} members imported, {skipped} skipped whose alias is there already")


async def _member_list(options: Options, central: Central, tenant: str) -> None:
    rows = await central.database.read(lambda connection: members.member_rows(connection, central.capabilities, tenant))
    _show(options, "members", rows, ("member_id", "name", "aliases", "available", "reserved", "pending", "owed"))


async def _member_show(options: Options, central: Central, tenant: str) -> None:
    def work(connection: Any) -> dict[str, Any]:
        member_id = members.find_member(connection, central.capabilities, tenant, options.member)
        return members.member_report(connection, central.capabilities, tenant, member_id, options.latest)

    report = await central.database.read(work)
    if options.json:
        print_json(report)
        return
    columns = ("member_id", "name", "aliases", "tier", "available", "reserved", "pending", "owed")
    print_table("member", [report], columns)
    for title in ("grants", "entries", "transfers"):
        print_table(title, report[title], tuple(report[title][0]) if report[title] else ())


async def _programme_activate(options: Options, central: Central, tenant: str) -> None:
    version = await _activate(central, tenant, options.file, _read_text(options.file))
    if options.json:
        print_json({"version": version})
        return
    print(f"version {version} is in force; terminals take it at their next contact")


async def _programme_show(options: Options, central: Central, tenant: str) -> None:
    signed = await central.database.read(
        lambda connection: programmes.signed_programme(connection, tenant, options.version)
    )
    if options.json:
        print_json({"version": loads(signed.document)["version"], "signed": signed})
        return
    print(signed.document)


async def _activate(central: Central, tenant: str, name: str, document: str) -> int:
    try:
        programme = await central.database.write(
            lambda connection: programmes.activate_programme(connection, central.capabilities, tenant, document)
        )
    except CodecError as error:
        raise InputInvalid(f"{name}: {error}; docs/programme.md describes the format") from None
    return programme.version


async def _tenant(options: Options, central: Central) -> str:
    names = await central.database.read(tenant_names)
    if options.tenant is None and len(names) == 1:
        return names[0]
    if options.tenant not in names:
        raise InputInvalid(f"name one of the tenants with --tenant: {', '.join(names)}")
    return str(options.tenant)


def _key_file(options: Options) -> Path | None:
    return Path(options.keys) if options.keys else None


def _read_text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputInvalid(f"{name} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise InputInvalid(f"{name} cannot be read: {error.strerror}") from None


def _show(options: Options, title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    if options.json:
        print_json({title: rows})
    else:
        print_table(title, rows, columns)


def _failed(text: str) -> int:
    print(f"loyalty-central: error: {' '.join(text.split())}", file=sys.stderr)
    return FAILED


_ACTIONS: Mapping[tuple[str, str], Action] = {
    ("serve", ""): _serve,
    ("terminal", "add"): _terminal_add,
    ("terminal", "list"): _terminal_list,
    ("terminal", "recall"): _terminal_recall,
    ("terminal", "revoke"): _terminal_revoke,
    ("member", "add"): _member_add,
    ("member", "import"): _member_import,
    ("member", "list"): _member_list,
    ("member", "show"): _member_show,
    ("programme", "activate"): _programme_activate,
    ("programme", "show"): _programme_show,
}
