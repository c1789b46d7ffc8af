"""Facts as a table for people; rich is imported when something is printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["facts_table", "print_facts", "print_rows"]


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values in two columns; lists one below the other."""
    from rich.console import Console

    Console(markup=False, emoji=False, highlight=False).print(facts_table(facts))


def facts_table(facts: Mapping[str, Any]) -> Table:
    """Return what `print_facts` prints."""
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), Text(_text(value)))
    return table


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], *, nothing: str) -> None:
    """Print a table with headings, or the sentence that there is nothing."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, emoji=False, highlight=False).print(table if rows else nothing)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_text(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items() if item not in ("", None))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
