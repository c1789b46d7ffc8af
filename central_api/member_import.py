"""Imports members from a CSV file with the columns alias,name. A second run leaves alone those who are there."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from central_api.bootstrap import Central
from central_api.members import Registration, aliases_taken, register_members
from central_api.output import progress
from central_api.problems import Refused

__all__ = ["ImportInvalid", "import_members"]

ROWS_MAX = 5_000_000
ROWS_PER_TRANSACTION = 500


class ImportInvalid(Exception):
    """The file cannot be imported; the text names the line and the remedy."""


async def import_members(central: Central, tenant: str, path: Path) -> tuple[int, int]:
    """Import a file. Returns how many were registered and how many were there already. Raises ImportInvalid."""
    registrations = _read(path)
    imported = 0
    with progress("members", len(registrations)) as advance:
        for start in range(0, len(registrations), ROWS_PER_TRANSACTION):
            part = registrations[start : start + ROWS_PER_TRANSACTION]
            try:
                imported += await central.database.write(partial(_register, central, tenant, part))
            except Refused as refused:
                last = start + len(part) + 1
                raise ImportInvalid(f"{path}, lines {start + 2} to {last}: {refused}") from None
            advance(start + len(part))
    return imported, len(registrations) - imported


def _register(central: Central, tenant: str, part: Sequence[Registration], connection: Connection) -> int:
    taken = aliases_taken(connection, central.capabilities, tenant, [one.aliases[0] for one in part])
    new = {one.aliases[0]: one for one in part if one.aliases[0] not in taken}
    register_members(connection, central.capabilities, tenant, list(new.values()))
    return len(new)


def _read(path: Path) -> list[Registration]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"alias", "name"} <= set(reader.fieldnames or ()):
                raise ImportInvalid(f"{path}: the first line must name the columns alias,name")
            found: list[Registration] = []
            for row in reader:
                alias = (row["alias"] or "").strip()
                if not alias:
                    raise ImportInvalid(f"{path}, line {reader.line_num}: the alias is empty")
                if len(found) >= ROWS_MAX:
                    raise ImportInvalid(f"{path} has more than {ROWS_MAX} rows; split it")
                found.append(Registration(aliases=(alias,), name=(row["name"] or "").strip()))
            return found
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImportInvalid(f"{path} is no CSV file in UTF-8: {error}") from None
    except OSError as error:
        raise ImportInvalid(f"{path} cannot be read: {error.strerror}") from None
