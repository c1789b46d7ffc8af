"""A real `loyalty-agent run` with a till's devices, and without central: what it cannot reach it does without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.terminal import CONTEXT, new_identity, prepare
from loyalty_sdk.till import Till
from sync import identity as identities

__all__ = ["AgentProcess", "ProcessFailed", "resident_mb", "running_agent"]

READY = "loyalty-agent listens on "
STOP_TIMEOUT_S = 15
# Nothing listens at the discard port: a central that is absent, and refuses at once.
SETTINGS = '[central]\nurl = "http://127.0.0.1:9"\n'


class ProcessFailed(Exception):
    """A program did not start; the text shows what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProcess:
    """A running agent: its process id, the address of its local API, and its token."""

    pid: int
    address: str
    token: str

    def till(self) -> Till:
        """Return a till of the register that the benchmarks sell at."""
        return Till(
            store=CONTEXT.store,
            register=CONTEXT.register,
            cashier=CONTEXT.cashier,
            business_date=CONTEXT.business_date,
            agent=self.address,
            token=self.token,
        )


@contextmanager
def running_agent(directory: Path, devices: str = "") -> Iterator[AgentProcess]:
    """Run an agent on a new data directory; `devices` are sections of agent.toml. Raises ProcessFailed."""
    directory.mkdir(parents=True, mode=0o700)
    identity, token = new_identity(), "bench-token"
    identities.write(directory / "identity.json", identity)
    (directory / "token").write_text(token, encoding="ascii")
    (directory / "agent.toml").write_text(SETTINGS + devices, encoding="utf-8")
    prepare(directory / "journal.db", identity)
    with (directory / "agent.log").open("wb") as log:
        program = str(Path(sys.executable).with_name("loyalty-agent"))
        process = subprocess.Popen(
            [program, "run", "--directory", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith(READY):
            raise ProcessFailed(f"loyalty-agent did not start: {(directory / 'agent.log').read_text()[-500:]}")
        yield AgentProcess(pid=process.pid, address=line.removeprefix(READY).strip(), token=token)
    finally:
        process.terminate()
        process.stdout.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes, as `ps` tells it."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    return int(said) * 1024 / 1e6
