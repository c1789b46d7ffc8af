"""Central and agents as real processes, for demo and replay: started, awaited, killed, started again, ended for sure.

The programs are those beside the running Python; central is never imported. What they print goes to log files, whose
end is shown when something fails. Sells nothing and checks nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, TracebackType
from typing import IO, Self

__all__ = ["Agent", "Central", "ProcessFailed", "Processes", "wait_until"]

READY_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.02
LOG_TAIL_LINES = 15
# sockaddr_un holds 108 bytes on Linux, 104 on macOS, with the closing zero.
SOCKET_PATH_BYTES_MAX = 103


class ProcessFailed(Exception):
    """A program is missing, ended, or was not ready in time; the text shows the end of its log."""


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Poll until the condition holds. Raises ProcessFailed, which says what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise ProcessFailed(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(POLL_S)


class Processes:
    """Every process that was started; leaving the context ends them, on errors, Ctrl-C, SIGTERM and SIGHUP too."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []
        self._undo = ExitStack()
        self._environment = dict(os.environ)
        self._shielded = False
        self._signal = 0

    def start(self, command: Sequence[str], log: Path, ready: str, timeout_s: float = READY_TIMEOUT_S) -> Process:
        """Start a program and wait until it prints a line that starts with `ready`. Raises ProcessFailed."""
        with log.open("a", encoding="utf-8") as file:
            offset = file.tell()
            popen = self._open(command, stdout=file, stderr=subprocess.STDOUT)
        process = Process(popen, Path(command[0]).name, log, offset)
        process.await_line(ready, timeout_s)
        return process

    def run(self, command: Sequence[str]) -> str:
        """Run a command to its end and return what it printed. Raises ProcessFailed."""
        shown = " ".join([Path(command[0]).name, *command[1:3]])
        popen = self._open(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = popen.communicate(timeout=COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _kill(popen)
            popen.communicate()
            raise ProcessFailed(f"{shown} … did not end within {COMMAND_TIMEOUT_S:g} s") from None
        if popen.returncode:
            said = (err or out).strip() or "(nothing)"
            raise ProcessFailed(f"{shown} … ended with status {popen.returncode} and said:\n    {said}")
        return out

    def _open(self, command: Sequence[str], *, stdout: IO[str] | int, stderr: int) -> subprocess.Popen[str]:
        """Start a program, in a session of its own, so that Ctrl-C at the terminal reaches it in our order only."""
        with self._shield():
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
            self._running.append(popen)
        return popen

    @contextmanager
    def _shield(self) -> Iterator[None]:
        """Let a signal wait: one that came in the middle of starting or ending a program would leave it running."""
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False
            if self._signal:
                self._leave(self._signal, None)

    def _leave(self, number: int, _: FrameType | None) -> None:
        self._signal = number
        if self._shielded:
            return
        self._signal = 0
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    def _keep_bytecode(self) -> None:
        """Where no bytecode may be written, keep it in a folder of our own: else every start would compile anew."""
        if self._environment.pop("PYTHONDONTWRITEBYTECODE", None):
            folder = self._undo.enter_context(
                TemporaryDirectory(prefix="loyalty-bytecode-", ignore_cleanup_errors=True)
            )
            self._environment["PYTHONPYCACHEPREFIX"] = folder

    def __enter__(self) -> Self:
        self._keep_bytecode()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._undo.callback(signal.signal, number, signal.signal(number, self._leave))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._shield():
            for popen in self._running:
                _kill(popen)
            self._undo.close()


def _kill(popen: subprocess.Popen[str]) -> None:
    """End a program with SIGKILL, as a power cut would, and all that it started."""
    if popen.poll() is None:
        os.killpg(popen.pid, signal.SIGKILL)
    popen.wait()


class Process:
    """A program that was started, and what it wrote to its log since."""

    def __init__(self, popen: subprocess.Popen[str], name: str, log: Path, offset: int) -> None:
        self._popen = popen
        self._name = name
        self._log = log
        self._offset = offset
        self.line = ""

    @property
    def is_running(self) -> bool:
        """Whether the program still runs."""
        return self._popen.poll() is None

    def await_line(self, start: str, timeout_s: float) -> None:
        """Wait for a line of this life of the program; it is then in `line`. Raises ProcessFailed."""
        deadline = time.monotonic() + timeout_s
        while not self._find(start):
            if not self.is_running:
                raise self._failed(f"ended with status {self._popen.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise self._failed(f"was not ready within {timeout_s:g} s")
            time.sleep(POLL_S)

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would, and all that it started."""
        _kill(self._popen)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it with SIGTERM. Raises ProcessFailed where it does not end in time; it is killed then."""
        self._popen.terminate()
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._failed(f"did not end within {timeout_s:g} s of SIGTERM") from None

    def _find(self, start: str) -> bool:
        with self._log.open("rb") as file:
            file.seek(self._offset)
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
        whole = (line.strip() for line in lines if line.endswith("\n"))
        self.line = next((line for line in whole if line.startswith(start)), "")
        return bool(self.line)

    def _failed(self, what: str) -> ProcessFailed:
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        tail = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        return ProcessFailed(f"{self._name} {what}. The end of {self._log}:\n{tail}")


class Central:
    """`loyalty-central` on a database: SQLite in `directory`, or the database of `database_url`.

    The port is free chosen at the first start and the same after every restart.
    """

    def __init__(self, processes: Processes, directory: Path, database_url: str | None = None) -> None:
        self._processes = processes
        self._directory = directory
        self._process: Process | None = None
        self._port = 0
        self.database = directory / "central.db"
        self.database_url = database_url or f"sqlite:///{self.database}"

    @property
    def url(self) -> str:
        """The address, once it was started."""
        return f"http://127.0.0.1:{self._port}"

    def initialise(self, programme: Path, tenant: str) -> None:
        """Make schema, tenant and keys, and activate the programme. Raises ProcessFailed."""
        self.command("init", "--tenant", tenant, "--programme", str(programme))

    def start(self) -> None:
        """Serve, and wait until it is ready. Raises ProcessFailed."""
        arguments = self._arguments("serve", "--port", str(self._port))
        self._process = self._processes.start(arguments, self._directory / "central.log", "loyalty-central listens on")
        self._port = int(self._process.line.rpartition(":")[2])

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process:
            self._process.kill()

    def stop(self) -> None:
        """End it with SIGTERM."""
        if self._process:
            self._process.stop()

    def add_terminal(self, name: str) -> str:
        """Return a one-time code for a new terminal."""
        return str(json.loads(self.command("terminal", "add", name, "--json"))["code"])

    def import_members(self, file: Path) -> None:
        """Import members from a CSV file with the columns alias,name."""
        self.command("member", "import", str(file))

    def recall_grants(self) -> None:
        """Want every open grant back from every terminal."""
        self.command("terminal", "recall", "--all")

    def command(self, *arguments: str) -> str:
        """Run one command of `loyalty-central` to its end and return what it printed. Raises ProcessFailed."""
        return self._processes.run(self._arguments(*arguments))

    def _arguments(self, *arguments: str) -> list[str]:
        keys = str(self._directory / "central.keys.json")
        return [_program("loyalty-central"), *arguments, "--database", self.database_url, "--keys", keys]


class Agent:
    """`loyalty-agent` in a directory of its own."""

    def __init__(self, processes: Processes, directory: Path) -> None:
        self._processes = processes
        self._process: Process | None = None
        self.directory = directory
        self.failpoints = directory / "failpoints"
        self.journal = directory / "journal.db"
        self.kills = 0

    @property
    def address(self) -> str:
        """The address of its local API, once it was started."""
        if self._process is None:
            raise ProcessFailed(f"the agent in {self.directory} was not started; call start() first")
        return self._process.line.rpartition(" ")[2]

    @property
    def token(self) -> str:
        """The bearer token of its local API."""
        return (self.directory / "token").read_text().strip()

    def enrol(self, central_url: str, code: str) -> None:
        """Make key and configuration and enrol at central. Raises ProcessFailed."""
        _check_socket_path(self.directory / "agent.sock")
        options = ["--central", central_url, "--code", code, "--directory", str(self.directory)]
        self._processes.run([_program("loyalty-agent"), "init", *options])
        self.failpoints.mkdir()

    def configure(self, *, devices: str = "", exchange: str = "", central: str = "") -> None:
        """Add to the agent's configuration: TOML tables of devices, lines of its `[exchange]` and `[central]`."""
        file = self.directory / "agent.toml"
        text = _with_lines(file.read_text(encoding="utf-8"), "[exchange]", exchange)
        text = _with_lines(text, "[central]", central)
        file.write_text(f"{text}\n{devices}", encoding="utf-8")

    def start(self) -> None:
        """Run, and wait until it is ready. Raises ProcessFailed."""
        command = [_program("loyalty-agent"), "run", "--directory", str(self.directory)]
        command += ["--failpoints", str(self.failpoints)]
        self._process = self._processes.start(command, self.directory / "agent.log", "loyalty-agent listens on")

    def kill(self) -> None:
        """End it with SIGKILL, and count it."""
        if self._process:
            self._process.kill()
            self.kills += 1

    def stop(self) -> None:
        """End it with SIGTERM."""
        if self._process:
            self._process.stop()

    def arm(self, failpoint: str) -> Path:
        """Let the agent stop dead when it comes to the failpoint; return the file that appears when it is there."""
        armed = self.failpoints / failpoint
        reached = armed.with_name(f"{failpoint}.reached")
        reached.unlink(missing_ok=True)
        armed.touch()
        return reached


def _program(name: str) -> str:
    # Beside the interpreter first: a virtual environment that is not activated is not on the path.
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise ProcessFailed(
            f"{name} is not installed beside {sys.executable}: pip install 'pos-loyalty-agent[central]'"
        )
    return found


def _with_lines(text: str, section: str, lines: str) -> str:
    """Put lines under the heading of a section, which is added where it is missing."""
    head, found, rest = text.partition(f"{section}\n")
    return f"{head}{section}\n{lines}\n{rest}" if found else f"{text}\n{section}\n{lines}\n"


def _check_socket_path(path: Path) -> None:
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        raise ProcessFailed(f"{path} is too long for a Unix socket; choose a shorter --directory")
