"""What every test shares: the back end of asynchronous tests and the settings of property tests."""

import pytest
from hypothesis import settings

# A slow machine must not fail a law: no example has a time limit.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The one event loop that the project runs on; trio is not supported."""
    return "asyncio"
