"""Serving the local API with uvicorn, on a Unix socket that only its owner can open or on TCP."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from terminal_agent.bootstrap import Agent, running_agent
from terminal_agent.data_directory import DataDirectory
from terminal_agent.settings import ConfigurationError

__all__ = ["serve"]

CONNECTIONS_MAX = 500
BACKLOG = 128
SHUTDOWN_S = 2
# Longer than clients keep an idle connection (httpx: 5 s), so that no call meets a connection that we just closed.
KEEP_ALIVE_S = 60


def serve(directory: DataDirectory, failpoints: Path | None) -> None:
    """Run the agent until SIGTERM or SIGINT. Raises what `running_agent` raises, and OSError for a taken address."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for talkative in ("httpx", "pyBarcode"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    asyncio.run(_serve(directory, failpoints))


class _Server(uvicorn.Server):
    """uvicorn ends the process by the signal that stopped it, before the journal is closed: signals are ours."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(directory: DataDirectory, failpoints: Path | None) -> None:
    async with running_agent(directory, failpoints) as agent:
        server = _Server(_config(agent))
        _stop_on_signals(server, agent)
        listener, address = _listen(agent)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(server.serve(sockets=[listener]))
                tasks.create_task(_announce(server, address))
        finally:
            listener.close()
            if listener.family == socket.AF_UNIX:
                Path(address.removeprefix("unix:")).unlink(missing_ok=True)


def _stop_on_signals(server: uvicorn.Server, agent: Agent) -> None:
    def stop() -> None:
        server.should_exit = True
        agent.end_streams()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _config(agent: Agent) -> uvicorn.Config:
    api = agent.settings.local_api
    config = uvicorn.Config(
        agent.app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=SHUTDOWN_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        ssl_certfile=_beside(agent, api.tls_certificate),
        ssl_keyfile=_beside(agent, api.tls_key),
    )
    try:
        config.load()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"tls_certificate and tls_key cannot be used ({error}): correct them in [local_api]"
        ) from None
    return config


def _beside(agent: Agent, path: str) -> str | None:
    return str(agent.directory.path / path) if path else None


async def _announce(server: uvicorn.Server, address: str) -> None:
    while not server.started and not server.should_exit:
        await asyncio.sleep(0.01)
    if server.started:
        print(f"loyalty-agent listens on {address}", flush=True)


def _listen(agent: Agent) -> tuple[socket.socket, str]:
    api = agent.settings.local_api
    if not api.listen:
        path = agent.directory.path / api.socket
        return _unix_listener(path), f"unix:{path}"
    host, port = api.host_and_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"{api.listen} cannot be listened on ({error.strerror}): choose another port for `listen` in [local_api]"
        ) from None
    scheme = "https" if api.tls_certificate else "http"
    return listener, f"{scheme}://{api.listen.rpartition(':')[0]}:{listener.getsockname()[1]}"


def _unix_listener(path: Path) -> socket.socket:
    """Listen on a socket file for the owner alone. The lock on the directory says that an old one is left over."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o600)  # Nobody can connect before `listen`.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the socket {path} cannot be made ({error.strerror or error}): nothing else may have that name, and a "
            "socket's path has at most 107 bytes; choose a shorter --directory, or `socket` in [local_api]"
        ) from None
    return listener
