"""A fresh central for each test, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from inspect import iscoroutinefunction
from pathlib import Path

import httpx
import pytest

from central_api.api.application import create_app
from central_api.bootstrap import initialise
from tests.support.databases import Place, postgresql_place, sqlite_place
from tests.support.postgresql import Server
from tests.unit.central_api.office_support import Desk, Premises
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


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def premises_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database for all tests of the back office."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('premises')}/central.db"
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database() as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture(scope="package")
async def premises(premises_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    """A central and its app, which tests share: each has a tenant of its own."""
    central, _ = await initialise(premises_url, tmp_path_factory.mktemp("keys") / "keys.json", "first")
    app = create_app(database=central.database, capabilities=central.capabilities, version="test")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as client:
        yield Premises(central=central, app=app, client=client)
    await central.database.close()


@pytest.fixture
async def desk(premises: Premises) -> Desk:
    """Somebody who works for a tenant that nobody else has."""
    return await premises.desk()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run a test that has a place there."""
    place = pyfuncitem.funcargs.get("place")
    if isinstance(place, Place) and not iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = partial(place.run, pyfuncitem.obj)
