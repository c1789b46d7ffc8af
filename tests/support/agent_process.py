"""A real central and a real agent as processes, for tests: started, spoken to, killed, started again."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from central_api.cli import main as central_main
from loyalty_sdk.till import RetryPolicy, Till
from terminal_agent.cli import main as agent_main

__all__ = ["DAY", "AgentProcess", "CentralProcess", "wait_until"]

ROOT = Path(__file__).parents[2]
DAY = date(2026, 5, 1)
DEADLINE_S = 30.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as `condition` holds; fail with `what` when it never does."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain for: {what}"
        time.sleep(0.01)


@dataclass(slots=True)
class _Program:
    """One program in one folder; what it says on standard error is kept beside its files."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    address: str = ""

    @property
    def log(self) -> str:
        return (self.folder / "stderr.log").read_text(encoding="utf-8")

    def _start(self, module: str, *arguments: str) -> None:
        with (self.folder / "stderr.log").open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert " listens on " in line, f"{line!r}\n{self.log}"
        self.address = line.rpartition(" ")[2]

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Ask it to end; return its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return status

    def close(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self.process is not None:
            self.kill()


@dataclass(slots=True)
class CentralProcess(_Program):
    """`loyalty-central` on a SQLite database; its port stays the same when it is started again."""

    def command(self, *arguments: str) -> Any:
        """Run one command and read its JSON; in this process, for starting Python would take most of the time."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = central_main([*arguments, "--database", self._url, "--json"])
        assert status == 0, err.getvalue()
        return json.loads(out.getvalue())

    def initialise(self, programme: dict[str, Any]) -> None:
        """Make the database with this programme in force."""
        self.folder.mkdir()
        file = self.folder / "programme.json"
        file.write_text(json.dumps(programme), encoding="utf-8")
        self.command("init", "--programme", str(file))

    def start(self) -> None:
        """Serve, and wait until it is ready."""
        port = self.address.rpartition(":")[2] or "0"
        self._start("central_api.cli", "serve", "--port", port, "--database", self._url)

    @property
    def _url(self) -> str:
        return f"sqlite:///{self.folder / 'central.db'}"


@dataclass(slots=True)
class AgentProcess(_Program):
    """`loyalty-agent` on a data directory."""

    tills: list[Till] = field(default_factory=list)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        command = [sys.executable, "-m", "terminal_agent.cli", *arguments, "--directory", str(self.folder)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    @contextmanager
    def following(self) -> Iterator[subprocess.Popen[str]]:
        """Run `status --follow --json`, and end it."""
        command = [sys.executable, "-m", "terminal_agent.cli", "status", "--follow", "--json", "--directory"]
        with subprocess.Popen([*command, str(self.folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def enrol(self, central: CentralProcess, name: str, *, exchange: str = "", rest: str = "") -> None:
        """Enrol, and add lines to `[exchange]` and sections to the configuration."""
        code = central.command("terminal", "add", name)["code"]
        with redirect_stdout(io.StringIO()):
            arguments = ["init", "--central", central.address, "--code", code, "--directory", str(self.folder)]
            assert agent_main(arguments) == 0
        file = self.folder / "agent.toml"
        head, section, tail = file.read_text(encoding="utf-8").partition("[exchange]\n")
        file.write_text(f"{head}{section}changes_s = 1\nbackoff_s_max = 1\n{exchange}{tail}\n{rest}", encoding="utf-8")

    def start(self, failpoints: Path | None = None) -> None:
        """Run, and wait until it is ready."""
        stops = [] if failpoints is None else ["--failpoints", str(failpoints)]
        self._start("terminal_agent.cli", "run", "--directory", str(self.folder), *stops)

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text(encoding="ascii").strip()

    def till(self, *, register: str = "1", retries: RetryPolicy | None = None, training: bool = False) -> Till:
        """A POS at this agent; closed with it."""
        till = Till(
            store="12",
            register=register,
            cashier="77",
            business_date=DAY,
            agent=self.address,
            token=self.token,
            retries=retries,
            training=training,
        )
        self.tills.append(till)
        return till

    def resident_bytes(self) -> int:
        """The memory that the process holds."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii")
        return int(status.split()[1]) * 4096

    def close(self) -> None:
        for till in self.tills:
            till.close()
        _Program.close(self)
