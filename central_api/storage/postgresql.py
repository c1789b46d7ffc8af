"""What PostgreSQL asks for: its address, its settings for each connection, and which of its errors mean "again".

Writers work side by side at READ COMMITTED; `locks.py` keeps them from each other's rows. Where two meet all
the same (a deadlock, one key written twice), one of them is undone and comes again: `is_conflict` tells these errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from central_api.storage.unusable import CommitUnknown, DatabaseUnusable

__all__ = ["PostgresqlEngines", "is_conflict", "is_lost"]

CONNECTIONS_MAX = 16
WAIT_S_MAX = 30.0
# Serialization failure, deadlock, unique violation: by the manual's table of error codes.
CONFLICTS = frozenset({"40001", "40P01", "23505"})
# A lock was not had in time; a connection was refused, broke or was ended by an operator.
LOST = frozenset({"55P03", "08000", "08001", "08003", "08004", "08006", "53300", "57P01", "57P02", "57P03"})
SETTINGS = {
    "application_name": "loyalty-central",
    # A process that hangs must not keep members locked for ever.
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    # Compiling statements costs more than it gives to short ones.
    "jit": "off",
}

T = TypeVar("T")


class PostgresqlEngines:
    """The connections to one server, in one pool; transactions that read see one state."""

    def __init__(self, url: URL) -> None:
        settings = {"server_settings": SETTINGS, "async_creator_fn": _connect}
        self.writer = create_async_engine(
            _for_asyncpg(url), pool_size=CONNECTIONS_MAX, max_overflow=0, pool_timeout=WAIT_S_MAX, connect_args=settings
        )
        self._readers = self.writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction of its own."""
        async with self._readers.begin() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction of its own, beside others. Raises CommitUnknown."""
        async with self.writer.connect() as connection:
            done = await connection.run_sync(work)
            with _commit_in_doubt():
                await connection.commit()
            return done

    async def close(self) -> None:
        """Close all connections."""
        await self.writer.dispose()


def is_conflict(error: DBAPIError) -> bool:
    """Whether the transaction met another one, and is to be tried again from its start."""
    return _state_of(error) in CONFLICTS


def is_lost(error: DBAPIError) -> bool:
    """Whether the server or a lock could not be had: nothing is wrong with what was asked."""
    return error.connection_invalidated or _state_of(error) in LOST


async def _connect(*positional: Any, **named: Any) -> Any:
    """Connect as the driver does. Raises DatabaseUnusable for whatever keeps the server away."""
    # Imported here: a central on SQLite has no use for it.
    import asyncpg

    try:
        return await asyncpg.connect(*positional, **named)
    except (asyncpg.PostgresError, OSError) as error:
        raise DatabaseUnusable(f"PostgreSQL cannot be reached: {error}; check server and --database") from error


@contextmanager
def _commit_in_doubt() -> Iterator[None]:
    """A connection that ends between COMMIT and its answer leaves open whether the server has done it."""
    try:
        yield
    except DBAPIError as error:
        if not is_lost(error):
            raise
        raise CommitUnknown(
            f"PostgreSQL went away while it committed ({error.orig}): what was asked is done as a whole or not at all; "
            "repeat it with the same Idempotency-Key or the same ids, or look before repeating it"
        ) from error


def _state_of(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _for_asyncpg(url: URL) -> URL:
    """Name the driver, and the option of TLS as this driver does."""
    query = dict(url.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=query)
