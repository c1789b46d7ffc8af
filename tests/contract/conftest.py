"""A furnished central for all tests of a module, on SQLite and on PostgreSQL, or one in a file for each test."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.opened import Opened, opened
from tests.contract.shops import Site, furnished
from tests.support.postgresql import Server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database that holds nothing yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('central')}/central.db"
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database() as made:
        yield made.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
async def central(url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Opened]:
    async with opened(url, tmp_path_factory.mktemp("keys")) as made:
        yield made


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A furnished central in a file that nobody opens: each test has a copy, which takes less than furnishing it."""
    folder = tmp_path_factory.mktemp("pattern")
    return asyncio.run(furnished(f"sqlite:///{folder}/central.db", folder / "keys.json"))


@pytest.fixture
def site(pattern: Site, tmp_path: Path) -> Site:
    shutil.copytree(pattern.key_file.parent, tmp_path, dirs_exist_ok=True)
    return pattern.moved(f"sqlite:///{tmp_path}/central.db", tmp_path / "keys.json")
