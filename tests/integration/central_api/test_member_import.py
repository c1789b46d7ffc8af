"""`member import` on both databases: once, whole or not at all, and with a report of what was refused."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from central_api.bootstrap import open_central
from central_api.commands import member_import
from central_api.members.import_file import ImportInvalid, read_import_file
from central_api.storage.database import Database, DatabaseUnusable
from tests.integration.central_api.support import Program

T = TypeVar("T")


@pytest.fixture
def program(new_program: Program) -> Program:
    new_program.init()
    return new_program


def table(program: Program, *lines: str) -> str:
    file = program.folder / "members.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return str(file)


def done(imported: int, skipped: int = 0, points: int = 0, refusals: list[Any] | None = None) -> dict[str, Any]:
    refused = refusals or []
    figures = {"imported": imported, "skipped": skipped, "points": points}
    return {"dry_run": False, **figures, "refused": len(refused), "refusals": refused}


def test_members_are_imported_once(program: Program) -> None:
    file = table(program, "alias,name", *(f"{number},Member {number}" for number in range(1_201)))
    assert program.json("member", "import", file, "--dry-run") == done(1_201) | {"dry_run": True}
    assert program.json("member", "list") == {"members": []}
    assert program.json("member", "import", file) == done(1_201)
    assert program.json("member", "import", file) == done(0, skipped=1_201)
    again = program.run("member", "import", file)
    assert again.stderr.splitlines()[-1] == "members: 1201 of 1201"
    assert again.stdout == "0 members imported, 1201 skipped whose alias is there already\n"


def test_tier_and_opening_balance_come_once_with_the_member(program: Program) -> None:
    lines = ["alias;name;tier;balance", "2001;Ana;ouro;120", "2002;Rui;;0"]
    assert program.json("member", "import", table(program, *lines)) == done(2, points=120)
    assert program.json("member", "import", table(program, *lines, "2003;Eva;prata;5")) == done(1, skipped=2, points=5)
    found = {row["name"]: (row["tier"], row["available"]) for row in program.json("member", "list")["members"]}
    assert found == {"Ana": ("ouro", 120), "Rui": ("", 0), "Eva": ("prata", 5)}
    shown = program.json("member", "show", "2001")["transfers"]
    assert [(row["to_account"], row["points"]) for row in shown] == [("available", 120)]
    assert program.json("totals")["totals"][-1]["outstanding"] == 125
    assert program.json("verify")["differences"] == 0


def test_what_is_refused_is_said_by_line_and_the_others_are_imported(program: Program) -> None:
    file = table(program, "alias;name", "1;Ana", ";Rui", "1;Eva", "4;João")
    report = program.folder / "refused.csv"
    run = program.run("member", "import", file, "--report", str(report))
    assert run.returncode == 1
    assert "2 members imported, 0 skipped whose alias is there already, 2 refused: mend these lines" in run.stdout
    assert "the alias is empty" in run.stdout
    assert report.read_bytes().startswith(b"\xef\xbb\xbf")
    with report.open(encoding="utf-8-sig", newline="") as written:
        rows = list(csv.DictReader(written))
    assert [(row["line"], row["alias"]) for row in rows] == [("3", ""), ("4", "1")]
    assert program.run("member", "import", file, "--json").returncode == 1
    assert len(program.json("member", "list")["members"]) == 2


def test_only_the_first_refusals_are_shown(program: Program) -> None:
    file = table(program, "alias,name", *(",Nobody" for _ in range(25)))
    assert "and 5 more; all are in a file with --report FILE.csv" in program.run("member", "import", file).stdout


def test_a_file_or_a_report_that_cannot_be_used_changes_nothing(program: Program) -> None:
    assert "alias,name,tier,balance" in program.refused("member", "import", table(program, "card", "1"))
    file = table(program, "alias,name", "1,Ana")
    nowhere = str(program.folder / "none" / "refused.csv")
    assert "nothing was imported" in program.refused("member", "import", file, "--report", nowhere)
    assert program.json("member", "list") == {"members": []}


class BreaksDown:
    """A database that goes away after some transactions."""

    def __init__(self, database: Database, writes: int, error: BaseException) -> None:
        self._database, self._writes, self._error = database, writes, error

    async def write(self, work: Callable[[Connection], T]) -> T:
        self._writes -= 1
        if self._writes < 0:
            raise self._error
        return await self._database.write(work)


@pytest.mark.parametrize("error", [DatabaseUnusable("it is away"), asyncio.CancelledError()])
def test_an_import_that_ends_in_its_midst_says_how_far_it_came(program: Program, error: BaseException) -> None:
    file = read_import_file(Path(table(program, "alias,name", *(f"{number},M" for number in range(250)))))
    _, url, _, keys = program.places

    async def run() -> None:
        central = await open_central(url, Path(keys))
        broken: Any = BreaksDown(central.database, 1, error)
        try:
            await member_import.import_members(replace(central, database=broken), "default", file, lambda done: None)
        finally:
            await central.database.close()

    with pytest.raises(
        ImportInvalid, match="100 members of the first 100 rows were imported and stay, of lines 102 to"
    ):
        asyncio.run(run())
    assert len(program.json("member", "list")["members"]) == 100
