"""Facts as a table for people; rich is imported when something is printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["print_facts"]


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values in two columns; lists one below the other."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), _text(value))
    Console(markup=False, emoji=False, highlight=False).print(table)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_text(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items() if item not in ("", None))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
