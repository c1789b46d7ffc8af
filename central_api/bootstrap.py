"""Picks what is real: the machine's clock and randomness, the key file, engine and server. Decides nothing else."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as distribution_version
from pathlib import Path

from sqlalchemy.engine import URL

from central_api.capabilities import Capabilities
from central_api.jobs.runner import JobRunner
from central_api.jobs.scheduler import do_jobs
from central_api.key_file import KeyFileUnusable, default_key_file, read_key_file, write_key_file
from central_api.keys import new_key_ring
from central_api.storage.database import Database, address_of, open_database
from central_api.storage.installation import install
from central_api.storage.migration import NotInitialised, check_installed, is_installed, migrate

__all__ = ["AddressTaken", "Central", "initialise", "job_runner", "migrate_database", "open_central", "serve"]

PORT_MAX = 65_535
OWNER_BYTES = 4
# A step of a job takes far less; what does not end in time is undone.
JOBS_STOP_S_MAX = 10.0


class AddressTaken(Exception):
    """The server cannot listen where it is to; the text names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Central:
    """One central: its database, opened, and its capabilities. Close the database when done."""

    database: Database
    capabilities: Capabilities


async def initialise(url: str, key_file: Path | None, tenant: str) -> tuple[Central, bool]:
    """Make database, keys and tenant where they are missing. Returns whether anything was made."""
    address = address_of(url)
    keys_path = key_file or default_key_file(address)
    file = _file_of(address)
    if file is not None and not file.exists():
        _make_folder(file)
    database = open_database(url)
    async with _closed_on_failure(database):
        if not keys_path.exists():
            if (file is None or file.exists()) and await database.read(is_installed):
                raise KeyFileUnusable(f"the database is there, but its keys {keys_path} are not; restore or name them")
            write_key_file(keys_path, new_key_ring(secrets.token_bytes))
        central = Central(database=database, capabilities=_capabilities(keys_path))
        made = await database.write(partial(install, capabilities=central.capabilities, tenant=tenant))
    return central, made


async def open_central(url: str, key_file: Path | None) -> Central:
    """Open an initialised central of this release. Raises NotInitialised, KeyFileUnusable or DatabaseUnusable."""
    address = address_of(url)
    file = _file_of(address)
    if file is not None and not file.exists():
        raise NotInitialised(f"{file} does not exist; run: loyalty-central init --database {url}")
    capabilities = _capabilities(key_file or default_key_file(address))
    central = Central(database=open_database(url), capabilities=capabilities)
    async with _closed_on_failure(central.database):
        await central.database.read(check_installed)
    return central


async def migrate_database(url: str) -> tuple[int, int]:
    """Bring a database to this release's form. Returns its schema version before and after. Raises NotInitialised."""
    file = _file_of(address_of(url))
    if file is not None and not file.exists():
        raise NotInitialised(f"{file} does not exist; run: loyalty-central init --database {url}")
    database = open_database(url)
    try:
        return await database.write(migrate)
    finally:
        await database.close()


def job_runner(central: Central) -> JobRunner:
    """Return what does jobs in this process, under a name that no other process has."""
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(OWNER_BYTES)}"
    return JobRunner(database=central.database, capabilities=central.capabilities, owner=owner)


async def serve(
    central: Central, host: str, port: int, ready: Callable[[str], None], *, with_jobs: bool = True
) -> None:
    """Serve until SIGTERM or SIGINT, and do the jobs meanwhile; `ready` gets the address once calls are answered.

    Raises AddressTaken.
    """
    async with _jobs_done(central) if with_jobs else nullcontext():
        await _serve_calls(central, host, port, ready)


async def _serve_calls(central: Central, host: str, port: int, ready: Callable[[str], None]) -> None:
    # Imported here, since the web framework costs more than all that the other commands need.
    from central_api.api.application import create_app
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
async def _jobs_done(central: Central) -> AsyncIterator[None]:
    """Do jobs beside what runs inside; at its end the step that is under way is waited for."""
    runner = job_runner(central)
    task = asyncio.create_task(do_jobs(runner))
    try:
        yield
    finally:
        runner.stopping.set()
        await asyncio.wait([task], timeout=JOBS_STOP_S_MAX)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _closed_on_failure(database: Database) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await database.close()
        raise


def _file_of(address: URL) -> Path | None:
    """The file of a database that is one; None of a server, which says by itself what it holds."""
    return Path(str(address.database)) if address.get_backend_name() == "sqlite" else None


def _capabilities(keys_path: Path) -> Capabilities:
    return Capabilities(now=lambda: datetime.now(UTC), random_bytes=secrets.token_bytes, keys=read_key_file(keys_path))


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileUnusable(f"the folder {path.parent} cannot be made: {error.strerror}") from None
