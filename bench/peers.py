"""The other sides: raw sqlite3, and libraries as they are usually written. Each keeps one row of 600 bytes durably.

WAL and `synchronous=FULL` everywhere but in litequeue, which sets NORMAL itself and so leaves out the fsync.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, create_engine, event, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

__all__ = ["PEERS", "PeersMissing", "library", "load_peers", "open_peer"]

ROW = os.urandom(600)
FOLDER = Path(__file__).parents[1] / "build" / "bench" / "peers"

Record = Callable[[], object]


class PeersMissing(Exception):
    """The libraries to compare with are not installed; the text names the remedy."""


def load_peers() -> None:
    """Put the folder of requirements-bench.txt last on the path, so that it hides nothing. Raises PeersMissing."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    try:
        library("huey")
    except ImportError:
        raise PeersMissing("the libraries to compare with are not installed: run `make bench`") from None


def library(name: str) -> Any:
    """Return a module of the folder. By name, because type checkers know neither the folder nor its modules' types."""
    return importlib.import_module(name)


@contextmanager
def open_peer(name: str, folder: Path) -> Iterator[Record]:
    """Open one of PEERS in a folder of its own and give what records a row."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        yield PEERS[name](folder, stack)


def _sqlite3(folder: Path, stack: ExitStack) -> Record:
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    stack.callback(connection.close)
    _durable(connection, None)
    connection.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT")

    def record() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows (data) VALUES (?)", (ROW,))
        connection.execute("COMMIT")

    return record


def _core(folder: Path, stack: ExitStack) -> Record:
    engine = create_engine(f"sqlite:///{folder / 'core.db'}")
    stack.callback(engine.dispose)
    event.listen(engine, "connect", _durable)
    metadata = MetaData()
    rows = Table(
        "rows", metadata, Column("seq", Integer, primary_key=True), Column("data", LargeBinary, nullable=False)
    )
    metadata.create_all(engine)

    def record() -> None:
        with engine.begin() as connection:
            connection.execute(insert(rows).values(data=ROW))

    return record


def _orm(folder: Path, stack: ExitStack) -> Record:
    engine = create_engine(f"sqlite:///{folder / 'orm.db'}")
    stack.callback(engine.dispose)
    event.listen(engine, "connect", _durable)
    _Base.metadata.create_all(engine)

    def record() -> None:
        with Session(engine) as session:
            session.add(_Row(data=ROW))
            session.commit()

    return record


def _persist_queue(folder: Path, stack: ExitStack) -> Record:
    queue = library("persistqueue").SQLiteQueue(str(folder), auto_commit=True)
    queue._putter.execute("PRAGMA synchronous = FULL")
    stack.callback(lambda: queue.__del__())
    return lambda: queue.put(ROW)


def _litequeue(folder: Path, stack: ExitStack) -> Record:
    queue = library("litequeue").LiteQueue(str(folder / "lite.db"))
    stack.callback(queue.close)
    text = "x" * len(ROW)
    return lambda: queue.put(text)


def _huey(folder: Path, stack: ExitStack) -> Record:
    storage = library("huey.storage").SqliteStorage(filename=str(folder / "huey.db"), fsync=True)
    stack.callback(storage.close)
    return lambda: storage.enqueue(ROW)


def _durable(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


class _Base(DeclarativeBase):
    pass


class _Row(_Base):
    __tablename__ = "rows"
    seq: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes]


PEERS: dict[str, Callable[[Path, ExitStack], Record]] = {
    "raw sqlite3": _sqlite3,
    "SQLAlchemy Core": _core,
    "SQLAlchemy ORM": _orm,
    "persist-queue": _persist_queue,
    "litequeue": _litequeue,
    "huey": _huey,
}
