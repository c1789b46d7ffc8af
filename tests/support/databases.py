"""The two kinds of database that central keeps its ledger in, for tests that run on both.

The ledger's functions are synchronous; on the asynchronous driver they run inside a greenlet. `Place.run` gives a test
such a greenlet, so that one test serves both kinds and the driver is the one that programs use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool
from sqlalchemy.util import greenlet_spawn

from central_api.storage.database import configure_sqlite
from central_api.storage.schema import SCHEMA_VERSION, meta, metadata

__all__ = ["Place", "postgresql_place", "sqlite_place"]

T = TypeVar("T")


@dataclass(slots=True)
class Place:
    """Where tests keep a ledger. `examples` is how many a law is shown here."""

    engine: Engine
    examples: int

    def run(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run synchronous work that uses the database."""
        return work(*arguments, **named)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection to tables with nothing in them but an epoch; what is done with it is rolled back."""
        with self.engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    def install(self) -> None:
        """Make the tables, once for all tests of a place: making them takes longer than most tests."""
        with self.engine.begin() as connection:
            metadata.create_all(connection)
            values = {"epoch": "epoch-of-the-tests", "schema_version": str(SCHEMA_VERSION)}
            connection.execute(meta.insert(), [{"name": name, "value": value} for name, value in values.items()])


@dataclass(slots=True)
class AsynchronousPlace(Place):
    """One whose driver is driven by an event loop."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def run(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run work in a greenlet that the loop drives."""
        return self.loop.run_until_complete(greenlet_spawn(work, *arguments, **named))


@contextmanager
def sqlite_place() -> Iterator[Place]:
    """A database in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    configure_sqlite(engine, writes=True)
    place = Place(engine, examples=30)
    place.install()
    yield place
    engine.dispose()


@contextmanager
def postgresql_place(url: URL) -> Iterator[Place]:
    """An empty database of a server, by the driver that programs use."""
    place = AsynchronousPlace(create_async_engine(url).sync_engine, examples=8)
    place.run(place.install)
    yield place
    place.run(place.engine.dispose)
    place.loop.close()
