"""The program on a database that holds nothing yet, on SQLite and on PostgreSQL; and one central that is served."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.central_api.central_client import Site, serving
from tests.integration.central_api.support import Program
from tests.support.postgresql import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    if request.param == "sqlite":
        yield Program(tmp_path)
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database() as url:
        yield Program(tmp_path, url.render_as_string(hide_password=False))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One central for all tests of its clients, each of which has members and terminals of its own."""
    with serving(Program(tmp_path_factory.mktemp("central"))) as made:
        yield made
