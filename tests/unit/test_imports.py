"""Imports run downward only, without circles: the table of the house in `docs/architecture.md`, held here."""

from pathlib import Path

import pytest

from tests.import_rules import Rule, circles, imports_of, modules_of, violations

ROOT = Path(__file__).parents[2]

DRIVERS = frozenset({"serial", "escpos", "PIL", "barcode", "qrcode"})
SYNC = frozenset({"sqlalchemy", "httpx", "tenacity", "cryptography"})
AGENT = frozenset({"starlette", "uvicorn", "rich", "babel", "biip", "phonenumbers", "stdnum"})
CENTRAL = frozenset(
    {"fastapi", "starlette", "pydantic", "sqlalchemy", "alembic", "asyncpg", "cryptography"} | {"uvicorn", "rich"}
)
# What would make a decision depend on the outside: it is passed in instead.
OUTSIDE = frozenset(
    {"asyncio", "http", "httpx", "os", "pathlib", "random", "secrets", "select", "socket", "sqlite3"}
    | {"subprocess", "tempfile", "threading", "time", "urllib", "uuid"}
)

RULES = {
    "loyalty_sdk": Rule(third_party=frozenset({"httpx"})),
    "loyalty_sdk.rules": Rule(project=frozenset({"loyalty_sdk"}), denied=OUTSIDE),
    "drivers": Rule(third_party=DRIVERS),
    "sync": Rule(project=frozenset({"loyalty_sdk"}), third_party=SYNC),
    "sync.machine": Rule(
        project=frozenset({"loyalty_sdk", "sync"}), third_party=frozenset({"tenacity"}), denied=OUTSIDE
    ),
    "terminal_agent": Rule(project=frozenset({"loyalty_sdk", "drivers", "sync"}), third_party=DRIVERS | SYNC | AGENT),
    # The oracle judges the rest, so it shares nothing with it.
    "terminal_agent.demo.oracle": Rule(),
    "central_api": Rule(project=frozenset({"loyalty_sdk"}), third_party=CENTRAL),
}
PACKAGES = [name for name in RULES if "." not in name]


def test_every_import_is_allowed() -> None:
    assert violations(modules_of(ROOT, PACKAGES), RULES) == []


def test_no_imports_run_in_a_circle() -> None:
    assert circles(modules_of(ROOT, PACKAGES)) == []


def test_no_packages_of_central_import_in_a_circle() -> None:
    assert circles(modules_of(ROOT, ["central_api"]), depth=2) == []


def test_every_package_is_found() -> None:
    assert set(PACKAGES) <= set(modules_of(ROOT, PACKAGES))


def tree(root: Path, files: dict[str, str]) -> dict[str, Path]:
    """A small project of the given files, as the checker reads it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return modules_of(root, {name.partition("/")[0] for name in files})


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("loyalty_sdk/till.py", "import sqlalchemy"),
        ("loyalty_sdk/till.py", "from sync import journal"),
        ("loyalty_sdk/rules.py", "import time"),
        ("loyalty_sdk/rules.py", "from urllib.request import urlopen"),
        ("loyalty_sdk/rules.py", "import httpx"),
        ("drivers/scanner.py", "from loyalty_sdk.errors import LoyaltyError"),
        ("drivers/scanner.py", "from .. import sync"),
        ("sync/journal.py", "import terminal_agent.configuration"),
        ("sync/journal.py", "from central_api import ledger"),
        ("sync/journal.py", "import serial"),
        ("sync/machine.py", "from threading import Lock"),
        ("terminal_agent/services.py", "import central_api"),
        ("terminal_agent/services.py", "import fastapi"),
        ("terminal_agent/services.py", "def late() -> None:\n    import central_api.cli"),
        ("terminal_agent/services.py", "import importlib\nimportlib.import_module('central_api.cli')"),
        ("terminal_agent/services.py", "if TYPE_CHECKING:\n    from central_api.cli import main"),
        ("terminal_agent/demo/oracle.py", "from loyalty_sdk import rules"),
        ("terminal_agent/demo/oracle.py", "from terminal_agent.demo import day"),
        ("terminal_agent/demo/oracle.py", "from . import day"),
        ("terminal_agent/demo/oracle.py", "import httpx"),
        ("central_api/ledger.py", "from sync.journal import Journal"),
        ("central_api/ledger.py", "import drivers.scanner"),
        ("central_api/ledger.py", "from terminal_agent import cli"),
        ("central_api/ledger.py", "import httpx"),
    ],
)
def test_a_forbidden_import_is_reported(tmp_path: Path, file: str, line: str) -> None:
    (message,) = violations(tree(tmp_path, {file: line}), RULES)
    assert file in message
    assert "may not import" in message


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (
            "loyalty_sdk/till.py",
            "import httpx, json\nfrom loyalty_sdk.errors import LoyaltyError\nfrom . import model",
        ),
        ("loyalty_sdk/rules.py", "from decimal import Decimal\nfrom loyalty_sdk.basket import Basket"),
        ("drivers/scanner.py", "import serial\nfrom drivers.framing import Framer"),
        (
            "sync/machine.py",
            "from dataclasses import dataclass\nfrom sync.facts import Tick\nimport loyalty_sdk.protocol",
        ),
        (
            "terminal_agent/cli.py",
            "import sync.journal, drivers.scanner, rich.table, loyalty_sdk, starlette.routing",
        ),
        ("terminal_agent/demo/oracle.py", "import csv\nimport sqlite3"),
        ("central_api/ledger.py", "from sqlalchemy.engine import Connection\nfrom loyalty_sdk import rules"),
    ],
)
def test_an_allowed_import_is_not(tmp_path: Path, file: str, line: str) -> None:
    assert violations(tree(tmp_path, {file: line}), RULES) == []


@pytest.mark.parametrize(
    "files",
    [
        {"sync/a.py": "import sync.b", "sync/b.py": "from sync.a import X"},
        {"sync/a.py": "from . import b", "sync/b.py": "from .a import X"},
        {"sync/a.py": "from sync import b", "sync/b.py": "def late() -> None:\n    import sync.a"},
        {"sync/__init__.py": "from sync.a import X", "sync/a.py": "from sync import X"},
        {
            "sync/a.py": "import drivers.b",
            "drivers/b.py": "import drivers.c",
            "drivers/c.py": "import sync.a",
        },
    ],
)
def test_a_circle_is_reported(tmp_path: Path, files: dict[str, str]) -> None:
    circle = circles(tree(tmp_path, files))
    assert circle[0] == circle[-1]
    assert len(set(circle)) == len(files)


def test_a_circle_of_packages_is_reported(tmp_path: Path) -> None:
    files = {
        "central_api/ledger/books.py": "from central_api.storage.schema import entries",
        "central_api/storage/schema.py": "X = 1",
        "central_api/storage/feed.py": "from central_api.ledger.fold import fold",
        "central_api/ledger/fold.py": "X = 1",
    }
    modules = tree(tmp_path, files)
    assert circles(modules) == []
    assert set(circles(modules, depth=2)) == {"central_api.ledger", "central_api.storage"}


def test_gathering_names_in_a_package_is_no_circle(tmp_path: Path) -> None:
    files = {
        "sync/__init__.py": "from sync.a import X",
        "sync/a.py": "from sync.b import X",
        "sync/b.py": "X = 1",
    }
    assert circles(tree(tmp_path, files)) == []


def test_relative_imports_are_resolved(tmp_path: Path) -> None:
    files = {
        "sync/deep/a.py": "from ..b import X\nfrom . import c",
        "sync/deep/__init__.py": "from .a import X",
    }
    modules = tree(tmp_path, files)
    targets = {name: [found.target for found in imports_of(name, path)] for name, path in modules.items()}
    assert targets == {"sync.deep": ["sync.deep.a.X"], "sync.deep.a": ["sync.b.X", "sync.deep.c"]}
