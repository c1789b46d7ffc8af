"""The command `loyalty-central member import`: reads the file, imports it, and says what was refused and why."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from central_api.bootstrap import Central
from central_api.commands.member_import import Imported, import_members
from central_api.commands.output import print_json, print_table, progress
from central_api.members.import_file import ImportInvalid, RowRefused, read_import_file

__all__ = ["member_import"]

REFUSED = 1
SHOWN_MAX = 20
JSON_MAX = 1_000
COLUMNS = ("line", "alias", "reason")

Options = argparse.Namespace


async def member_import(options: Options, central: Central, tenant: str) -> int:
    """Import a file, or try what would become of it. Returns 1 where a row was refused. Raises ImportInvalid."""
    file = read_import_file(Path(options.file))
    # Opened first: a report that cannot be written would come too late afterwards.
    with _report(options.report) as report:
        _write_report(report, file.refused)
        with progress("members", len(file.rows)) as advance:
            found = await import_members(central, tenant, file, advance, dry_run=options.dry_run)
    if options.json:
        print_json(asdict(found) | {"refused": len(found.refused), "refusals": list(found.refused[:JSON_MAX])})
    else:
        _show(found, options)
    return REFUSED if found.refused else 0


def _show(found: Imported, options: Options) -> None:
    if found.refused:
        print_table("refused", [asdict(one) for one in found.refused[:SHOWN_MAX]], COLUMNS)
        if len(found.refused) > SHOWN_MAX:
            where = options.report or "a file with --report FILE.csv"
            print(f"and {len(found.refused) - SHOWN_MAX} more; all are in {where}")
    done = "would be imported" if found.dry_run else "imported"
    points = f" with {found.points} points" if found.points else ""
    print(f"{found.imported} members {done}{points}, {found.skipped} skipped whose alias is there already", end="")
    print(f", {len(found.refused)} refused: mend these lines and run it again" if found.refused else "")


@contextmanager
def _report(name: str | None) -> Iterator[TextIO | None]:
    if name is None:
        yield None
        return
    try:
        # With a byte order mark, by which spreadsheets know UTF-8.
        report = Path(name).open("w", encoding="utf-8-sig", newline="")  # noqa: SIM115  # closed below
    except OSError as error:
        raise ImportInvalid(f"{name} cannot be written: {error.strerror}; nothing was imported") from None
    with report:
        yield report


def _write_report(report: TextIO | None, refused: Sequence[RowRefused]) -> None:
    if report is None:
        return
    writer = csv.DictWriter(report, COLUMNS)
    writer.writeheader()
    writer.writerows(asdict(one) for one in refused)
    report.flush()
