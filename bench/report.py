"""The rows as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.rows import Row

__all__ = ["as_json", "print_table", "write_json"]

PLAIN_WIDTH = 200


def as_json(rows: Sequence[Row]) -> str:
    """Return a list of objects, one for each row."""
    return json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n"


def write_json(file: Path, rows: Sequence[Row]) -> None:
    """Write the rows into a file, whose folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(as_json(rows), encoding="utf-8")


def print_table(console: Console, rows: Sequence[Row], machine: str) -> None:
    """Print the table, and on which machine it was made."""
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else box.MARKDOWN)
    table.add_column("what")
    for heading in ("ours", "other", "ratio", "quartiles"):
        table.add_column(heading, justify="right")
    for heading in ("other side", "target", "holds"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            row.name,
            _figure(row.ours, row.unit),
            _figure(row.other, row.unit),
            _ratio(row.ratio),
            "" if row.low is None or row.high is None else f"{_ratio(row.low)}-{_ratio(row.high)}",
            row.other_name,
            row.target,
            _verdict(row),
        )
    console.print(table)
    console.print(machine, highlight=False)
    for row in rows:
        if row.note:
            console.print(f"{row.name} ({row.other_name}): {row.note}", highlight=False)


def _verdict(row: Row) -> str:
    if row.ours is None:
        return "not measured"
    return "" if row.holds is None else "yes" if row.holds else "NO"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"{text} {unit}".rstrip()
