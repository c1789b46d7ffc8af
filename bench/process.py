"""A real `loyalty-agent run` with a till's devices, and without central: what it cannot reach it does without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.terminal import CONTEXT, new_identity, prepare
from loyalty_sdk.till import Till
from sync import identity as identities
from sync.identity import Identity

__all__ = ["AgentProcess", "ProcessFailed", "resident_mb", "resident_mb_max", "running_agent"]

READY = "loyalty-agent listens on "
STOP_TIMEOUT_S = 15
# Nothing listens at the discard port: a central that is absent, and refuses at once.
ABSENT = "http://127.0.0.1:9"


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
def running_agent(
    directory: Path,
    devices: str = "",
    *,
    central: str = ABSENT,
    identity: Identity | None = None,
    journal: Path | None = None,
) -> Iterator[AgentProcess]:
    """Run an agent on a new data directory; `devices` are sections of agent.toml. Raises ProcessFailed.

    A `journal` that is there already comes with its `identity`; it is moved.
    """
    directory.mkdir(parents=True, mode=0o700)
    identity, token = identity or new_identity(), "bench-token"
    identities.write(directory / "identity.json", identity)
    (directory / "token").write_text(token, encoding="ascii")
    if journal is None:
        prepare(directory / "journal.db", identity)
    else:
        journal.rename(directory / "journal.db")
    # Of its own, since a benchmark may run in a folder whose name is too long for a socket's.
    with TemporaryDirectory(prefix="bench-") as short, (directory / "agent.log").open("wb") as log:
        settings = f'[central]\nurl = "{central}"\n[local_api]\nsocket = "{short}/agent.sock"\n{devices}'
        (directory / "agent.toml").write_text(settings, encoding="utf-8")
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


def resident_mb_max(pid: int) -> float:
    """Return the most memory that a process ever held, in megabytes; Linux only (proc(5), VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes, as `ps` tells it."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    return int(said) * 1024 / 1e6
