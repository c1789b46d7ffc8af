"""The program `loyalty-central`: its server as a process, its other commands in the process of the tests."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from central_api.cli import main

PROGRAM = [sys.executable, "-m", "central_api.cli"]
ROOT = Path(__file__).parents[3]
PROGRAMME = """{"format": "loyalty-programme-1", "name": "Test", "version": 1, "currency": "EUR",
  "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}]}"""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Program:
    """The program on one database: an SQLite file in the folder, unless `url` names another."""

    folder: Path
    url: str = ""

    @property
    def database(self) -> Path:
        return self.folder / "central.db"

    @property
    def places(self) -> list[str]:
        """The options that name database and keys."""
        url = self.url or f"sqlite:///{self.database}"
        return ["--database", url, "--keys", f"{self.database}.keys.json"]

    def run(self, *arguments: str) -> Done:
        """Run one command to its end, in this process: starting Python for each would take most of the time."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([*arguments, *self.places])
        return Done(code, out.getvalue(), err.getvalue())

    def json(self, *arguments: str) -> Any:
        """Run one command that succeeds, and read its JSON."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments: str) -> str:
        """Run one command that fails with one line on standard error."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("loyalty-central: error: ")
        return lines[0].removeprefix("loyalty-central: error: ")

    def init(self) -> None:
        """Make the database with a programme in force."""
        document = self.folder / "programme.json"
        document.write_text(PROGRAMME, encoding="utf-8")
        assert self.json("init", "--programme", str(document))["programme_version"] == 1

    @contextmanager
    def serving(self, *options: str, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Serve; gives the process and its address, and ends it if the test has not."""
        command = [*PROGRAM, "serve", "--port", str(port), *options, *self.places]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline().strip()
                assert line.startswith("loyalty-central listens on http://127.0.0.1:"), line
                yield process, line.rpartition(" ")[2]
            finally:
                process.kill()
