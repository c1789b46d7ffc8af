"""Picks what is real: the machine's clock and randomness, the key file, engine and server. Decides nothing else."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as distribution_version
from pathlib import Path

from central_api.capabilities import Capabilities
from central_api.database import Database, database_path, open_database
from central_api.installation import NotInitialised, check_installed, install
from central_api.key_file import KeyFileUnusable, default_key_file, read_key_file, write_key_file
from central_api.keys import new_key_ring

__all__ = ["AddressTaken", "Central", "initialise", "open_central", "serve"]

PORT_MAX = 65_535


class AddressTaken(Exception):
    """The server cannot listen where it is to; the text names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Central:
    """One central: its database, opened, and its capabilities. Close the database when done."""

    database: Database
    capabilities: Capabilities


async def initialise(url: str, key_file: Path | None, tenant: str) -> tuple[Central, bool]:
    """Make database, keys and tenant where they are missing. Returns whether anything was made."""
    path = database_path(url)
    keys_path = key_file or default_key_file(path)
    if path.exists() and not keys_path.exists():
        raise KeyFileUnusable(f"{path} is there, but its keys {keys_path} are not; restore them, or use --keys")
    if not keys_path.exists():
        _make_folder(path)
        write_key_file(keys_path, new_key_ring(secrets.token_bytes))
    central = Central(database=open_database(url), capabilities=_capabilities(keys_path))
    work = partial(install, capabilities=central.capabilities, tenant=tenant)
    async with _closed_on_failure(central):
        made = await central.database.write(work)
    return central, made


async def open_central(url: str, key_file: Path | None) -> Central:
    """Open an initialised central. Raises NotInitialised, KeyFileUnusable or DatabaseUnusable."""
    path = database_path(url)
    if not path.exists():
        raise NotInitialised(f"{path} does not exist; run: loyalty-central init --database {url}")
    central = Central(database=open_database(url), capabilities=_capabilities(key_file or default_key_file(path)))
    async with _closed_on_failure(central):
        await central.database.read(check_installed)
    return central


async def serve(central: Central, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the address once calls are answered. Raises AddressTaken."""
    # Imported here, since the web framework costs more than all that the other commands need.
    from central_api.api import create_app
    from central_api.server import serve_app

    version = distribution_version("pos-loyalty-agent")
    app = create_app(database=central.database, capabilities=central.capabilities, version=version)
    if not 0 <= port <= PORT_MAX:
        raise AddressTaken(f"--port must be from 0 to {PORT_MAX}, not {port}")
    try:
        await serve_app(app, host, port, ready)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise AddressTaken(f"cannot listen on {host}:{port}: {reason}; choose another with --port or --host") from None


@asynccontextmanager
async def _closed_on_failure(central: Central) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await central.database.close()
        raise


def _capabilities(keys_path: Path) -> Capabilities:
    return Capabilities(now=lambda: datetime.now(UTC), random_bytes=secrets.token_bytes, keys=read_key_file(keys_path))


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileUnusable(f"the folder {path.parent} cannot be made: {error.strerror}") from None
