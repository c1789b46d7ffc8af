"""What is public is meant: `__all__` names what exists, and the SDK's names change only on purpose.

The SDK's public names stand in `public_names.txt` beside this file, one to a line. After a meant change
write it again with the command that the failing test prints, and say in CHANGELOG.md what was added or
taken away.
"""

import importlib
from pathlib import Path

import pytest

import loyalty_sdk
from tests.import_rules import modules_of

ROOT = Path(__file__).parents[2]
PACKAGES = ("loyalty_sdk", "drivers", "sync", "terminal_agent", "central_api")
PUBLIC_NAMES = Path(__file__).with_name("public_names.txt")
# A script that only Alembic can run.
SCRIPTS = ("central_api.storage.migrations.env",)
UPDATE = "PYTHONPATH=. .venv/bin/python -m tests.unit.test_public_names"


def is_public(module: str) -> bool:
    return module not in SCRIPTS and not any(part.startswith("_") for part in module.split("."))


def sdk_names() -> str:
    """The SDK's public names, sorted, one to a line."""
    names: list[str] = getattr(loyalty_sdk, "__all__", [])
    return "".join(f"{name}\n" for name in sorted(names))


@pytest.mark.parametrize("module", sorted(filter(is_public, modules_of(ROOT, PACKAGES))))
def test_every_public_name_exists(module: str) -> None:
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", [])
    assert len(names) == len(set(names)), f"{module}.__all__ names something twice"
    assert [name for name in names if not hasattr(loaded, name)] == []


def test_the_sdk_has_the_public_names_that_are_held() -> None:
    held = PUBLIC_NAMES.read_text(encoding="utf-8")
    assert sdk_names() == held, f"the SDK's public names changed; if that is meant: {UPDATE}"


if __name__ == "__main__":
    PUBLIC_NAMES.write_text(sdk_names(), encoding="utf-8")
