"""What `import loyalty_sdk` costs a POS: neither httpx nor asyncio, nor anything else that is not used yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import loyalty_sdk

ROOT = Path(__file__).parents[3]


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after the code."""
    show = "; import sys; print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + show], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import loyalty_sdk",
        "from loyalty_sdk import *",
        "from loyalty_sdk import Till, AsyncTill, Basket, LoyaltyError",
        "import loyalty_sdk; loyalty_sdk.Central('https://central', token='lk_1'); "
        "loyalty_sdk.AsyncCentral('https://central', certificate_authority='authority.pem')",
        "import datetime, loyalty_sdk; "
        "loyalty_sdk.Till(store='1', register='1', cashier='1', business_date=datetime.date.today())",
    ],
)
def test_neither_httpx_nor_asyncio_is_loaded_before_the_first_call(code: str) -> None:
    loaded = loaded_after(code)
    assert "loyalty_sdk" in loaded
    assert loaded.isdisjoint({"httpx", "httpcore", "anyio", "asyncio", "ssl", "http", "sqlite3", "cryptography"})


def test_a_name_is_loaded_when_it_is_first_used() -> None:
    assert "decimal" not in loaded_after("import loyalty_sdk")
    assert "decimal" in loaded_after("from loyalty_sdk import Basket")


def test_every_public_name_is_where_it_is_said_to_be() -> None:
    for name in loyalty_sdk.__all__:
        assert getattr(loyalty_sdk, name).__name__ == name
    assert set(loyalty_sdk.__all__) <= set(dir(loyalty_sdk))


def test_every_error_is_public() -> None:
    from loyalty_sdk import errors

    classes = {name for name in errors.__all__ if name[0].isupper() and name != "PROBLEM_PREFIX"}
    assert classes <= set(loyalty_sdk.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Tills'"):
        loyalty_sdk.Tills  # noqa: B018  # asking for the attribute is the test


def test_the_version_is_that_of_the_distribution() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "loyalty_sdk" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert loyalty_sdk.__version__ == project["version"]
