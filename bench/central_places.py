"""Where central keeps its data while it is measured: an SQLite file, or a PostgreSQL that forgets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL

from tests.support.postgresql import Unavailable, new_server

__all__ = ["KINDS", "NoPlace", "Place", "new_places"]

KINDS = ("PostgreSQL", "SQLite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An empty database; `server_pid` is the process of its server, None where there is none or it is elsewhere."""

    kind: str
    url: URL
    server_pid: int | None = None

    @property
    def name(self) -> str:
        """A name that no other place has."""
        return Path(str(self.url.database)).name

    @property
    def address(self) -> str:
        """The address as central takes it."""
        return self.url.render_as_string(hide_password=False)


class NoPlace(Exception):
    """There is no database of that kind here; the text says why, and what would help."""


@contextmanager
def new_places(kind: str, directory: Path, count: int) -> Iterator[list[Place]]:
    """Give new databases, which go at the end. Raises NoPlace."""
    if kind == "SQLite":
        directory.mkdir()
        files = [directory / f"central-{number}.db" for number in range(count)]
        yield [Place(kind=kind, url=URL.create("sqlite", database=str(file))) for file in files]
        return
    with ExitStack() as stack:
        try:
            server = stack.enter_context(new_server(durable=True))
        except Unavailable as reason:
            raise NoPlace(str(reason)) from None
        urls = [stack.enter_context(server.database()) for _ in range(count)]
        yield [Place(kind=kind, url=url.set(drivername="postgresql"), server_pid=server.pid) for url in urls]
