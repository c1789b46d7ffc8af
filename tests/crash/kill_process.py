"""The process that is killed: the product's store and writer, serving commands of several registers on a Unix socket.

It is the agent's core without its local API, which makes a life short enough for thousands. Commands travel pickled,
between processes of one test only.
"""

from __future__ import annotations

import contextlib
import threading
from multiprocessing.connection import Connection, Listener
from pathlib import Path

from sync.journal import watermark
from sync.writer import Writer
from tests.crash import rig

__all__ = ["SOCKET", "serve"]

SOCKET = "socket"


def serve(directory: Path) -> None:
    """Open the journal and serve until killed."""
    store = rig.store_at(directory)
    store.open()
    with store.reading() as connection:
        watermark(connection)
    writer = Writer(store)
    writer.start()
    writer.call(rig.StoreProgramme())
    with Listener(str(directory / SOCKET), "AF_UNIX", backlog=16) as listener:
        while True:
            threading.Thread(target=_answer, args=(listener.accept(), writer), daemon=True).start()


def _answer(connection: Connection, writer: Writer) -> None:
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            command = connection.recv()
            try:
                answer = writer.call(command)
            # Whatever it is, the register has to hear of it.
            except Exception as error:
                answer = error
            connection.send(answer)
