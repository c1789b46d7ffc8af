"""Brings the database of an earlier release to today's form, in the transaction that it is given.

`meta.schema_version` says which form a database has; releases before this one refuse any other. Alembic keeps the same
number in a table of its own, which is made at the first migration: a new database is made as it is today, without any.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, select, text, update

from central_api.storage.schema import SCHEMA_VERSION, meta

__all__ = ["NotInitialised", "check_installed", "is_installed", "lock_schema", "migrate", "schema_version"]

# Any number that nothing else locks; "loyalty" as bytes.
LOCK = int.from_bytes(b"loyalty", "big")


class NotInitialised(Exception):
    """The database has no tables of central, or those of another release; the text names the remedy."""


def lock_schema(connection: Connection) -> None:
    """Let one at a time make or change tables; on SQLite whoever writes has that lock already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(cast(:lock AS bigint))").bindparams(lock=LOCK))


def is_installed(connection: Connection) -> bool:
    """Whether central's tables are there, of whatever release."""
    return inspect(connection).has_table(meta.name)


def schema_version(connection: Connection) -> int:
    """Return the database's schema version. Raises NotInitialised where there is none."""
    if is_installed(connection):
        query = select(meta.c.value).where(meta.c.name == "schema_version")
        if (found := connection.execute(query).scalar_one_or_none()) is not None:
            return int(found)
    raise NotInitialised("the database holds nothing yet; run: loyalty-central init")


def check_installed(connection: Connection) -> None:
    """Raise NotInitialised unless the tables are those of this release."""
    found = _not_newer(connection)
    if found < SCHEMA_VERSION:
        raise NotInitialised(
            f"the database is of an earlier release (schema {found}, this one has {SCHEMA_VERSION}); "
            "make a backup, then run: loyalty-central migrate"
        )


def migrate(connection: Connection) -> tuple[int, int]:
    """Take the database to this release's form. Returns the schema version before and after. Raises NotInitialised."""
    lock_schema(connection)
    found = _not_newer(connection)
    if found < SCHEMA_VERSION:
        upgrade(connection, found, SCHEMA_VERSION)
        changed = update(meta).where(meta.c.name == "schema_version").values(value=str(SCHEMA_VERSION))
        connection.execute(changed)
    return found, SCHEMA_VERSION


def upgrade(connection: Connection, before: int, after: int) -> None:
    """Run the steps between two versions, 0 being an empty database."""
    # Imported here: no other command needs it, and it costs as much as all that they need.
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic reads a percent sign in an option as the beginning of another option's name.
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    if before:
        command.stamp(config, str(before))
    command.upgrade(config, str(after))


def _not_newer(connection: Connection) -> int:
    found = schema_version(connection)
    if found > SCHEMA_VERSION:
        raise NotInitialised(
            f"a newer release wrote the database (schema {found}, this one reads {SCHEMA_VERSION}); update this program"
        )
    return found
