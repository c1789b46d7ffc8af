"""A fresh central for each test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from functools import partial
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

from tests.support.databases import Place, postgresql_place, sqlite_place
from tests.support.postgresql import Server
from tests.unit.central_api.support import World, new_world


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "sqlite":
        with sqlite_place() as made:
            yield made
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database() as url, postgresql_place(url) as made:
        yield made


@pytest.fixture
def world(place: Place) -> Iterator[World]:
    made = new_world(place)
    yield place.run(made.__enter__)
    place.run(made.__exit__, None, None, None)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database that holds nothing yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/central.db"
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database() as url:
        yield url.render_as_string(hide_password=False)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run a test that has a place there."""
    place = pyfuncitem.funcargs.get("place")
    if isinstance(place, Place) and not iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = partial(place.run, pyfuncitem.obj)
