"""A fresh central for each test."""

from collections.abc import Iterator

import pytest

from tests.unit.central_api.support import World, new_world


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as made:
        yield made
