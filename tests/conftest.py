"""What every test shares: the back end of asynchronous tests and the settings of property tests."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.postgresql import Server, Unavailable, new_server

# A slow machine must not fail a law: no example has a time limit.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The one event loop that the project runs on; trio is not supported."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A real PostgreSQL, started when the first test asks for it."""
    try:
        with new_server() as server:
            yield server
    except Unavailable as reason:
        pytest.skip(str(reason))
