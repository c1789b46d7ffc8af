"""A real central for these tests: its commands, its API on uvicorn in a thread, and its backups."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import uvicorn

from central_api.api.application import create_app
from central_api.api.limits import Limits
from central_api.bootstrap import open_central
from tests.integration.central_api.support import Program

__all__ = ["CARD", "CentralSite", "programme"]

CARD = "2000000000015"
WAIT_S = 60


def programme(version: int = 1, per_minor: int = 100) -> dict[str, Any]:
    """A point for each euro, and five euros off for a hundred points."""
    return {
        "format": "loyalty-programme-1",
        "name": "Test",
        "version": version,
        "currency": "EUR",
        "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": per_minor}],
        "rewards": [{"id": "five-off", "points": 100, "discount_minor": 500, "count_per_sale_max": 3}],
        "offline": {
            "points_per_sale_max": 300,
            "points_per_member_max": 300,
            "redemptions_per_member_max": 3,
            "hours_since_contact_max": 72,
            "grant_ahead_points_max": 100,
        },
    }


class CentralSite:
    """Central in one folder, on one port for all of its lives."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.program = Program(folder)
        self.limits = limits
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            self.port: int = probe.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.write_programme(programme())
        self.program.json("init", "--programme", str(folder / "programme.json"))

    def write_programme(self, document: dict[str, Any]) -> str:
        """Write a programme to the folder."""
        path = self.program.folder / "programme.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return str(path)

    def activate(self, document: dict[str, Any]) -> None:
        """Put a programme in force."""
        self.program.json("programme", "activate", self.write_programme(document))

    def add_member(self, card: str = CARD) -> str:
        """Register a member."""
        return str(self.program.json("member", "add", "--alias", card, "--name", "Maria da Silva")["member_id"])

    def figures(self) -> tuple[int, int, int]:
        """(available, reserved, owed) of all members together."""
        ((available, owed),) = self.rows("SELECT coalesce(sum(available), 0), coalesce(sum(owed), 0) FROM balances")
        ((reserved,),) = self.rows("SELECT coalesce(sum(points), 0) FROM reservations")
        return available, reserved, owed

    def start(self) -> None:
        """Serve until `stop`."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(WAIT_S)

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(WAIT_S)
            self._server = self._thread = None

    def backup(self, name: str = "backup.db") -> Path:
        """Make a copy of the database as it is now, as an operator would."""
        path = self.program.folder / name
        with closing(sqlite3.connect(self.program.database)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
        return path

    def restore(self, backup: Path) -> None:
        """Put a backup in the place of the database."""
        self.stop()
        for companion in ("-wal", "-shm"):
            self.program.database.with_name(self.program.database.name + companion).unlink(missing_ok=True)
        shutil.copyfile(backup, self.program.database)
        self.start()

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read rows by SQL."""
        with closing(sqlite3.connect(f"file:{self.program.database}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, parameters).fetchall()

    async def _serve(self, ready: threading.Event) -> None:
        central = await open_central(f"sqlite:///{self.program.database}", None)
        app = create_app(
            database=central.database, capabilities=central.capabilities, version="test", limits=self.limits
        )
        config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            started = server.startup

            async def startup(sockets: list[socket.socket] | None = None) -> None:
                await started(sockets)
                ready.set()

            server.startup = startup  # type: ignore[method-assign]  # uvicorn has no other way to tell
            await server._serve([listener])  # Not `serve`, which would take over the signals of the test's process.
        await central.database.close()
