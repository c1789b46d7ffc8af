"""Imports members from a CSV file: whoever is there already is left alone, so a second run does what is missing.

A member is imported whole, with tier and opening balance, in one transaction, or not at all. What the file's form is,
and which of its rows are refused, is in `central_api.members.import_file`.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from central_api.bootstrap import Central
from central_api.commands.output import Advance
from central_api.members.decisions import adjust
from central_api.members.import_file import ImportFile, ImportInvalid, ImportRow, RowRefused
from central_api.members.members import Registration, aliases_taken, register_members
from central_api.problems import Refused
from central_api.storage.database import DatabaseUnusable

__all__ = ["ACTOR", "Imported", "import_members"]

# Tills wait for as many as one transaction takes.
ROWS_PER_TRANSACTION = 100
ACTOR = "loyalty-central member import"
REASON = "opening balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a file's rows; of a dry run, what would become of them. `skipped` were there already."""

    dry_run: bool
    imported: int
    skipped: int
    points: int
    refused: Sequence[RowRefused]


async def import_members(
    central: Central, tenant: str, file: ImportFile, advance: Advance, *, dry_run: bool = False
) -> Imported:
    """Import the rows of a file; `advance` hears how many are done.

    Raises ImportInvalid where it ends before the last row, and says how far it came.
    """
    imported = points = done = 0
    for start in range(0, len(file.rows), ROWS_PER_TRANSACTION):
        part = file.rows[start : start + ROWS_PER_TRANSACTION]
        try:
            if dry_run:
                new = await central.database.read(partial(_missing, central, tenant, part))
            else:
                new = await central.database.write(partial(_register, central, tenant, part))
        except (Refused, DatabaseUnusable, CancelledError) as error:
            text = _half(imported, done, part, dry_run=dry_run)
            raise ImportInvalid(f"{str(error) or 'stopped'}; {text}") from None
        imported, points = imported + len(new), points + sum(row.balance for row in new)
        done += len(part)
        advance(done)
    return Imported(
        dry_run=dry_run, imported=imported, skipped=len(file.rows) - imported, points=points, refused=file.refused
    )


def _half(imported: int, done: int, part: Sequence[ImportRow], *, dry_run: bool) -> str:
    """Where a commit was not answered, nobody knows of that part; it is there whole or not at all."""
    if dry_run:
        return "nothing was imported"
    so_far = f"{imported} members of the first {done} rows were imported and stay"
    return f"{so_far}, of lines {part[0].line} to {part[-1].line} all or none; run it again for the rest"


def _register(central: Central, tenant: str, part: Sequence[ImportRow], connection: Connection) -> list[ImportRow]:
    new = _missing(central, tenant, part, connection)
    registrations = [Registration(aliases=(row.alias,), name=row.name, tier=row.tier) for row in new]
    member_ids = register_members(connection, central.capabilities, tenant, registrations)
    for row, member_id in zip(new, member_ids, strict=True):
        if row.balance:
            adjust(connection, central.capabilities, tenant, member_id, row.balance, REASON, ACTOR)
    return new


def _missing(central: Central, tenant: str, part: Sequence[ImportRow], connection: Connection) -> list[ImportRow]:
    taken = aliases_taken(connection, central.capabilities, tenant, [row.alias for row in part])
    return [row for row in part if row.alias not in taken]
