"""The program on a database that holds nothing yet, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
