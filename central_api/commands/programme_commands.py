"""The commands `loyalty-central programme`: check a document, try it on recorded sales, put it in force."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from central_api.bootstrap import Central
from central_api.commands.audit_commands import act
from central_api.commands.command_input import InputInvalid, read_text
from central_api.commands.output import print_json, print_table, progress
from central_api.programmes.dry_run import dry_run, sale_count
from central_api.programmes.json_schema import schema_text
from central_api.programmes.validation import validate_document
from central_api.programmes.versions import (
    activate_programme,
    kept_programme,
    programme_in_force,
    programme_versions,
    signed_programme,
    withdraw_programme,
)
from central_api.storage.audit import Act
from loyalty_sdk.codec import CodecError, loads
from loyalty_sdk.office import DryRunReport, Finding
from loyalty_sdk.programme import Programme, parse_programme

__all__ = [
    "activate_document",
    "programme_activate",
    "programme_dry_run",
    "programme_list",
    "programme_schema",
    "programme_show",
    "programme_validate",
    "programme_withdraw",
]

INVALID = 1
VERSION_COLUMNS = ("version", "name", "state", "activated_at", "in_force_at", "withdrawn_at")
RULE_COLUMNS = ("rule_id", "points_before", "points_after")
MEMBER_COLUMNS = ("member_id", "points_before", "points_after")
SALE_COLUMNS = ("entry_id", "terminal", "member_id", "effective_at", "points_before", "points_after")
LOST_COLUMNS = ("entry_id", "terminal", "member_id", "effective_at", "reward_id", "count", "reason")

Options = argparse.Namespace


async def programme_schema(options: Options) -> None:
    """Print the document's JSON Schema."""
    print(schema_text(), end="")


async def programme_validate(options: Options) -> int:
    """Say all that is wrong with a document, and what would be regretted. Returns 1 where there are errors."""
    before = _read_programme(options.against) if options.against else None
    found = validate_document(read_text(options.file), before)
    if options.json:
        print_json(found)
    else:
        _print_findings(options.file, found.findings, sys.stdout)
        errors = sum(one.severity == "error" for one in found.findings)
        print(f"{options.file}: errors: {errors}, warnings: {len(found.findings) - errors}")
    return 0 if found.valid else INVALID


async def programme_dry_run(options: Options, central: Central, tenant: str) -> None:
    """Show what the recorded sales would have earned by a document."""
    document = read_text(options.file)
    since = central.capabilities.now() - timedelta(days=options.days)
    total = await central.database.read(lambda connection: sale_count(connection, tenant, since))
    with _named(options.file), progress("sales", total) as advance:
        report = await central.database.read(
            lambda connection: dry_run(connection, central.capabilities, tenant, document, options.days, advance)
        )
    if options.json:
        print_json(report)
    else:
        _print_report(report)


async def programme_activate(options: Options, central: Central, tenant: str) -> None:
    """Check, sign and keep a document, in force at once or at a date."""
    document = read_text(options.file)
    now = central.capabilities.now()
    before = await central.database.read(lambda connection: programme_in_force(connection, tenant, now))
    version = await activate_document(central, tenant, options.file, document, options.at)
    _print_findings(options.file, validate_document(document, before).findings, sys.stderr)
    (made,) = await central.database.read(
        lambda connection: programme_versions(connection, tenant, now, before=version + 1, limit=1)
    )
    if options.json:
        print_json({"version": version, "in_force_at": made.in_force_at})
    elif options.at is None:
        print(f"version {version} is in force; terminals take it at their next contact")
    else:
        print(f"version {version} comes into force at {made.in_force_at.isoformat()}; terminals take it after that")


async def activate_document(
    central: Central, tenant: str, name: str, document: str, in_force_at: datetime | None = None
) -> int:
    """Activate the text of a file. Returns its version. Raises InputInvalid, which names the file, or Refused."""
    with _named(name):
        programme = await act(
            central,
            tenant,
            lambda connection: activate_programme(connection, central.capabilities, tenant, document, in_force_at),
            lambda programme: Act("programme-activated", f"{programme.version}"),
        )
    return programme.version


async def programme_withdraw(options: Options, central: Central, tenant: str) -> None:
    """Let a version that is not in force yet never come into force."""
    await act(
        central,
        tenant,
        lambda connection: withdraw_programme(connection, central.capabilities, tenant, options.version),
        lambda nothing: Act("programme-withdrawn", f"{options.version}"),
    )
    if options.json:
        print_json({"version": options.version, "state": "withdrawn"})
        return
    print(f"version {options.version} is withdrawn; to use its document, activate it under the next number")


async def programme_list(options: Options, central: Central, tenant: str) -> None:
    """Show every version, the highest first."""
    now = central.capabilities.now()
    found = await central.database.read(lambda connection: programme_versions(connection, tenant, now))
    rows = [{name: getattr(one, name) for name in VERSION_COLUMNS} for one in found]
    if options.json:
        print_json({"programmes": rows})
    else:
        print_table("programmes", rows, VERSION_COLUMNS)


async def programme_show(options: Options, central: Central, tenant: str) -> None:
    """Print a version's document, by default the one in force."""

    def work(connection: Connection) -> Any:
        if options.version is None:
            return signed_programme(connection, tenant, central.capabilities.now())
        return kept_programme(connection, tenant, options.version)

    signed = await central.database.read(work)
    if options.json:
        print_json({"version": loads(signed.document)["version"], "signed": signed})
    else:
        print(signed.document)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the file in what is wrong with its document."""
    try:
        yield
    except CodecError as error:
        remedy = f"see all of it with: loyalty-central programme validate {name}"
        raise InputInvalid(f"{name}: {error}; {remedy}") from None


def _read_programme(name: str) -> Programme:
    with _named(name):
        return parse_programme(read_text(name))


def _print_findings(name: str, findings: Sequence[Finding], file: Any) -> None:
    for one in findings:
        place = f"{one.place} " if one.place else ""
        print(f"{name}: {one.severity}: {place}{one.detail}", file=file)


def _print_report(report: DryRunReport) -> None:
    skipped = f"; {report.skipped} in another currency are left out" if report.skipped else ""
    print(f"{report.sales} sales of {report.days} days, {report.changed} of them would earn otherwise{skipped}")
    print(f"points earned: {report.points_before} as recorded, {report.points_after} by version {report.version}")
    redeemed = (
        f"{report.points_redeemed_before} as recorded, {report.points_redeemed_after} by version {report.version}"
    )
    lost = f"{report.redemptions_lost} of {report.redemptions} redemptions would not be possible"
    print(f"points redeemed: {redeemed}; {lost}")
    _table("points by rule", report.rules, RULE_COLUMNS)
    _table("members who gain most", report.members_gaining, MEMBER_COLUMNS)
    _table("members who lose most", report.members_losing, MEMBER_COLUMNS)
    _table("sales that change most", report.examples, SALE_COLUMNS)
    _table("redemptions that would not be possible", report.lost, LOST_COLUMNS)


def _table(title: str, found: Sequence[Any], columns: Sequence[str]) -> None:
    print_table(title, [asdict(one) for one in found], columns)
