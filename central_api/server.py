"""Runs the API on uvicorn until a signal stops it. Knows sockets and signals, and nothing of loyalty."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

__all__ = ["serve_app"]

SHUTDOWN_S_MAX = 10
BACKLOG = 2_048
OBJECTS_UNTIL_COLLECTED = 100_000


async def serve_app(app: FastAPI, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the address once calls are answered. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S_MAX,
    )
    shown = f"[{host}]" if ":" in host else host
    server = _Server(config, lambda: ready(f"http://{shown}:{listener.getsockname()[1]}"))
    # uvicorn raises the signal again once it has stopped; being stopped is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _collect_seldom()
    await server.serve(sockets=[listener])


def _collect_seldom() -> None:
    """An upload makes thousands of objects that stay until its end, and no circles: looking for them costs a tenth."""
    gc.freeze()
    gc.set_threshold(OBJECTS_UNTIL_COLLECTED)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
