"""Fixtures: a real central, a proxy on raw sockets before it, and terminals that reach it through the proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from central_api.api.limits import Limits
from tests.integration.exchange.proxy import Proxy
from tests.integration.exchange.site import CentralSite
from tests.integration.exchange.tills import Till

MakeTill = Callable[[str], Till]


@contextmanager
def serving(folder: Path, limits: Limits | None = None) -> Iterator[tuple[CentralSite, Proxy]]:
    """A central that serves, and a proxy before it."""
    folder.mkdir()
    site = CentralSite(folder, limits)
    site.start()
    proxy = Proxy(site.port)
    yield site, proxy
    proxy.close()
    site.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CentralSite, Proxy, Till]]:
    """A central, a proxy and a terminal that runs, for all tests of a module that leave them as they were."""
    folder = tmp_path_factory.mktemp("shared")
    with serving(folder / "central") as (site, proxy):
        till = Till.enrolled(folder / "till", proxy.url, site.program.json("terminal", "add", "till-1")["code"])
        till.start(request_s_max=0.3)
        yield site, proxy, till
        till.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[CentralSite]:
    folder = tmp_path / "central"
    folder.mkdir()
    site = CentralSite(folder)
    site.start()
    yield site
    site.stop()


@pytest.fixture
def proxy(site: CentralSite) -> Iterator[Proxy]:
    proxy = Proxy(site.port)
    yield proxy
    proxy.close()


@pytest.fixture
def make_till(site: CentralSite, proxy: Proxy, tmp_path: Path) -> Iterator[MakeTill]:
    tills: list[Till] = []

    def make(name: str) -> Till:
        code = site.program.json("terminal", "add", name)["code"]
        till = Till.enrolled(tmp_path / name, proxy.url, code)
        tills.append(till)
        return till

    yield make
    for till in tills:
        till.stop()


@pytest.fixture
def till(make_till: MakeTill) -> Till:
    """A terminal that is enrolled and not started."""
    return make_till("till-1")


@pytest.fixture
def member(site: CentralSite) -> str:
    return site.add_member()
