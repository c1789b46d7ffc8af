"""Opens what a crash left with the product's own start-up code, audits it, and sells once more."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy.exc import DBAPIError

from loyalty_sdk.errors import LoyaltyError
from sync.store import Command, Store, StoreRefused
from tests.crash import rig
from tests.crash.audit import Fault, FaultKind, audit
from tests.crash.expected import Expected
from tests.crash.register import Register

__all__ = ["check_directory", "check_files", "scratch_directory"]

MEMORY = Path("/dev/shm")


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Give a folder for images: in memory where the machine has one, for speed. What is written never needs a sync."""
    with tempfile.TemporaryDirectory(prefix="crash-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def check_files(files: dict[str, bytes], expected: Expected, scratch: Path) -> list[Fault]:
    """Put the files into an empty folder and check them there."""
    directory = scratch / "image"
    directory.mkdir()
    try:
        for name, data in files.items():
            (directory / name).write_bytes(data)
        return check_directory(directory, expected)
    finally:
        shutil.rmtree(directory)


def check_directory(directory: Path, expected: Expected) -> list[Fault]:
    """Open the journal, audit it, record a sale, close it and audit it again."""
    store = rig.store_at(directory)
    try:
        store.open()
        faults = _set_aside(directory) or _audit(directory, expected)
        if not faults:
            _sell(store)
    except StoreRefused as error:
        return [Fault("unusable", str(error))]
    except (DBAPIError, sqlite3.DatabaseError, LoyaltyError) as error:
        kind: FaultKind = "corrupt" if "malformed" in str(error) or "not a database" in str(error) else "unusable"
        return [Fault(kind, f"{type(error).__name__}: {error}")]
    finally:
        store.close()
    return faults or _audit(directory, expected)


def _set_aside(directory: Path) -> list[Fault]:
    """Find what the start-up took for damaged: a crash damages nothing, whatever could be salvaged of it."""
    return [Fault("corrupt", f"taken for damaged: {path.name}") for path in directory.glob("*damaged*")][:1]


def _audit(directory: Path, expected: Expected) -> list[Fault]:
    with closing(sqlite3.connect(directory / rig.JOURNAL)) as connection:
        return audit(connection, expected)


def _sell(store: Store) -> None:
    """Sell once more. Raises LoyaltyError, or what the command raised."""
    _run(store, rig.StoreProgramme())

    def call(make: Any) -> Any:
        return _run(store, make())

    register = Register(name="check", series="check", random=Random(0), call=call, acknowledge=lambda line: None)
    register.sell_once()


def _run(store: Store, command: Command) -> Any:
    (result,) = store.transact([command])
    if result.error is not None:
        raise result.error
    return result.value
