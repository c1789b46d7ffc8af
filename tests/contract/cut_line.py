"""A line to PostgreSQL that is cut at a COMMIT: before the server gets it, or before the client gets its answer."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import URL

__all__ = ["CutLine", "Moment", "cut_line"]

Moment = Literal["before", "after"]
PORT = 5432
PIECE_BYTES = 65_536
COMMIT = b"COMMIT;\0"


@dataclass(slots=True)
class CutLine:
    """A proxy that passes everything on, until a moment is set: the next COMMIT then ends its connection."""

    server: URL
    moment: Moment | None = None
    of_a_write: bool = True

    def cut(self, moment: Moment, *, of_a_write: bool = True) -> None:
        """Cut the next COMMIT of a transaction that writes, or of one that only reads."""
        self.moment, self.of_a_write = moment, of_a_write

    async def serve(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until an end of it closes, or it is cut."""
        far, far_writer = await self._connect()
        committed = asyncio.Event()
        pumps = [
            asyncio.create_task(self._ask(near, far_writer, committed)),
            asyncio.create_task(_answer(far, near_writer, committed)),
        ]
        # Whichever side ends first ends the other.
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for writer in (near_writer, far_writer):
            writer.close()

    async def _ask(self, near: asyncio.StreamReader, far: asyncio.StreamWriter, committed: asyncio.Event) -> None:
        writes = True
        while data := await near.read(PIECE_BYTES):
            if b"BEGIN" in data:
                writes = b"READ ONLY" not in data
            if COMMIT in data and self.moment is not None and writes == self.of_a_write:
                moment, self.moment = self.moment, None
                if moment == "before":
                    return
                committed.set()
            far.write(data)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder, port = self.server.query.get("host"), self.server.port or PORT
        if isinstance(folder, str) and folder.startswith("/"):
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self.server.host, port)


async def _answer(far: asyncio.StreamReader, near: asyncio.StreamWriter, committed: asyncio.Event) -> None:
    """Pass answers on; the one to a COMMIT that is to be lost is awaited, and lost."""
    while data := await far.read(PIECE_BYTES):
        if committed.is_set():
            return
        near.write(data)


@asynccontextmanager
async def cut_line(server: URL) -> AsyncIterator[tuple[CutLine, URL]]:
    """Listen beside a database; yields the line and the database's address through it."""
    line = CutLine(server)
    # Short, since the path of a Unix socket is.
    folder = Path(tempfile.mkdtemp(prefix="cut-"))
    try:
        listener = await asyncio.start_unix_server(line.serve, folder / f".s.PGSQL.{PORT}")
        try:
            yield line, server.set(host=None, port=None, query={"host": str(folder)})
        finally:
            listener.close()
            with suppress(asyncio.CancelledError):
                await listener.wait_closed()
    finally:
        shutil.rmtree(folder)
