"""What docs/problems.md lists, and what the programs know: read side by side by the tests of problems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from loyalty_sdk.errors import PROBLEM_PREFIX, LoyaltyError, RedemptionRefused

__all__ = ["GROUPS", "PAGE", "classes", "name_of", "table"]

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| ([0-9]{3}|–) \|", re.MULTILINE)
# They group others, so that one `except` catches them all; nothing is answered with their types.
GROUPS = frozenset({LoyaltyError, RedemptionRefused})


def table(heading: str) -> Mapping[str, int | None]:
    """Return the rows under a heading of the page: status by type, None where nothing travels."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {name: None if status == "–" else int(status) for name, status in ROW.findall(text)}


def name_of(error: type[LoyaltyError]) -> str:
    """Return the last part of a type, as the page names it."""
    return error.type.removeprefix(PROBLEM_PREFIX)


def classes() -> set[type[LoyaltyError]]:
    """Return every class of the SDK's errors that something is answered with."""
    found: set[type[LoyaltyError]] = set()
    waiting: list[type[LoyaltyError]] = [LoyaltyError]
    while waiting:
        error = waiting.pop()
        found.add(error)
        waiting += error.__subclasses__()
    return found - GROUPS
